"""Adversarial attacks on torch classifiers, and the worst case over several."""

from overparam.diagnostics.attacks.adversarial import Adversarial, Attack
from overparam.diagnostics.attacks.auto_projected_gradient import APGD
from overparam.diagnostics.attacks.deepfool import BoundaryPoints, boundary_points
from overparam.diagnostics.attacks.deepfool_attack import DeepFool
from overparam.diagnostics.attacks.projected_gradient import PGD
from overparam.diagnostics.attacks.square import Square
from overparam.diagnostics.attacks.worst_case import (
    AttackResult,
    RobustAccuracy,
    robust_accuracy,
    standard_suite,
)

__all__ = [
    "APGD",
    "PGD",
    "Adversarial",
    "Attack",
    "AttackResult",
    "BoundaryPoints",
    "DeepFool",
    "RobustAccuracy",
    "Square",
    "boundary_points",
    "robust_accuracy",
    "standard_suite",
]
