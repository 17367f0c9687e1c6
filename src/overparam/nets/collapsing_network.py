"""A network with batch norm and a deep linear head: what collapses as the theory says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from overparam.nets.deep_linear import DeepLinear


class CollapsingNetwork(nn.Module):
    """Layers with batch norm and ReLU, then linear layers as wide as the features.

    Parameters
    ----------
    widths : sequence of int
        Input and hidden widths; the last one is that of the features.
    n_outputs : int
    depth : int
        Linear layers above the features.
    batch_norm : bool
        Whether the hidden layers are normalised; without, means do not reach the theory's frame.
    bias : bool
        Of the outputs: a squared error without one has orthogonal means, cross-entropy with one a
        simplex.
    channels : sequence of int
        Blocks of 3x3 convolution, batch norm, ReLU and 2x2 max-pooling in front, of so many
        channels each.
    shape : (int, int, int), optional
        Channels, height and width of an image; needed for `channels`.

    Attributes
    ----------
    body : nn.Sequential
        Examples (B, d) to features (B, widths[-1]).
    head : DeepLinear
        Features to outputs.

    References
    ----------
    arXiv 2301.00437, section 5 (its networks end in such a head).
    """

    def __init__(
        self,
        widths: Sequence[int],
        n_outputs: int,
        depth: int = 1,
        batch_norm: bool = True,
        bias: bool = False,
        channels: Sequence[int] = (),
        shape: tuple[int, int, int] | None = None,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = list(widths)
        if channels:
            if shape is None or math.prod(shape) != widths[0]:
                raise ValueError(
                    f"shape must be (channels, height, width) with product {widths[0]}, the first "
                    f"of widths; got {shape!r}."
                )
            layers.append(nn.Unflatten(1, shape))
            for before, after in pairwise([shape[0], *channels]):
                layers.append(nn.Conv2d(before, after, 3, padding=1))
                layers += [nn.BatchNorm2d(after)] if batch_norm else []
                layers += [nn.ReLU(), nn.MaxPool2d(2)]
            layers.append(nn.Flatten())
            widths[0] = channels[-1] * math.prod(side >> len(channels) for side in shape[1:])
        for before, after in pairwise(widths):
            layers.append(nn.Linear(before, after))
            layers += [nn.BatchNorm1d(after)] if batch_norm else []
            layers.append(nn.ReLU())
        self.body = nn.Sequential(*layers)
        self.head = DeepLinear([widths[-1]] * depth + [n_outputs], bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B, k)."""
        return self.head(self.body(x))
