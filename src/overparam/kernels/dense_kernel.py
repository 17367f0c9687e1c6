"""Infinitely wide fully connected nets.

In the NTK parametrisation a layer is W h / sqrt(width) * sqrt(weight_variance) plus sqrt(
bias_variance) times a bias, all weights and biases standard normal and trained. With L hidden
layers, s = weight_variance, b = bias_variance and d features,

    Sigma_0 = s <x, z> / d + b,            Theta_0 = Sigma_0,
    Sigma_l = s value(Sigma_(l-1)) + b,    Theta_l = Sigma_l + s slope(Sigma_(l-1)) Theta_(l-1),

value and slope the moments of `gaussian_moments`. The linear read-out is the affine map of step L:
it has the same two variances, as `stax.Dense(1, W_std, b_std)` would in neural-tangents. NNGP is
Sigma_L, NTK is Theta_L (Jacot et al. 2018, arXiv 1806.07572; Lee et al. 2018, arXiv 1711.00165).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from overparam.kernels.gaussian_moments import Joint, Moments, Pair, named_moments
from overparam.kernels.infinite_kernel import Kernel, Rows, TileFunction

Activation = str | Moments | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FullyConnected:
    """The recursion above, for all pairs of two blocks of rows."""

    moments: Moments
    depth: int
    weight_variance: float
    bias_variance: float

    # 512 x 512 float64 tiles: what a layer keeps of one lies in the processor's shared cache.
    block = 512

    def inputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """Rows of features, as they are."""
        if X.ndim != 2:
            raise ValueError(
                f"X and Z must be 2-D, one row an example; got shape {X.shape}. "
                "Flatten images, or use kernels.convolutional."
            )
        return X

    def rows(self, inputs: Tensor) -> Rows:
        """Variances (n, depth) of the preactivations that go into each activation."""
        scaled = inputs * math.sqrt(self.weight_variance / inputs.shape[1])
        k = scaled.square().sum(1) + self.bias_variance
        variances = []
        for _ in range(self.depth):
            variances.append(k)
            k = self.weight_variance * self.moments.variance(k)[0] + self.bias_variance
        return Rows(scaled, torch.stack(variances, 1) if variances else k.new_empty(len(k), 0))

    def diagonal(self, rows: Rows) -> Pair:
        """Run the recursion on the variances."""
        nngp = ntk = rows.inputs.square().sum(1) + self.bias_variance
        for layer in range(self.depth):
            value, slope = self.moments.variance(rows.variances[:, layer])
            nngp = self.weight_variance * value + self.bias_variance
            ntk = nngp + self.weight_variance * slope * ntk
        return nngp, ntk

    def tile_function(self, rows: Rows, others: Rows) -> TileFunction:
        """Fix what each layer's moments need to know of the range of variances."""
        joints = []
        for layer in range(self.depth):
            both = torch.cat([rows.variances[:, layer], others.variances[:, layer]])
            joints.append(self.moments.joint(float(both.min()), float(both.max())))

        def tile(a: Rows, b: Rows) -> Pair:
            first = torch.addmm(a.inputs.new_tensor(self.bias_variance), a.inputs, b.inputs.T)
            return self.layers(joints, first, a.variances, b.variances)

        return tile

    def layers(self, joints: list[Joint], k: Tensor, rows: Tensor, others: Tensor) -> Pair:
        """Carry the first covariance k (a, b) through the layers."""
        nngp = ntk = k
        for layer, joint in enumerate(joints):
            value, slope = joint(nngp, rows[:, layer, None], others[None, :, layer])
            nngp = self.weight_variance * value + self.bias_variance
            ntk = nngp + self.weight_variance * slope * ntk
        return nngp, ntk


def resolve_activation(activation: Activation) -> Moments:
    """Return the moments of a name, of a callable (by quadrature), or of moments themselves."""
    if isinstance(activation, str):
        return named_moments(activation)
    if hasattr(activation, "joint"):
        return activation  # type: ignore[return-value]
    raise ValueError(
        f"activation must be a name, a callable of tensors or Moments; got {activation!r}."
    )


def fully_connected(
    activation: Activation = "relu",
    depth: int = 3,
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
) -> Kernel:
    """Kernel of a fully connected net with infinitely wide layers.

    Parameters
    ----------
    activation : str, Moments or callable
        "relu", "leaky_relu", "erf", "sin", "gelu", "linear", "h_1" ... (normalised Hermite
        polynomials) in closed form; `gaussian_moments.LeakyReLU(0.2)` for another slope; any
        elementwise function of a tensor by quadrature.
    depth : int
        Number of hidden layers, >= 0. The linear read-out comes on top.
    weight_variance, bias_variance : float
        Of every layer, the read-out included; the first layer divides by the number of features.
        ReLU keeps its scale at weight variance 2.

    Returns
    -------
    Kernel
        `kernel(X, Z=None, kind="ntk")`; O(n m (d + depth)) time.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(5, 8))
    >>> kernel = fully_connected("relu", depth=2)
    >>> kernel(X).shape, kernel(X, X[:2], "nngp").shape
    ((5, 5), (5, 2))
    """
    if depth != int(depth) or depth < 0:
        raise ValueError(f"depth must be an integer >= 0; got {depth!r}.")
    _check_variances(weight_variance, bias_variance)
    moments = resolve_activation(activation)
    return Kernel(FullyConnected(moments, int(depth), float(weight_variance), float(bias_variance)))


def _check_variances(weight_variance: float, bias_variance: float) -> None:
    if not 0 < weight_variance < math.inf:
        raise ValueError(f"weight_variance must be a number > 0; got {weight_variance!r}.")
    if not 0 <= bias_variance < math.inf:
        raise ValueError(f"bias_variance must be a number >= 0; got {bias_variance!r}.")
