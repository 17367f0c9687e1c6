"""The commands of ``overparam``, one small module each; heavy imports stand inside functions."""
