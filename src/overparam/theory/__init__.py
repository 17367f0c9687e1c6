"""Predictions that need no training: one module an idea."""

from overparam.theory import eigenframework
from overparam.theory.class_overlap import overlap_bound

__all__ = ["eigenframework", "overlap_bound"]
