"""Choosing configurations."""

from overparam.search.coordinate_descent import LocalOptimum, locally_optimal

__all__ = ["LocalOptimum", "locally_optimal"]
