"""A chain of linear layers without biases: what stands above the features in theory of collapse."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from overparam.nets.seeding import seeded


class DeepLinear(nn.Sequential):
    """``W_M ... W_1 x``, a linear map in M factors.

    Parameters
    ----------
    widths : sequence of int
        Features, widths between the layers, outputs: M + 1 numbers.
    bias : bool
        A bias of the last layer.
    seed : int
        Initial weights (PyTorch's default law) depend on it alone.

    Raises
    ------
    ValueError
        If there are fewer than two widths or one is below 1.

    Examples
    --------
    >>> import torch
    >>> net = DeepLinear((8, 8, 3))
    >>> net(torch.zeros(5, 8)).shape, net.product().shape
    (torch.Size([5, 3]), torch.Size([3, 8]))
    """

    def __init__(self, widths: Sequence[int], *, bias: bool = False, seed: int = 0) -> None:
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(f"widths must be at least two numbers >= 1; got {list(widths)}.")
        layers = len(widths) - 1
        with seeded(seed):
            super().__init__(
                *(
                    nn.Linear(fan_in, fan_out, bias=bias and place == layers - 1)
                    for place, (fan_in, fan_out) in enumerate(pairwise(widths))
                )
            )

    def product(self) -> Tensor:
        """The map's matrix (outputs, features)."""
        weights = [layer.get_parameter("weight") for layer in self]
        total: Tensor = weights[0]
        for weight in weights[1:]:
            total = weight @ total
        return total
