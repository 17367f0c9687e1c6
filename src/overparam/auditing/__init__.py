"""The main job: findings and treatments under one time budget."""
