"""``overparam reproduce``: does a paper's claim hold when it is run here?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console


def reproduce(
    paper: str | None = None,
    /,
    *,
    claim: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    scale: Literal["smoke", "quick", "full", "long"] = "quick",
    backend: Literal["loky", "sequential", "dask", "ray"] = "loky",
    jobs: int | None = None,
    out: Path | None = None,
    strict: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Measure the claims of a paper; without PAPER, list papers and claims.

    Parameters
    ----------
    paper
        Name of the paper, such as temperature-scaling-limits.
    claim
        Only this claim, such as C3; may be repeated. The others keep their earlier results.
    scale
        smoke: seconds, no verdicts. quick: about a minute a claim on two cores.
        full: up to ten minutes a claim. long: whatever the paper asks for.
    backend
        Where cells run: processes of this machine, this process, or a dask or ray cluster
        (OVERPARAM_CACHE must then name a folder that all machines share).
    jobs
        Worker processes; as many as there are cores by default.
    out
        Folder for results and page; ./overparam-results/PAPER by default.
    strict
        Exit with 1 if a claim fails.
    """
    from overparam.commands.console import Console

    console = Console()
    if paper is None:
        _list(console)
        return 0

    from overparam.evidence.cell_settings import settings
    from overparam.evidence.errors import UserError
    from overparam.evidence.scale import SCALES
    from overparam.studies.discovery import load_study
    from overparam.studies.reproducing import estimate, plan
    from overparam.studies.reproducing import reproduce as run

    chosen = SCALES[scale]
    if strict and not chosen.verdicts:
        raise UserError("--strict must have verdicts; got --scale smoke. Take quick or full.")
    study = load_study(paper)
    planned = plan(study, chosen, claim)
    folder = out or Path("overparam-results") / study.slug
    with settings(backend=backend, jobs=jobs):
        console.print(f"{study.paper.title}\n{estimate(planned, chosen)}", highlight=False)
        results = run(study, chosen, claims=claim, out=folder, after=_tell)
    ran = {each.claim.id for each in planned}
    entries = [entry for entry in results["claims"] if entry["id"] in ran]
    return _show(console, {**results, "claims": entries}, folder, strict)


def _tell(entry: Mapping[str, Any]) -> None:
    """Say on stderr that a claim is done: the table comes when all are."""
    word = entry["verdict"] or entry["status"].replace("_", " ")
    print(f"{entry['id']}: {word} ({entry['seconds']:g} s)", file=sys.stderr)


def _show(console: Console, results: Mapping[str, Any], folder: Path, strict: bool) -> int:
    """Print the table and where the page lies; return the exit code."""
    from overparam.report.terminal import claims_table

    console.print(claims_table(results))
    scale, entries = results["scale"], results["claims"]
    console.print(str(folder / f"{scale}.html"), soft_wrap=True, highlight=False)
    if any(entry["status"] == "failed" for entry in entries):
        where = folder / f"{scale}.errors.txt"
        print(f"overparam: a part failed; {where} shows where", file=sys.stderr)
        return 3
    return int(strict and any(entry["verdict"] == "fails" for entry in entries))


def _list(console: Console) -> None:
    from rich.table import Table

    from overparam.evidence.papers import PAPERS
    from overparam.studies.discovery import claims, studied

    with_study = set(studied())
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for slug, paper in PAPERS.items():
        table.add_row(slug, paper.title if slug in with_study else f"{paper.title} (no study yet)")
        if slug in with_study:
            for id, sentence in claims(slug).items():
                table.add_row(f"  {id}", sentence)
    console.print(table, highlight=False)
