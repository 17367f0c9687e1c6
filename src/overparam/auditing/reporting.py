"""Writing report.json and report.html."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overparam.data.fingerprint import fingerprint
from overparam.evidence.atomic_write import write_whole
from overparam.report.audit_page import audit_html
from overparam.report.document import validate


def write_report(
    folder: Path, document: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]]
) -> None:
    """Check the document against its contract, and write it and its page.

    The page is made of the document and the figures: the same ones again need no new page, unless
    what lies there was edited.
    """
    validate(document)
    content, page = folder / "report.json", folder / "report.html"
    text = json.dumps(document, indent=1) + "\n"
    made_of = fingerprint([text, dict(figures)])
    mark = folder / ".cells" / "page"
    if not (page.exists() and mark.exists() and mark.read_text("utf-8") == _mark(made_of, page)):
        write_whole(page, audit_html(document, figures))
        mark.parent.mkdir(parents=True, exist_ok=True)
        write_whole(mark, _mark(made_of, page))
    if not (content.exists() and content.read_text("utf-8") == text):
        write_whole(content, text)


def _mark(made_of: str, page: Path) -> str:
    """What a page was made of, and what it is."""
    return f"{made_of} {hashlib.sha256(page.read_bytes()).hexdigest()}"
