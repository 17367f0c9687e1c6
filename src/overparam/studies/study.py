"""A paper's claims as functions: a study module reads like a test file."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from overparam.evidence.papers import PAPERS, Paper
from overparam.evidence.scale import SCALES, Scale
from overparam.evidence.verdict import Evidence

# What a claim's function returns: one Evidence, or several by name.
Measured = Evidence | Mapping[str, Evidence]
Measure = Callable[[Scale], Measured]


@dataclass(frozen=True)
class Claim:
    """One claim of a paper.

    Attributes
    ----------
    id : str
        ``C1``, ``C2``, ...
    sentence : str
        The claim in one sentence, from the function's docstring.
    measure : callable
        Takes a `Scale`, returns `Evidence` or a mapping of names to `Evidence`.
    minutes : mapping of str to float
        What it takes on two cores, by the name of the scale, where known.
    """

    id: str
    sentence: str
    measure: Measure
    minutes: Mapping[str, float]


class Study:
    """The claims of one paper, in the order of their functions.

    Parameters
    ----------
    paper : str or Paper
        The paper's slug in `overparam.evidence.PAPERS`, or a paper that is not in it.

    Examples
    --------
    >>> study = Study("more-is-better")
    >>> @study.claim("C1", minutes={"quick": 1, "full": 8})
    ... def wider_is_not_worse(scale):
    ...     '''With the ridge tuned, adding features does not raise the test error.'''
    >>> study.claims["C1"].sentence
    'With the ridge tuned, adding features does not raise the test error.'
    """

    def __init__(self, paper: str | Paper) -> None:
        if isinstance(paper, str):
            if paper not in PAPERS:
                raise ValueError(f"paper must be the slug of one of the papers; got {paper!r}.")
            paper = PAPERS[paper]
        self.paper = paper
        self._claims: dict[str, Claim] = {}

    @property
    def slug(self) -> str:
        """The paper's name."""
        return self.paper.slug

    @property
    def claims(self) -> Mapping[str, Claim]:
        """Claims by id, in their order."""
        return MappingProxyType(self._claims)

    def claim(
        self, id: str, *, minutes: Mapping[str, float] | None = None
    ) -> Callable[[Measure], Measure]:
        """Register the function that measures a claim; its docstring is the claim's sentence.

        Parameters
        ----------
        id : str
            ``C`` and a number, once in a study.
        minutes : mapping of str to float, optional
            Measured minutes on two cores, by the name of the scale.
        """
        if not re.fullmatch(r"C\d+[a-z]?", id):
            raise ValueError(f"id must be C and a number, such as C1; got {id!r}.")
        if id in self._claims:
            raise ValueError(f"id must be new in {self.slug}; got {id!r} twice.")
        minutes = dict(minutes or {})
        if unknown := minutes.keys() - SCALES.keys():
            raise ValueError(f"minutes must be by scale ({', '.join(SCALES)}); got {unknown}.")

        def register(measure: Measure) -> Measure:
            doc = inspect.getdoc(measure)
            if not doc:
                raise ValueError(f"{id} must have a docstring: the claim in one sentence.")
            self._claims[id] = Claim(id, sentence(doc), measure, MappingProxyType(minutes))
            return measure

        return register


def sentence(docstring: str) -> str:
    """The claim in a function's docstring: its first paragraph on one line."""
    return " ".join(docstring.split("\n\n")[0].split())
