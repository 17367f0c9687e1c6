"""What a file of a saved baseline may hold: all else is refused."""

from __future__ import annotations

# Besides what skops itself knows to be safe.
TRUSTED = (
    "functools.partial",  # of a function that must be trusted by its own name
    "numpy.dtype",
    "overparam.kernels.deep_limit.DeepLimitClassifier",
    "overparam.kernels.deep_limit.PsiTable",
    "overparam.kernels.dense_kernel.FullyConnected",
    "overparam.kernels.dual.DeepLimit",
    "overparam.kernels.dual.DualActivation",
    "overparam.kernels.gaussian_moments.LeakyReLU",
    "overparam.kernels.infinite_kernel.Kernel",
    "overparam.kernels.kernel_ridge.KernelRidgeCV",
    "overparam.kernels.kernel_ridge.KernelRidgeClassifierCV",
    "overparam.kernels.sphere_distances.SphereDistances",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.utils.validation.check_array",
)
