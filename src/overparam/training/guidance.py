"""Guidance: train a network on its task and towards the representations of a frozen guide.

For a minibatch, with activations A_t of the target's layers and B_g of the guide's,

    L = task loss + alpha * sum over pairs (g -> t) of (1 - CKA(A_t, B_g))

(arXiv 2410.20035). The similarity compares rows with rows, so that widths and shapes of the two
networks may differ, and even an untrained guide passes on the prior of its architecture. Guidance
for a few hundred steps only acts as an initialisation.

Departures from the released code: where several guide layers meet one target layer all of them
count (`duplicates="last"` is the code's way), and the target's features are those of the pass that
gave its logits (the code runs the target a second time, with other dropout masks).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from overparam.training.frozen_guide import Cache, Distance, FrozenGuide
from overparam.training.layer_outputs import LayerOutputs
from overparam.training.similarity import (
    cka_with_guide,
    constant_activations,
    unit_cosines,
    unit_features,
)

Mapping = Literal["uniform"] | Sequence[tuple[str, str]]
Pairs = list[tuple[str, str]]


def uniform_mapping(n_guide: int, n_target: int) -> list[int]:
    """The target layer of each guide layer, spread evenly over the depth.

    Guide layer i of S goes to min(round(i (T - 1) / (S - 1)), T - 1), halves to the even number; a
    single guide layer goes to the first.

    Parameters
    ----------
    n_guide, n_target : int
        Layers S and T, at least 1.

    Raises
    ------
    ValueError
        If a number is below 1.

    Examples
    --------
    >>> uniform_mapping(7, 40)
    [0, 6, 13, 20, 26, 32, 39]
    """
    if n_guide < 1 or n_target < 1:
        raise ValueError(
            f"n_guide and n_target must be integers >= 1; got {n_guide!r} and {n_target!r}."
        )
    if n_guide == 1:
        return [0]
    return [min(round(i * (n_target - 1) / (n_guide - 1)), n_target - 1) for i in range(n_guide)]


def layer_pairs(
    mapping: Mapping,
    guide_layers: Sequence[str],
    target_layers: Sequence[str],
    duplicates: str = "all",
) -> Pairs:
    """Pairs (guide layer, target layer) of a mapping."""
    if mapping == "uniform":
        places = uniform_mapping(len(guide_layers), len(target_layers))
        pairs = [(g, target_layers[t]) for g, t in zip(guide_layers, places, strict=True)]
    else:
        pairs = [(str(g), str(t)) for g, t in mapping]
    if duplicates == "last":
        pairs = [(g, t) for t, g in {t: g for g, t in pairs}.items()]
    return pairs


def pair_distances(
    pairs: Pairs, targets: dict[str, Tensor], guide: dict[str, Tensor], distance: Distance
) -> Tensor:
    """Distances (pairs, ...) of target activations (..., B, p) from a guide's unit matrices."""
    found: list[Tensor] = []
    made: dict[str, Tensor] = {}
    for g, t in pairs:
        if t not in made:
            made[t] = unit_features(targets[t]) if distance == "cka" else unit_cosines(targets[t])
        if distance == "cka":
            found.append(1 - cka_with_guide(made[t], guide[g]))
        else:
            found.append(1 - (made[t] * guide[g]).sum((-2, -1)))
    return torch.stack(found)


