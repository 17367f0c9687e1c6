"""The multilayer perceptron, alone or M copies as one batched program.

For a block with input h, weights W, b and activation f (LayerNorm, dropout mask and the residual
path are each optional):

    z = h W^T + b        u = LayerNorm(z)        a = f(u) * mask        h' = a [+ h]

The stacked backward pass below is these lines read upwards. Written out by hand it spares the
tape, writes gradients where the optimizer reads them, and is the fastest way that we measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from overparam.nets.activations import resolve_activation
from overparam.nets.seeding import seeded
from overparam.nets.stackable import StackedGradients

_EPS = 1e-5  # LayerNorm's own default


class MLP(nn.Module):
    """Fully connected network.

    Parameters
    ----------
    n_features, n_outputs : int
        Sizes of an input (flattened) and of the output.
    widths : sequence of int
        Width of each hidden layer; empty for a linear model.
    activation : str or callable
        Name (see `nets.activations.ACTIVATIONS`) or an elementwise function.
    layer_norm : bool
        Normalise before each activation.
    residual : bool
        Add a hidden layer's input to its output where the two have equal width.
    dropout : float
        Probability in [0, 1) that a hidden unit is dropped in training.
    seed : int
        Initial weights (PyTorch's default law for `nn.Linear`) depend on it alone.

    Raises
    ------
    ValueError
        If a size or width is below 1, `dropout` is outside [0, 1) or `activation` is unknown.

    Examples
    --------
    >>> MLP(4, 3, widths=(8,), seed=0)(torch.zeros(5, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        widths: Sequence[int] = (256, 256),
        activation: str | Callable[[Tensor], Tensor] = "relu",
        layer_norm: bool = False,
        residual: bool = False,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = [n_features, *widths, n_outputs]
        if min(sizes) < 1:
            raise ValueError(
                "n_features, n_outputs and widths must be integers >= 1; "
                f"got {n_features}, {n_outputs} and {tuple(widths)}."
            )
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1); got {dropout!r}.")
        self.n_features = n_features
        self.widths = tuple(widths)
        self.activation = resolve_activation(activation)
        self.residual = residual
        self.dropout = float(dropout)
        self.mask_units = sum(widths) if dropout else 0
        with seeded(seed):
            self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
            self.norms = nn.ModuleList(nn.LayerNorm(w, eps=_EPS) for w in widths if layer_norm)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, n_outputs) of inputs (B, ...)."""
        h = x.flatten(1)
        for index in range(len(self.widths)):
            z = self.layers[index](h)
            u = self.norms[index](z) if self.norms else z
            a = nn.functional.dropout(self.activation.function(u), self.dropout, self.training)
            h = a + h if self._skips(index) else a
        return self.layers[-1](h)

    def stacked_forward(
        self, state: Mapping[str, Tensor], x: Tensor, masks: Tensor | None = None
    ) -> Tensor:
        """Logits (M, B, n_outputs) of M members; see `nets.stackable.Stackable`."""
        layers = self._layers(state)
        h = x.flatten(2)
        for index in range(len(self.widths)):
            h = self._block(layers[index], index, h, self._mask(masks, index)).after
        return layers[-1].readout(h)

    def stacked_gradients(
        self, state: Mapping[str, Tensor], out: Mapping[str, Tensor]
    ) -> StackedGradients:
        """Backward pass written out; see `nets.stackable.HandDifferentiated`."""
        layers, slopes = self._layers(state), self._layers(out)

        def gradients(x: Tensor, masks: Tensor | None, slope: Callable[[Tensor], Tensor]) -> Tensor:
            last = len(self.widths)
            h = x.flatten(2)
            trace = []
            for index in range(last):
                trace.append(self._block(layers[index], index, h, self._mask(masks, index)))
                h = trace[-1].after
            logits = layers[last].readout(h)
            g = g_after = slope(logits)
            slopes[last].write(g, h)
            for index in reversed(range(last)):
                through = torch.bmm(g, layers[index + 1].weight)
                g_after = through + g_after if self._skips(index + 1) else through
                mask = self._mask(masks, index)
                g = self._block_slope(layers[index], slopes[index], trace[index], g_after, mask)
                slopes[index].write(g, trace[index].before)
            return logits

        return gradients

    def _layers(self, state: Mapping[str, Tensor]) -> list[_Layer]:
        return [
            _Layer(
                state[f"layers.{index}.weight"],
                state[f"layers.{index}.bias"],
                state.get(f"norms.{index}.weight"),
                state.get(f"norms.{index}.bias"),
            )
            for index in range(len(self.widths) + 1)
        ]

    def _skips(self, index: int) -> bool:
        if not self.residual or index == len(self.widths):
            return False
        before = self.widths[index - 1] if index else self.n_features
        return before == self.widths[index]

    def _mask(self, masks: Tensor | None, index: int) -> Tensor | None:
        if masks is None:
            return None
        start = sum(self.widths[:index])
        return masks[..., start : start + self.widths[index]]

    def _block(self, layer: _Layer, index: int, h: Tensor, mask: Tensor | None) -> _Trace:
        z = torch.baddbmm(layer.bias_row, h, layer.transposed)
        u = z
        normal = mean = rstd = None
        if layer.scale is not None and layer.shift is not None:
            normal, mean, rstd = torch.native_layer_norm(z, z.shape[-1:], None, None, _EPS)
            u = torch.addcmul(layer.shift.unsqueeze(1), normal, layer.scale.unsqueeze(1))
        function = self.activation.function
        if not torch.is_grad_enabled():
            function = self.activation.in_place or function  # u is needed no more
        a = function(u)
        after = a if mask is None else a * mask
        if self._skips(index):
            after = after + h
        return _Trace(before=h, z=z, normal=normal, mean=mean, rstd=rstd, u=u, a=a, after=after)

    def _block_slope(
        self, layer: _Layer, slopes: _Layer, trace: _Trace, g: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Turn the slope at a block's output into the slope at its `z`."""
        if mask is not None:
            g = g * mask
        g = self.activation.backward(g, trace.u, trace.a)
        if trace.normal is None or layer.scale is None:
            return g
        torch.sum(g * trace.normal, 1, out=slopes.scale)
        torch.sum(g, 1, out=slopes.shift)
        return torch.ops.aten.native_layer_norm_backward(
            g * layer.scale.unsqueeze(1),
            trace.z,
            trace.z.shape[-1:],
            trace.mean,
            trace.rstd,
            None,
            None,
            [True, False, False],
        )[0]


class _Layer:
    """Stacked weights (M, out, in), bias (M, out) and LayerNorm of a layer, or their gradients.

    The views that every step needs are made once: at small sizes a view costs as much as a sum.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor, scale: Tensor | None, shift: Tensor | None
    ) -> None:
        self.weight, self.transposed = weight, weight.transpose(1, 2)
        self.bias, self.bias_row, self.bias_column = bias, bias.unsqueeze(1), bias.unsqueeze(2)
        self.scale, self.shift = scale, shift

    def readout(self, h: Tensor) -> Tensor:
        """As last layer: few outputs make long rows when they come first, a faster product."""
        return torch.baddbmm(self.bias_column, self.weight, h.transpose(1, 2)).transpose(1, 2)

    def write(self, g: Tensor, h: Tensor) -> None:
        """Gradients of weight and bias from the slope `g` at the output and the input `h`."""
        if self.weight.is_contiguous():
            torch.bmm(g.transpose(1, 2), h, out=self.weight)
        else:  # into the memory as it lies, or PyTorch makes a copy
            torch.bmm(h.transpose(1, 2), g, out=self.transposed)
        torch.sum(g, 1, out=self.bias)


@dataclass
class _Trace:
    """What a block's backward pass needs, in the symbols of the module's docstring."""

    before: Tensor
    z: Tensor
    normal: Tensor | None
    mean: Tensor | None
    rstd: Tensor | None
    u: Tensor
    a: Tensor
    after: Tensor
