"""Infinite-width and random-feature kernels, and the estimators on them."""

from overparam.kernels.kernel_ridge import KernelRidgeClassifierCV, KernelRidgeCV
from overparam.kernels.random_features import RandomFeatureClassifier, RandomFeatureRidge

__all__ = [
    "KernelRidgeCV",
    "KernelRidgeClassifierCV",
    "RandomFeatureClassifier",
    "RandomFeatureRidge",
]
