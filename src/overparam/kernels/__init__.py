"""Infinite-width and random-feature kernels, and the estimators on them."""

from overparam.kernels.deep_limit import DeepLimitClassifier
from overparam.kernels.dual import (
    DeepLimit,
    DualActivation,
    classify_activation,
    dual_activation,
    optimal_coefficients,
)
from overparam.kernels.feature_learning_limit import FeatureLearningLimit
from overparam.kernels.ntk_classifier import NTKClassifier

__all__ = [
    "DeepLimit",
    "DeepLimitClassifier",
    "DualActivation",
    "FeatureLearningLimit",
    "NTKClassifier",
    "classify_activation",
    "dual_activation",
    "optimal_coefficients",
]
