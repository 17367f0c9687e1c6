"""`overparam audit`: will models with more parameters than rows generalise on this data?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]


def audit(
    data: str,
    /,
    *,
    target: str | None = None,
    task: Literal["classification", "regression", "language"] | None = None,
    group: str | None = None,
    time: str | None = None,
    test: str | None = None,
    metric: str | None = None,
    budget: str = "5m",
    only: str | None = None,
    ignore: str | None = None,
    drop: str | None = None,
    rare: Literal["drop", "merge"] | None = None,
    model: str | None = None,
    out: Path | None = None,
    seed: int = 0,
    jobs: int | None = None,
    backend: Literal["loky", "sequential", "dask", "ray"] = "loky",
    refit: bool = True,
    fresh: Flag = False,
    fail_on: Literal["issue", "tip"] | None = None,
    quiet: Flag = False,
    open: Flag = False,
    vocabulary: int | None = None,
) -> int:
    """Audit a labelled data set and recommend a model for it.

    Parameters
    ----------
    data
        A CSV, TSV, Parquet, Arrow, Feather or .npz file, a folder of images with a sub-folder for
        each class, a folder of IDX files, or the name of an embedded set such as digits; with
        --task language a text file, gcide or python-topics.
    target
        The column to predict.
    task
        Overrides what the target's values suggest; language audits a text file.
    group
        Column whose rows must stay on one side of every split (patients, users).
    time
        Column of dates or numbers: the past predicts the future.
    test
        A second source whose rows are the test part.
    metric
        accuracy, balanced_accuracy, log_loss, auc, r2 or rmse.
    budget
        Wall-clock time, such as 90s, 5m or 1h30m.
    only
        Codes or ids of findings and treatments to run, with commas between.
    ignore
        Codes or ids to leave out, with commas between.
    drop
        Columns to leave out, with commas between.
    rare
        What to do with classes of fewer than 5 rows.
    model
        Your own architecture, package.module:factory, audited beside the others.
    out
        Folder of the report; ./overparam-NAME by default. An interrupted audit goes on there.
    seed
        Seed of splits and nets.
    jobs
        Processes; the number of cores by default.
    backend
        Where cells run.
    refit
        Save the model refitted on all labelled rows; --no-refit keeps the one that was measured.
    fresh
        Forget what is in the folder and start over.
    fail_on
        Exit with 1 where a finding has this outcome or a worse one.
    quiet
        Print nothing but errors.
    open
        Show the report in the browser.
    vocabulary
        Of a text: byte pairs to learn; by default a token is a character.
    """
    from rich.console import Console

    from overparam.auditing.running import audit as run
    from overparam.report.terminal import audit_summary

    def say(text: str) -> None:
        if not quiet:
            print(text, flush=True)

    result = run(
        data,
        model=model,
        target=target,
        task=task,
        group=group,
        time=time,
        test=test,
        metric=metric,
        budget=budget,
        only=_listed(only),
        ignore=_listed(ignore),
        drop=_listed(drop),
        rare=rare,
        out=out,
        seed=seed,
        jobs=jobs,
        backend=backend,
        refit=refit,
        fresh=fresh,
        progress=not quiet,
        say=say,
        vocabulary=vocabulary,
    )
    if not quiet:
        console = Console()
        summary = audit_summary(result.report, folder=str(result.folder), width=console.width)
        console.print(summary, soft_wrap=True)
    for failure in result.failed:
        print(f"overparam: failed: {failure}", file=sys.stderr)
    if open:
        result.open()
    if result.failed:
        return 3
    worst = {"issue": {"issue"}, "tip": {"issue", "tip"}}.get(fail_on or "", set())
    return int(any(entry["outcome"] in worst for entry in result.report["findings"]))


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()
