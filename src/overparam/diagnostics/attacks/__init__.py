"""Adversarial attacks on torch classifiers, and the worst case over several."""

from overparam.diagnostics.attacks.deepfool import BoundaryPoints, boundary_points

__all__ = ["BoundaryPoints", "boundary_points"]
