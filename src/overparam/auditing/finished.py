"""A finished audit, recalled whole: the same command again reads it and computes nothing.

It is recalled where the question is the same to the last letter - data, options, code, libraries -
and all that was written still lies there as it was. Otherwise an audit goes its usual way, on which
its cells spare what is done. What had a failure is not remembered: it is tried again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from overparam.auditing.outcome import Audit
from overparam.auditing.versions import versions
from overparam.data.dataset import Dataset
from overparam.data.fingerprint import fingerprint
from overparam.evidence.atomic_write import write_whole

KEPT = Path(".cells", "finished.json")
WRITTEN = ("plan.json", "report.json", "report.html", "rows.csv", "rows-test.csv")
MODEL = "model"
PACKAGE = Path(__file__).resolve().parents[1]
# Parts of a Dataset that its fingerprint stands for.
_FINGERPRINTED = {"frame", "array", "y", "row", "group", "time", "test_rows"}
_FINGERPRINTED |= {"unlabelled", "unlabelled_row"}


def question_of(*parts: Any) -> str:
    """SHA-256 of what an audit depends on.

    Parameters
    ----------
    *parts
        What was asked, of what: a Dataset, and anything whose `repr` tells its content.
    """
    told = [_told(part) for part in parts]
    return fingerprint([told, versions(), _code()])


def recalled(folder: Path, question: str, say: Callable[[str], None] | None) -> Audit | None:
    """The finished audit of the same question in a folder; None where it must run.

    Costs reading the files of the audit once.
    """
    try:
        known = json.loads((folder / KEPT).read_text("utf-8"))
        if known["question"] != question or known["files"] != dict(_digests(folder)):
            return None
        opening, figures = known["opening"], known["figures"]
        report = json.loads((folder / "report.json").read_text("utf-8"))
    except (OSError, ValueError, KeyError, TypeError):  # none, or not ours
        return None
    if say is not None:
        say(opening)
        say("finished before, and nothing has changed: the same report (--fresh starts over)")
    return Audit(report, folder, figures, [])


def remember(audit: Audit, question: str, opening: str) -> None:
    """Keep what `recalled` needs.

    Parameters
    ----------
    opening : str
        What an audit says first.
    """
    known = {
        "question": question,
        "opening": opening,
        "files": dict(_digests(audit.folder)),
        "figures": audit.figures,
    }
    (audit.folder / KEPT).parent.mkdir(parents=True, exist_ok=True)
    write_whole(audit.folder / KEPT, json.dumps(known) + "\n")


def _told(part: Any) -> str:
    if not isinstance(part, Dataset):
        return repr(part)
    rest = {f.name: getattr(part, f.name) for f in fields(part) if f.name not in _FINGERPRINTED}
    return f"{part.fingerprint} {rest!r}"


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    """(name, SHA-256) of every file that an audit writes for its reader."""
    paths = [folder / name for name in WRITTEN]
    paths += sorted(path for path in (folder / MODEL).rglob("*") if path.is_file())
    for path in paths:
        if path.exists():
            with path.open("rb") as file:
                yield (
                    path.relative_to(folder).as_posix(),
                    hashlib.file_digest(file, "sha256").hexdigest(),
                )


def _code() -> dict[str, str]:
    """SHA-256 of every file of this package, by its place."""
    return {
        path.relative_to(PACKAGE).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and path.parent.name != "__pycache__"  # files there come and go
    }
