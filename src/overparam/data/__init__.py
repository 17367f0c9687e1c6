"""What we learn from: any labelled source becomes a Dataset."""
