"""`audit(TEXT, task="language")`: read the text, and either recall a finished audit or run one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from overparam.auditing.budget import parse_duration
from overparam.auditing.finished import question_of, recalled, remember
from overparam.auditing.options import checked_jobs, checked_seed
from overparam.auditing.outcome import Audit
from overparam.auditing.output_folder import empty, output_folder, refuse_file
from overparam.auditing.text_plan import MOST_HELD, followed, make_text_plan, recorded_plan
from overparam.data import text
from overparam.evidence.errors import UserError


def audit_text(
    source: str | Path,
    *,
    vocabulary: int | None = None,
    budget: str | float = "5m",
    out: str | Path | None = None,
    seed: int = 0,
    jobs: int | None = None,
    backend: str = "loky",
    fresh: bool = False,
    progress: bool = True,
    say: Callable[[str], None] | None = None,
) -> Audit:
    """Audit a running text; see `auditing.running.audit`.

    Parameters
    ----------
    source : path or str
        A text file, "gcide" or "python-topics".
    vocabulary : int, optional
        Byte pairs to learn; by default a token is a character.

    Returns
    -------
    Audit

    Raises
    ------
    UserError
        A mistake that the user can mend, in one line.
    """
    processes = checked_jobs(jobs)
    folder = output_folder(out, Path(source).stem)
    refuse_file(folder)
    if not fresh:
        recorded_plan(folder)  # before a long text is read
    existed = folder.exists()
    try:
        tokens, alphabet = text.load(source, folder / ".tokens", vocabulary=vocabulary)
        start = text.held_out_start(len(tokens), MOST_HELD)
        plan = make_text_plan(
            str(source),
            tokens,
            len(alphabet),
            start=start,
            vocabulary=vocabulary,
            budget=parse_duration(budget),
            seed=checked_seed(seed),
            jobs=processes,
        )
    except (UserError, ValueError):
        if not existed:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if fresh:
        empty(folder)
        for name in ("rows.csv", "rows-test.csv"):  # of a table
            (folder / name).unlink(missing_ok=True)
    plan = followed(plan, folder, fresh)
    told = alphabet if isinstance(alphabet, str) else alphabet.to_json()
    question = question_of(plan.to_json(), told)
    if not fresh and (known := recalled(folder, question, say)):
        return known

    from overparam.auditing.text_audit import follow_text

    result, opening = follow_text(
        plan,
        tokens,
        alphabet,
        folder,
        start=start,
        jobs=processes,
        backend=backend,
        progress=progress,
        say=say,
    )
    if not result.failed:
        remember(result, question, opening)
    return result
