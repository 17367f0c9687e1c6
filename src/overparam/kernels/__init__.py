"""Infinite-width and random-feature kernels, and the estimators on them."""

from overparam.kernels.feature_learning_limit import FeatureLearningLimit

__all__ = ["FeatureLearningLimit"]
