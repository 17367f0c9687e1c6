"""The folder of an audit: whether it may be used, and how it is emptied for a fresh start."""

from __future__ import annotations

import shutil
from pathlib import Path

from overparam.evidence.errors import UserError


def output_folder(out: str | Path | None, name: str) -> Path:
    """The folder that was asked for, or `overparam-NAME` in the working folder."""
    return Path(out) if out is not None else Path(f"overparam-{name}")


def refuse_file(folder: Path) -> None:
    """Raise UserError where the folder is a file."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"out must be a folder; got the file {str(folder)!r}.")


def empty(folder: Path) -> None:
    """Remove the cells and the model of an earlier audit."""
    for part in (".cells", "model"):
        shutil.rmtree(folder / part, ignore_errors=True)


def another_kind(folder: Path) -> UserError:
    """The error for a plan that this kind of audit cannot follow."""
    return UserError(
        f"out holds an audit of another kind or by another version; {str(folder)!r} does. "
        "Choose another --out, or --fresh to start over."
    )
