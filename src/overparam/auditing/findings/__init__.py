"""One module a question about the user's data."""
