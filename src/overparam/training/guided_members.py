"""Guidance of the members of an ensemble, as a callback of `training.Ensemble.fit`.

It adds the slope of the alignment term to the gradients of the task. For that the members run a
forward pass of their own, on copies of their buffers: running statistics are not updated twice, and
a network without dropout sees exactly the loss of `training.Guidance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.training.callbacks import Callback, LiveStack
from overparam.training.execution_plan import own_randomness
from overparam.training.frozen_guide import FrozenGuide
from overparam.training.guidance import (
    Mapping,
    Pairs,
    check_options,
    layer_pairs,
    pair_distances,
)
from overparam.training.layer_outputs import LayerOutputs


class GuidedMembers(Callback):
    """Guides some members of an ensemble, each by its own guide, or several by one.

    Parameters
    ----------
    module : nn.Module
        One module of the architecture.
    X : array of shape (n, ...)
        The training inputs of `Ensemble.fit`.
    guides : sequence of FrozenGuide or None
        One a member of the ensemble, or None for a member that trains plainly. What a guide
        remembers must be these inputs in this order.
    guide_inputs : Tensor of shape (n, ...), optional
        The same rows as the guides read them; X by default.
    steps : sequence of int or None, optional
        How many first steps a member is guided; None, or no sequence, for all.
    alpha, mapping, target_layers, reduction, duplicates
        As in `training.Guidance`.

    Raises
    ------
    ValueError
        If the module draws its own random numbers, or as for `training.Guidance`.
    """

    def __init__(
        self,
        module: nn.Module,
        X: Any,
        guides: Sequence[FrozenGuide | None],
        *,
        guide_inputs: Tensor | None = None,
        steps: Sequence[int | None] | None = None,
        alpha: float = 1.0,
        mapping: Mapping = "uniform",
        target_layers: Sequence[str] | None = None,
        reduction: str = "sum",
        duplicates: str = "all",
    ) -> None:
        limits = [None] * len(guides) if steps is None else list(steps)
        if len(limits) != len(guides):
            raise ValueError(
                f"steps must have one entry a member, {len(guides)}; got {len(limits)}."
            )
        for limit in limits:
            check_options(mapping, alpha, limit, reduction, duplicates)
        randomness = own_randomness(module) or (
            "dropout" if getattr(module, "mask_units", 0) else ""
        )
        if randomness:
            raise ValueError(
                "module must not draw random numbers, as its guided activations come from a pass "
                f"of their own; got {randomness}. Use training.Guidance in a loop."
            )
        self._module = module.train()
        self._outputs = LayerOutputs(module, target_layers, "target_layers")
        self._X = torch.as_tensor(X)
        self._guide_inputs = self._X if guide_inputs is None else guide_inputs
        self._guides = list(guides)
        self._limits = limits
        self._alpha, self._mapping = alpha, mapping
        self._mean = reduction == "mean"
        self._duplicates = duplicates
        self._pairs: Pairs = []
        self._names: list[str] = []
        self._activations = torch.func.vmap(self._activations_of_one)
        self.distances_: dict[int, float] = {}

    def before_update(self, stack: LiveStack) -> None:
        """Add the slope of the alignment term of the members that are guided now."""
        active = [
            place
            for place, member in enumerate(stack.members)
            if self._guides[member] is not None
            and ((limit := self._limits[member]) is None or stack.step < limit)
        ]
        if not active or self._alpha == 0:
            return
        everyone = len(active) == len(stack.members)
        places: Any = slice(None) if everyone else torch.tensor(active)
        leaves = {n: p[places].detach().requires_grad_() for n, p in stack.parameters.items()}
        buffers = {n: b[places].clone() for n, b in stack.buffers.items()}
        rows = stack.rows[places]
        with torch.enable_grad():
            outputs = self._activations(leaves, buffers, self._X[rows])
            targets = dict(zip(self._names, outputs, strict=True))
            loss = self._distance(stack.members[active], rows, targets)
        found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
        for name, slope in zip(leaves, found, strict=True):
            if slope is not None:
                stack.gradients[name][places] += slope

    def _distance(self, members: np.ndarray, rows: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """Sum over members; those with one guide and one minibatch share its matrices."""
        total = rows.new_zeros((), dtype=torch.float32)
        for guide in {id(g): g for g in (self._guides[m] for m in members)}.values():
            assert guide is not None
            places = [i for i, m in enumerate(members) if self._guides[m] is guide]
            shared = bool((rows[places] == rows[places[0]]).all())
            for some in [places] if shared else [[place] for place in places]:
                index = rows[some[0]]
                x = None if guide.remembers else self._guide_inputs[index]
                matrices = guide.similarities(x, index)
                if not self._pairs:
                    self._pairs = layer_pairs(
                        self._mapping, list(matrices), self._names, self._duplicates
                    )
                used = dict.fromkeys(t for _, t in self._pairs)
                parts = {name: targets[name][some] for name in used}
                each = pair_distances(self._pairs, parts, matrices, guide.distance)
                each = each.mean(0) if self._mean else each.sum(0)
                self.distances_ |= {
                    int(members[i]): float(d) for i, d in zip(some, each.detach(), strict=True)
                }
                total = total + self._alpha * each.sum()
        return total

    def _activations_of_one(
        self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor
    ) -> list[Tensor]:
        torch.func.functional_call(self._module, {**parameters, **buffers}, (x,))
        outputs = self._outputs.outputs()
        self._outputs.forget()
        self._names = list(outputs)
        return [value.flatten(1) for value in outputs.values()]
