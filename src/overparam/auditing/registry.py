"""Findings and treatments register here; their pages are generated from what they register.

A *finding* asks one question about the user's data and answers with Evidence. A *treatment* is
anything that can be fitted and scored against the same baseline net on the same splits and seeds.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from overparam.evidence.errors import UserError

if TYPE_CHECKING:
    from overparam.auditing.answers import Answer
    from overparam.auditing.candidates import Candidate
    from overparam.auditing.context import Context
    from overparam.auditing.text_trials import Trials

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry:
    """What the report and the documentation say of a finding or treatment.

    `thresholds` maps a name to (value, reason): the page states what the code uses. Those of small
    `order` run first: what tells most for a second of training.
    """

    code: str
    id: str
    title: str
    paper: str | None
    thresholds: Mapping[str, tuple[float, str]]
    order: int
    function: Callable[..., Any] = field(repr=False)

    @property
    def page(self) -> str:
        """The docstring of the function: how detected, why it matters, what to do."""
        return (self.function.__doc__ or "").strip()


FINDINGS: dict[str, Entry] = {}
TEXT_FINDINGS: dict[str, Entry] = {}
TREATMENTS: dict[str, Entry] = {}


def _register(
    table: dict[str, Entry],
    code: str,
    id: str,
    title: str,
    paper: str | None,
    thresholds: Mapping[str, tuple[float, str]] | None,
    order: int,
) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        if code in table and table[code].function.__qualname__ != function.__qualname__:
            raise ValueError(f"code {code} is taken by {table[code].id}; got {id}.")
        table[code] = Entry(code, id, title, paper, dict(thresholds or {}), order, function)
        return function

    return decorate


def finding(
    code: str,
    id: str,
    *,
    title: str,
    paper: str | None = None,
    thresholds: Mapping[str, tuple[float, str]] | None = None,
    order: int = 0,
) -> Callable[[Callable[[Context], Answer]], Callable[[Context], Answer]]:
    """Register a function of the audit's context that answers one question."""
    return _register(FINDINGS, code, id, title, paper, thresholds, order)


def text_finding(
    code: str,
    id: str,
    *,
    title: str,
    paper: str | None = None,
    thresholds: Mapping[str, tuple[float, str]] | None = None,
) -> Callable[[Callable[[Trials], Answer]], Callable[[Trials], Answer]]:
    """Register a function of the models of a text that answers one question."""
    return _register(TEXT_FINDINGS, code, id, title, paper, thresholds, order=0)


def treatment(
    code: str,
    id: str,
    *,
    title: str,
    paper: str | None = None,
    thresholds: Mapping[str, tuple[float, str]] | None = None,
    order: int = 0,
) -> Callable[[Callable[[Context], Candidate]], Callable[[Context], Candidate]]:
    """Register a function of the audit's context that fits and scores one treatment."""
    return _register(TREATMENTS, code, id, title, paper, thresholds, order)


def load_all() -> None:
    """Import every module of `findings` and `treatments`, so that all are registered."""
    for room in ("findings", "treatments"):
        package = importlib.import_module(f"overparam.auditing.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    importlib.import_module("overparam.auditing.text_findings")


def chosen(
    table: Mapping[str, Entry], only: Iterable[str] = (), ignore: Iterable[str] = ()
) -> list[Entry]:
    """Entries in the order in which they run, filtered by codes or ids."""
    only, ignore = list(only), list(ignore)
    known = [name for e in (*FINDINGS.values(), *TREATMENTS.values()) for name in (e.code, e.id)]
    for argument, names in (("only", only), ("ignore", ignore)):
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise UserError(
                    f"{argument} must name codes such as OP001 or ids; got {name!r}.{hint}"
                )
    entries = sorted(table.values(), key=lambda e: (e.order, e.code))
    if only:
        entries = [e for e in entries if e.code in only or e.id in only]
    return [e for e in entries if e.code not in ignore and e.id not in ignore]
