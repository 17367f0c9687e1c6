"""Infinitely wide convolutional nets that end in a flattening read-out.

Flattening gives every position its own read-out weights: positions do not mix in the output, and
only covariances of equal positions p are needed, O(n^2 pixels) instead of O(n^2 pixels^2). With
C channels, s = weight_variance, b = bias_variance, and M the mean over the filter's window (zeros
outside the image count, as zero padding does),

    Sigma_0(p) = s M[<x, z> / C](p) + b,            Theta_0 = Sigma_0,
    Sigma_l(p) = s M[value(Sigma_(l-1))](p) + b,    Theta_l = Sigma_l + s M[slope Theta_(l-1)],

and the read-out takes the mean over all positions for M (Novak et al. 2019, arXiv 1810.05148;
Arora et al. 2019, arXiv 1904.11955: "vanilla CNTK").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from overparam.kernels.dense_kernel import Activation, check_variances, resolve_activation
from overparam.kernels.gaussian_moments import Moments, Pair
from overparam.kernels.infinite_kernel import Kernel, Rows, TileFunction

Padding = Literal["same", "valid"]


@dataclass(frozen=True)
class Convolutional:
    """The recursion above. Covariances are (height, width, a, b): windows slide in front."""

    moments: Moments
    depth: int
    weight_variance: float
    bias_variance: float
    kernel_size: int
    padding: Padding

    block = 32  # 32 x 32 pairs of 28 x 28 pixels: 6 MB in float64

    def inputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """Images with their channels: (n, channels, height, width)."""
        if X.ndim not in (3, 4):
            raise ValueError(
                "X and Z must be (n, height, width) or (n, channels, height, width); "
                f"got shape {X.shape}."
            )
        X = X[:, None] if X.ndim == 3 else X
        lost = self.depth * (self.kernel_size - 1) if self.padding == "valid" else 0
        if min(X.shape[2:]) <= lost:
            raise ValueError(
                f"images must have more than {lost} pixels a side for {self.depth} layers "
                f"without padding; got {X.shape[2]} x {X.shape[3]}. Use padding='same'."
            )
        return X

    def rows(self, inputs: Tensor) -> Rows:
        """Variances (n, layers, pixels); layers of smaller images leave the end unused."""
        pixels = inputs.shape[2] * inputs.shape[3]
        own = inputs.square().mean(1).permute(1, 2, 0)  # (height, width, n)
        k = self._affine(own[..., None])
        variances = []
        for layer in range(self.depth):
            flat = k.flatten(0, 1)[..., 0].T  # (n, pixels of this layer)
            variances.append(functional.pad(flat, (0, pixels - flat.shape[1])))
            if layer + 1 < self.depth:
                k = self._affine(self.moments.variance(k.flatten())[0].view_as(k))
        return Rows(inputs, torch.stack(variances, 1))

    def diagonal(self, rows: Rows) -> Pair:
        """The recursion for each image with itself."""
        own = rows.inputs.square().mean(1).permute(1, 2, 0)[..., None]
        k = theta = self._affine(own)
        for layer in range(self.depth):
            value, slope = (part.view_as(k) for part in self.moments.variance(k.flatten()))
            k, theta = self._step(layer, value, slope, theta)
        return k[:, 0], theta[:, 0]

    def tile_function(self, rows: Rows, others: Rows, compiled: bool) -> TileFunction:
        """Eager: the window's means are memory-bound copies that a compiler does not fuse."""
        shapes = self._shapes(rows.inputs.shape[2], rows.inputs.shape[3])
        joints = []
        for layer, (height, width) in enumerate(shapes):
            used = [r.variances[:, layer, : height * width] for r in (rows, others)]
            low = min(float(u.min()) for u in used)
            joints.append(self.moments.joint(low, max(float(u.max()) for u in used)))

        def tile(a: Rows, b: Rows) -> Pair:
            one, two = a.inputs.permute(2, 3, 0, 1), b.inputs.permute(2, 3, 1, 0)
            k = theta = self._affine(one @ two / a.inputs.shape[1])
            for layer, (height, width) in enumerate(shapes):
                size = (height, width, -1)
                k11 = a.variances[:, layer, : height * width].T.reshape(size)[..., None]
                k22 = b.variances[:, layer, : height * width].T.reshape(size)[..., None, :]
                value, slope = joints[layer](k, k11, k22)
                k, theta = self._step(layer, value, slope, theta)
            return k, theta

        return tile

    def _step(self, layer: int, value: Tensor, slope: Tensor, theta: Tensor) -> Pair:
        """From one layer's preactivations to the next, or to the output."""
        last = layer + 1 == self.depth
        mean = (lambda x: x.mean((0, 1))) if last else self._window_mean
        k = self.weight_variance * mean(value) + self.bias_variance
        return k, k + self.weight_variance * mean(slope * theta)

    def _affine(self, covariance: Tensor) -> Tensor:
        return self.weight_variance * self._window_mean(covariance) + self.bias_variance

    def _window_mean(self, x: Tensor) -> Tensor:
        """Mean over the filter's window of the first two axes."""
        size = self.kernel_size
        for axis in (0, 1):
            if self.padding == "same":
                before = (size - 1) // 2
                pad = [0, 0] * (x.ndim - 1 - axis) + [before, size - 1 - before]
                x = functional.pad(x, pad)
            length = x.shape[axis] - size + 1
            total = x.narrow(axis, 0, length).clone()
            for shift in range(1, size):
                total += x.narrow(axis, shift, length)
            x = total / size
        return x

    def _shapes(self, height: int, width: int) -> list[tuple[int, int]]:
        lost = self.kernel_size - 1 if self.padding == "valid" else 0
        return [(height - lost * (i + 1), width - lost * (i + 1)) for i in range(self.depth)]


def convolutional(
    activation: Activation = "relu",
    depth: int = 3,
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
    *,
    kernel_size: int = 3,
    padding: Padding = "same",
) -> Kernel:
    """Kernel of a convolutional net with infinitely many channels and a flattening read-out.

    Parameters
    ----------
    activation : str, Moments or callable
        As for `fully_connected`.
    depth : int
        Number of convolutions, >= 1, each with stride 1 and an activation; the flattening, linear
        read-out comes on top.
    weight_variance, bias_variance : float
        Of every layer, the read-out included (NTK parametrisation).
    kernel_size : int
        Side of the filter.
    padding : {"same", "valid"}
        Zeros around the image, or none. (Never wrapped around.)

    Returns
    -------
    Kernel
        Of rows (n, height, width) or (n, channels, height, width); O(n m pixels depth) time.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).normal(size=(5, 8, 8))
    >>> convolutional("relu", depth=2)(images).shape
    (5, 5)
    """
    if depth != int(depth) or depth < 1:
        raise ValueError(f"depth must be an integer >= 1; got {depth!r}.")
    check_variances(weight_variance, bias_variance)
    if kernel_size != int(kernel_size) or kernel_size < 1:
        raise ValueError(f"kernel_size must be an integer >= 1; got {kernel_size!r}.")
    if padding not in ("same", "valid"):
        raise ValueError(f"padding must be 'same' or 'valid'; got {padding!r}.")
    return Kernel(
        Convolutional(
            resolve_activation(activation),
            int(depth),
            float(weight_variance),
            float(bias_variance),
            int(kernel_size),
            padding,
        )
    )
