"""A candidate for the recommendation: its predictions on validation rows, and how to build it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
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
    """

    name: str
    title: str
    build: Build
    predictions: Sequence[np.ndarray] = field(repr=False)
    seconds: float
    setting: str = ""
