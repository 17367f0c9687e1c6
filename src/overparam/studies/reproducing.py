"""Run a study: its claims in order, each measured, judged and written down at once."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overparam.evidence import cells
from overparam.evidence.cell_keys import versions
from overparam.evidence.errors import UserError
from overparam.evidence.scale import Scale
from overparam.evidence.verdict import Evidence, Verdict, combine
from overparam.studies.results_file import (
    SCHEMA_VERSION,
    plain,
    read_figures,
    read_results,
    write_page,
    write_results,
)
from overparam.studies.study import Claim, Study
from overparam.version import __version__

# At full scale, in minutes on two cores. What takes longer belongs to the scale "long".
MINUTES_A_CLAIM = 10.0
MINUTES_A_PAPER = 40.0

Report = dict[str, Any]


@dataclass(frozen=True)
class Planned:
    """A claim that a run will measure, or the reason why not."""

    claim: Claim
    minutes: float | None
    not_run: str | None = None


def plan(study: Study, scale: Scale, ids: Sequence[str] = ()) -> list[Planned]:
    """Return which claims will run at `scale`, with their estimates.

    Parameters
    ----------
    study : Study
        The paper's claims.
    scale : Scale
        What may be spent.
    ids : sequence of str
        The claims wanted, all by default.

    Raises
    ------
    UserError
        For a claim that the study does not have.
    """
    wanted = [each.upper() for each in ids]
    known = {id.upper(): id for id in study.claims}
    for given, id in zip(ids, wanted, strict=True):
        if id not in known:
            raise UserError(f"--claim must be one of {', '.join(study.claims)}; got {given!r}.")
    planned, total = [], 0.0
    for id, claim in study.claims.items():
        if wanted and id.upper() not in wanted:
            continue
        minutes = claim.minutes.get(scale.name)
        reason = None
        if scale.name == "full" and minutes is not None:
            if minutes > MINUTES_A_CLAIM:
                reason = f"takes {minutes:g} minutes, more than {MINUTES_A_CLAIM:g}"
            elif total + minutes > MINUTES_A_PAPER:
                reason = f"the paper's {MINUTES_A_PAPER:g} minutes are spent"
            else:
                total += minutes
        planned.append(Planned(claim, minutes, reason and f"not run: {reason}; --scale long does"))
    return planned


def estimate(planned: Sequence[Planned], scale: Scale) -> str:
    """Return the plan's cost in one line, for the reader to see before it starts."""
    runs = [each for each in planned if each.not_run is None]
    known = [each.minutes for each in runs if each.minutes is not None]
    count = f"{len(runs)} claim{'s' if len(runs) != 1 else ''} at {scale.name} scale"
    if scale.name == "smoke":
        return f"{count}: seconds, without verdicts"
    open_ = len(runs) - len(known)
    rest = f" and {open_} without an estimate" if known and open_ else ""
    cost = f"about {sum(known):.3g} minutes on two cores" if known else "no estimate"
    return f"{count}: {cost}{rest}"


def reproduce(
    study: Study,
    scale: Scale,
    *,
    claims: Sequence[str] = (),
    out: str | Path | None = None,
    after: Callable[[Report], None] | None = None,
) -> Report:
    """Measure a study's claims and write the results after each of them.

    Parameters
    ----------
    study : Study
        The paper's claims.
    scale : Scale
        What may be spent.
    claims : sequence of str
        The claims wanted, all by default. Others keep what an earlier run at this scale found.
    out : path, optional
        Folder for ``SCALE.json``, ``SCALE.figures.json``, ``SCALE.html`` and, where a claim
        failed, ``SCALE.errors.txt``; nothing is written without it.
    after : callable, optional
        Called with each claim's entry once it is measured.

    Returns
    -------
    dict
        What stands in ``SCALE.json``: ``schema_version``, ``slug``, ``title``, ``scale``,
        ``seeds``, ``versions``, ``seconds`` and ``claims``.

    Notes
    -----
    An entry's ``status`` is ``measured``, ``not_run`` or ``failed``. A claim whose cells or
    function raised is ``failed`` and ``inconclusive``, the reason under ``error``; the others go
    on. Where cells run and are kept: `overparam.evidence.cells.settings`. A run that was stopped
    starts again from the cells that it finished.
    """
    folder = None if out is None else Path(out)
    planned = plan(study, scale, claims)
    if folder is not None:  # a folder that cannot be written is told before anything is measured
        folder.mkdir(parents=True, exist_ok=True)
    earlier = (read_results(folder, scale.name) if folder else None) or {}
    figures = read_figures(folder, scale.name) if folder and earlier else {}
    same = earlier.get("slug") == study.slug and earlier.get("seeds") == list(scale.seeds)
    entries = {entry["id"]: entry for entry in earlier.get("claims", ()) if same}
    results: Report = {}
    errors = ""
    try:
        for each in planned:
            entry, pictures, trace = _measure(each, scale)
            id = entry["id"]
            entries[id] = plain(entry)
            figures = {k: v for k, v in figures.items() if k.split(".")[0] != id} | pictures
            results = _document(study, scale, entries)
            if trace:
                errors += f"{id}\n{trace}\n"
            if folder is not None:
                write_results(folder, results, figures, errors)
            if after is not None:
                after(entries[id])
    finally:  # also when interrupted: the page shows what was measured so far
        if folder is not None and results:
            write_page(folder, results, figures)
    return results


