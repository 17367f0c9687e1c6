"""A fixed factor on a layer's weight in every forward pass.

The optimizer sees the weight before the factor. With `torch.nn.utils.parametrize` the layer stays
what it is: `functional_call`, `state_dict` and `vmap` work as before.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils import parametrize


class ForwardMultiplier(nn.Module):
    """Multiplies a weight by `factor`."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = float(factor)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight that the layer uses."""
        return weight * self.factor

    def extra_repr(self) -> str:
        """Shown by `repr`."""
        return f"factor={self.factor:g}"


def multiply_weight_(layer: nn.Module, factor: float) -> None:
    """Let `layer` use `factor` times its weight, in place; a factor of 1 leaves it as it is."""
    if factor != 1.0:
        parametrize.register_parametrization(layer, "weight", ForwardMultiplier(factor))
