"""Infinite-width and random-feature kernels, and the estimators on them."""
