"""The weights that M parametrised members use, computed from the tensors that they train.

`torch.nn.utils.parametrize` keeps `layer.weight` as a function of `layer.parametrizations.weight`.
A module that runs stacked reads weights by their plain names: here they are made, by
`torch.func.vmap`, or by the parametrisation itself where it has

    stacked_forward(state, v)    weights (M, ...) from `v` (M, ...) and its own tensors (M, ...)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class EffectiveWeights:
    """Stacked weights by plain names, of a module that may be parametrised.

    Parameters
    ----------
    module : nn.Module
        One member.

    Attributes
    ----------
    any : bool
        Whether any tensor of the module is parametrised.
    """

    def __init__(self, module: nn.Module) -> None:
        self._chains: list[_Chain] = [
            _Chain(f"{path}." if path else "", leaf, chain)
            for path, part in module.named_modules()
            if parametrize.is_parametrized(part)
            for leaf, chain in part.parametrizations.items()
        ]
        self.any = bool(self._chains)

    def __call__(self, state: Mapping[str, Tensor], training: bool) -> dict[str, Tensor]:
        """Map a stacked state, name -> (M, ...), to one under plain names; differentiable."""
        plain = dict(state)
        for chain in self._chains:
            own = {leaf: plain.pop(chain.prefix + leaf) for leaf in chain.leaves}
            plain[chain.name] = chain.weight(own, training)
        return plain


class _Chain:
    """The parametrisations of one tensor."""

    def __init__(self, path: str, leaf: str, chain: nn.ModuleList) -> None:
        self.name = path + leaf
        self.prefix = f"{path}parametrizations.{leaf}."
        self.leaves = [n for n, _ in (*chain.named_parameters(), *chain.named_buffers())]
        self._chain = chain
        self._alone = getattr(chain[0], "stacked_forward", None) if len(chain) == 1 else None
        self._stacked = torch.func.vmap(self._one)

    def weight(self, own: dict[str, Tensor], training: bool) -> Tensor:
        """The tensor (M, ...) that the layers use."""
        if self._alone is not None:
            v = own["original"]
            state = {leaf.removeprefix("0."): value for leaf, value in own.items()}
            return self._alone(state, v)
        self._chain.train(training)
        return self._stacked(own)

    def _one(self, own: dict[str, Tensor]) -> Tensor:
        weight: Tensor = torch.func.functional_call(self._chain, own)
        return weight
