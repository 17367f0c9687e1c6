"""What a data set or a trained model shows."""
