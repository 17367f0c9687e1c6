"""Predictions that need no training: one module an idea."""

from overparam.theory.class_overlap import overlap_bound

__all__ = ["overlap_bound"]