class Guidance:
    """The alignment term of a target with a frozen guide, for any training loop.

    Parameters
    ----------
    guide : nn.Module
        Frozen, in evaluation mode (it is switched, with a warning). Trained or untrained.
    target : nn.Module
        The network in training. Its hooks keep the activations of its last forward pass.
    guide_layers, target_layers : sequence of str, optional
        Names as in `named_modules()`; by default all convolutions, linear, recurrent, attention,
        LayerNorm and adaptive average-pooling layers in the order in which they run, without the
        last one, which gives the logits.
    mapping : "uniform" or list of (guide layer, target layer)
        See `uniform_mapping`; a list makes the two arguments before unnecessary.
    alpha : float
        Weight of the term, >= 0; with 0 the term is exactly 0 and the guide does not run.
    distance : {"cka", "rsa"}
        1 - linear CKA, or 1 - the correlation of cosine-similarity matrices.
    steps : int, optional
        Guide only so many first steps (see `active`); 300 in the paper's use as initialisation.
    reduction : {"sum", "mean"}
        Over pairs.
    cache : {"auto", "gram", None}
        What `remember` keeps; see `FrozenGuide`.
    duplicates : {"all", "last"}
        Which of several guide layers that meet one target layer count.
    noise : bool
        Show the guide random inputs (a control).

    Attributes
    ----------
    pairs_ : list of (guide layer, target layer)
        Known after the first call.
    distances_ : dict of (guide layer, target layer) to float
        Of the last call.

    Raises
    ------
    ValueError
        If an argument is outside what is accepted, or a layer is unknown.

    Examples
    --------
    >>> from overparam.nets.convnet import ConvNet
    >>> from overparam.nets.mlp import MLP
    >>> guide = ConvNet((1, 8, 8), 10, seed=0).eval()
    >>> target = MLP(64, 10, (32, 32, 32), seed=0)
    >>> x = torch.randn(16, 64, generator=torch.Generator().manual_seed(0))
    >>> with Guidance(guide, target, steps=300) as guidance:
    ...     logits = target(x)
    ...     loss = logits.logsumexp(1).mean() + guidance.loss(x)
    ...     loss.backward()
    >>> guidance.pairs_
    [('convolutions.0', 'layers.0'), ('convolutions.1', 'layers.2')]
    """

    def __init__(
        self,
        guide: nn.Module,
        target: nn.Module,
        guide_layers: Sequence[str] | None = None,
        target_layers: Sequence[str] | None = None,
        mapping: Mapping = "uniform",
        alpha: float = 1.0,
        distance: Distance = "cka",
        steps: int | None = None,
        reduction: Literal["sum", "mean"] = "sum",
        cache: Cache = "auto",
        duplicates: Literal["all", "last"] = "all",
        noise: bool = False,
    ) -> None:
        check_options(mapping, alpha, steps, reduction, duplicates)
        if mapping != "uniform":
            guide_layers = list(dict.fromkeys(g for g, _ in mapping))
            target_layers = list(dict.fromkeys(t for _, t in mapping))
        self.mapping, self.duplicates = mapping, duplicates
        self.alpha = alpha
        self.steps = steps
        self.reduction = reduction
        self.pairs_: Pairs = []
        self._found: Tensor | None = None
        self._warned = False
        self._target = LayerOutputs(target, target_layers, "target_layers")
        try:
            self._guide = FrozenGuide(guide, guide_layers, distance, cache, noise)
        except ValueError:
            self._target.close()
            raise

    def remember(self, X: Tensor) -> Guidance:
        """Run the guide on all training inputs X (n, ...) once, for `loss(x, index)`."""
        self._guide.remember(X)
        return self

    def loss(self, x: Tensor | None, index: Tensor | None = None) -> Tensor:
        """The term alpha * sum of distances for the target's LAST forward pass.

        Parameters
        ----------
        x : Tensor of shape (B, ...)
            The guide's view of the minibatch that the target has just seen. None with `index`.
        index : Tensor of shape (B,), optional
            Its rows in what was remembered: then the guide does not run.

        Returns
        -------
        Tensor of shape ()
            Gradients flow into the target only.

        Raises
        ------
        ValueError
            If the target has not run, batches differ or have fewer than 4 rows, a layer's first
            axis is not the batch, or `index` is given and nothing is remembered.
        """
        given = index if index is not None else x
        if given is None:
            raise ValueError("x must be the minibatch unless index gives its rows; got None.")
        if self.alpha == 0:
            return torch.zeros((), device=given.device)
        if index is not None and self._guide.cache is not None and not self._guide.remembers:
            raise ValueError("index needs remembered rows: call remember(X) first.")
        activations = self._target.outputs()
        if len(given) != self._target.rows:
            raise ValueError(
                "x must have the rows that the target has just seen, "
                f"{self._target.rows}; got {len(given)}."
            )
        targets = {name: A.flatten(1) for name, A in activations.items()}
        guide = self._guide.similarities(x, index)
        self._pair(list(guide), list(targets))
        found = pair_distances(self.pairs_, targets, guide, self._guide.distance)
        self._found = found.detach()
        if not self._warned and bool((self._found == 1).any()):
            self._warned = True
            constant_activations(stacklevel=3)
        return self.alpha * (found.sum() if self.reduction == "sum" else found.mean())

    __call__ = loss

    def activations(self, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Layer -> activation (B, ...), of the target's last pass and of the guide on x."""
        target, guide = self._target.outputs(), self._guide.activations(x)
        self._pair(list(guide), list(target))
        return target, guide

    @property
    def distances_(self) -> dict[tuple[str, str], float]:
        """Distance of each pair in the last call."""
        if self._found is None:
            return {}
        return dict(zip(self.pairs_, self._found.tolist(), strict=True))

    def active(self, step: int) -> bool:
        """Whether step number `step` (from 0) is guided."""
        return self.steps is None or step < self.steps

    def close(self) -> None:
        """Remove all hooks; the target goes on as a plain network."""
        self._target.close()
        self._guide.close()

    def _pair(self, guide: list[str], target: list[str]) -> None:
        if not self.pairs_:
            self.pairs_ = layer_pairs(self.mapping, guide, target, self.duplicates)

    def __enter__(self) -> Guidance:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def check_options(
    mapping: Mapping, alpha: float, steps: int | None, reduction: str, duplicates: str
) -> None:
    """Refuse values outside what `Guidance` accepts."""
    if isinstance(mapping, str):
        if mapping != "uniform":
            raise ValueError(f"mapping must be 'uniform' or a list of pairs; got {mapping!r}.")
    elif not mapping or any(len(pair) != 2 or isinstance(pair, str) for pair in mapping):
        raise ValueError(
            f"mapping must be 'uniform' or a list of (guide layer, target layer); got {mapping!r}."
        )
    if not 0 <= alpha < float("inf"):
        raise ValueError(f"alpha must be a number >= 0; got {alpha!r}.")
    if steps is not None and (steps != int(steps) or steps < 0):
        raise ValueError(f"steps must be None or an integer >= 0; got {steps!r}.")
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction must be 'sum' or 'mean'; got {reduction!r}.")
    if duplicates not in ("all", "last"):
        raise ValueError(f"duplicates must be 'all' or 'last'; got {duplicates!r}.")
