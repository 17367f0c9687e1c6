"""Choosing configurations."""
