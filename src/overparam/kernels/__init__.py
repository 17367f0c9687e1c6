"""Infinite-width and random-feature kernels, and the estimators on them."""

from overparam.kernels.convolutional_kernel import convolutional
from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.gaussian_moments import LeakyReLU
from overparam.kernels.gaussian_quadrature import Quadrature
from overparam.kernels.gradient_flow import FlowPrediction, GradientFlow
from overparam.kernels.infinite_kernel import Kernel, Kernels
from overparam.kernels.iterative_ridge import IterativeKernelRidge, IterativeKernelRidgeClassifier

__all__ = [
    "FlowPrediction",
    "GradientFlow",
    "IterativeKernelRidge",
    "IterativeKernelRidgeClassifier",
    "Kernel",
    "Kernels",
    "LeakyReLU",
    "Quadrature",
    "convolutional",
    "fully_connected",
]
