"""One module a way to make the baseline net better."""