def _document(study: Study, scale: Scale, entries: Mapping[str, Report]) -> Report:
    ordered = [entries[id] for id in study.claims if id in entries]
    return {
        "schema_version": SCHEMA_VERSION,
        "slug": study.slug,
        "title": study.paper.title,
        "scale": scale.name,
        "seeds": list(scale.seeds),
        "versions": {"overparam": __version__, **versions()},
        "seconds": round(sum(entry["seconds"] for entry in ordered), 1),
        "claims": ordered,
    }


def _measure(planned: Planned, scale: Scale) -> tuple[Report, dict[str, Any], str]:
    """Return a claim's entry, its charts by id, and the traceback if it failed."""
    claim = planned.claim
    entry: Report = {"id": claim.id, "sentence": claim.sentence, "verdict": None, "parts": []}
    entry |= {"figure": None, "seconds": 0.0, "table": [], "error": planned.not_run}
    if planned.not_run is not None:
        return {**entry, "status": "not_run"}, {}, ""
    started = time.perf_counter()
    try:
        with cells.metered() as meter:
            parts = _parts(claim, scale)
    except Exception as error:
        entry["error"] = _reason(error)
        entry["verdict"] = str(Verdict.INCONCLUSIVE) if scale.verdicts else None
        return {**entry, "status": "failed"}, {}, _trace(error)
    # Recorded seconds, so that a second run from the cache tells what the first one cost.
    entry["seconds"] = round(meter.seconds or time.perf_counter() - started, 1)
    if scale.verdicts:
        entry["verdict"] = str(combine(parts))
    pictures = {}
    for name, part in parts.items():
        record = {"name": name, **part.to_dict(), "figure": None}
        if not scale.verdicts:
            record["verdict"] = None
        if part.figure is not None:
            record["figure"] = f"{claim.id}.{name}" if name else claim.id
            pictures[record["figure"]] = part.figure
        entry["parts"].append(record)
        entry["table"] += [{"part": name, **row} if name else row for row in part.table.to_dicts()]
    entry["figure"] = next(iter(pictures), None)
    return {**entry, "status": "measured"}, pictures, ""


def _parts(claim: Claim, scale: Scale) -> Mapping[str, Evidence]:
    measured = claim.measure(scale)
    parts = {"": measured} if isinstance(measured, Evidence) else measured
    if not isinstance(parts, Mapping) or not parts:
        raise TypeError(
            f"{claim.id} must return Evidence or a mapping of it; got {type(measured).__name__}."
        )
    for name, part in parts.items():
        if scale.verdicts and not part.exact and part.statistic.n < len(scale.seeds):
            raise ValueError(
                f"{claim.id} {name} must rest on at least {len(scale.seeds)} values at "
                f"{scale.name} scale; got {part.statistic.n}.".replace("  ", " ")
            )
    return parts


def _reason(error: Exception) -> str:
    if isinstance(error, (cells.CellsFailed, UserError)):  # their text speaks for itself
        return str(error)
    return " ".join(f"{type(error).__name__}: {error}".split())


def _trace(error: Exception) -> str:
    if isinstance(error, cells.CellsFailed):
        return error.failures[0].traceback
    return "".join(traceback.format_exception(error))
