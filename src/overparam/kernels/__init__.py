"""Infinite-width and random-feature kernels, and the estimators on them."""

from overparam.kernels.convolutional_kernel import convolutional
from overparam.kernels.deep_limit import DeepLimitClassifier
from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.dual import (
    DeepLimit,
    DualActivation,
    classify_activation,
    dual_activation,
    optimal_coefficients,
)
from overparam.kernels.feature_learning_limit import FeatureLearningLimit
from overparam.kernels.gaussian_moments import LeakyReLU
from overparam.kernels.gaussian_quadrature import Quadrature
from overparam.kernels.gradient_flow import FlowPrediction, GradientFlow
from overparam.kernels.infinite_kernel import Kernel, Kernels
from overparam.kernels.iterative_ridge import IterativeKernelRidge, IterativeKernelRidgeClassifier
from overparam.kernels.kernel_ridge import KernelRidgeClassifierCV, KernelRidgeCV
from overparam.kernels.ntk_classifier import NTKClassifier
from overparam.kernels.random_features import RandomFeatureClassifier, RandomFeatureRidge

__all__ = [
    "DeepLimit",
    "DeepLimitClassifier",
    "DualActivation",
    "FeatureLearningLimit",
    "FlowPrediction",
    "GradientFlow",
    "IterativeKernelRidge",
    "IterativeKernelRidgeClassifier",
    "Kernel",
    "KernelRidgeCV",
    "KernelRidgeClassifierCV",
    "Kernels",
    "LeakyReLU",
    "NTKClassifier",
    "Quadrature",
    "RandomFeatureClassifier",
    "RandomFeatureRidge",
    "classify_activation",
    "convolutional",
    "dual_activation",
    "fully_connected",
    "optimal_coefficients",
]
