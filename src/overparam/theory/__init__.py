"""Predictions that need no training: one module an idea."""

from overparam.kernels.dual import classify_activation
from overparam.theory.class_overlap import overlap_bound

__all__ = ["classify_activation", "overlap_bound"]
