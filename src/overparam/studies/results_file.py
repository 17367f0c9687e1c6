"""The results of a study on disk: JSON claim by claim, charts, and the page made of both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overparam.evidence.atomic_write import write_whole
from overparam.evidence.plain_json import plain

SCHEMA_VERSION = 1


def read_results(folder: Path, scale: str) -> dict[str, Any] | None:
    """Return what an earlier run left at `scale`, or None where there is nothing readable."""
    try:
        document = json.loads((folder / f"{scale}.json").read_text())
    except (OSError, ValueError):
        return None
    return document if document.get("schema_version") == SCHEMA_VERSION else None


def read_figures(folder: Path, scale: str) -> dict[str, Any]:
    """Return the charts of an earlier run at `scale` by id."""
    try:
        return json.loads((folder / f"{scale}.figures.json").read_text())
    except (OSError, ValueError):
        return {}


def write_results(
    folder: Path, results: Mapping[str, Any], figures: Mapping[str, Any], errors: str = ""
) -> None:
    """Write ``SCALE.json`` and ``SCALE.figures.json``, each of them whole or not at all.

    `errors`, the tracebacks of this run, go into ``SCALE.errors.txt``; without any it is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scale = results["scale"]
    write_whole(folder / f"{scale}.figures.json", json.dumps(plain(figures), allow_nan=False))
    text = json.dumps(plain(results), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(folder / f"{scale}.json", f"{text}\n")
    if errors:
        write_whole(folder / f"{scale}.errors.txt", errors)
    else:
        (folder / f"{scale}.errors.txt").unlink(missing_ok=True)


def write_page(folder: Path, results: Mapping[str, Any], figures: Mapping[str, Any]) -> Path:
    """Write ``SCALE.html``, the page with pictures, and return its path."""
    from overparam.report.study_page import study_html

    path = folder / f"{results['scale']}.html"
    write_whole(path, study_html(results, figures))
    return path
