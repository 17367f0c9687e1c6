"""Infinite-width and random-feature kernels, and the estimators on them."""

from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.gaussian_moments import LeakyReLU
from overparam.kernels.infinite_kernel import Kernel, Kernels
from overparam.kernels.kernel_ridge import KernelRidgeClassifierCV, KernelRidgeCV
from overparam.kernels.random_features import RandomFeatureClassifier, RandomFeatureRidge

__all__ = [
    "Kernel",
    "KernelRidgeCV",
    "KernelRidgeClassifierCV",
    "Kernels",
    "LeakyReLU",
    "RandomFeatureClassifier",
    "RandomFeatureRidge",
    "fully_connected",
]
