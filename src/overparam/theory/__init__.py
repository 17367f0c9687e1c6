"""Predictions that need no training: one module an idea."""
