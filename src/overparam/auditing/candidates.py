"""A candidate for the recommendation: its predictions on validation rows, and how to build it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from overparam.auditing.recipes import Recipe, from_dict


@dataclass(frozen=True)
class Build:
    """How a candidate is made from parts; plain values, so that it can be a cell's argument.

    Attributes
    ----------
    recipe : Recipe or None
        The nets, if it has any; their probabilities are averaged over `members` seeds.
    members : int
        Number of nets.
    temperature : bool
        Divide each net's logits by a temperature fitted on the held-out tenth.
    downweight : bool
        Give training rows with suspected labels a smaller weight.
    baseline : str or None
        A baseline; together with nets, the two are averaged.
    """

    recipe: Recipe | None = None
    members: int = 0
    temperature: bool = False
    downweight: bool = False
    baseline: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def with_rows(self, rows: int) -> Build:
        """The same with another number of training rows for the nets."""
        assert self.recipe is not None
        return replace(self, recipe=self.recipe.but(rows=rows))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Build:
        """The inverse of `as_dict`."""
        recipe = from_dict(values["recipe"]) if values["recipe"] else None
        return cls(**{**values, "recipe": recipe})


@dataclass(frozen=True)
class Candidate:
    """Something that could be recommended.

    Attributes
    ----------
    predictions : sequence of ndarray
        For every split (S, n_validation, k): probabilities or predictions, one a seed.
    seconds : float
        Seconds of one thread to fit it once on one split.
    setting : str
        What was chosen for it, in words.
    nets, nets_on_test, baseline
        Weights of its nets (as `final_fits.Parts` holds them) with their mean prediction of the
        test rows, and the baseline in the skops format: both fitted on the first split's training
        rows, where they were kept.
    """

    name: str
    title: str
    build: Build
    predictions: Sequence[np.ndarray] = field(repr=False)
    seconds: float
    setting: str = ""
    nets: Mapping[str, Any] = field(default_factory=dict, repr=False)
    nets_on_test: np.ndarray | None = field(default=None, repr=False)
    baseline: bytes | None = field(default=None, repr=False)
