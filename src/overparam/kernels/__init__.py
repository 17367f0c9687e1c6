"""Infinite-width and random-feature kernels, and the estimators on them."""

from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.gaussian_moments import LeakyReLU
from overparam.kernels.infinite_kernel import Kernel, Kernels

__all__ = ["Kernel", "Kernels", "LeakyReLU", "fully_connected"]
