"""The audit's report as one HTML file: what to do first, then why, then everything behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from overparam.report.page import assemble

OUTCOMES = {
    "issue": "issue",
    "tip": "tip",
    "fine": "fine",
    "not_applicable": "not applicable",
    "not_run": "not run",
}
"""Outcomes in the order of the page, with their words."""

SIGNS = {"issue": "▲", "tip": "●", "fine": "✓", "not_applicable": "–", "not_run": "○"}
"""A sign beside each colour, for those who do not see it."""


def audit_html(document: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The report as one self-contained HTML page of less than 3 MB.

    Parameters
    ----------
    document : mapping
        The content of `report.json`; see `report.document`. Keys that are not required may lack.
    figures : mapping of str to Vega-Lite specification
        Charts by the ids that findings name under `figure`; further ids `treatments` and
        `baselines` are shown in those sections, and any other at the end of the data section.

    Returns
    -------
    str
        The page. Its `<html>` element tells a test what happened in the browser: `data-figures`,
        `data-rendered` (numbers) and `data-errors` (a JSON list of messages).
    """
    return assemble("audit.html.j2", figures, **view(document, figures))


def view(document: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates need beside the document: order, counts, positions of bars."""
    findings = sorted(
        document.get("findings", ()), key=lambda finding: list(OUTCOMES).index(finding["outcome"])
    )
    counted = Counter(finding["outcome"] for finding in findings)
    used = {finding.get("figure") for finding in findings} | {"treatments", "baselines"}
    used |= {name for finding in findings for name in finding.get("pictures", ())}
    return {
        "document": document,
        "data": document.get("data", {}),
        "findings": findings,
        "chips": [(name, counted[name]) for name in OUTCOMES if counted[name]],
        "words": OUTCOMES,
        "signs": SIGNS,
        "strip": strip(document.get("recommendation") or {}),
        "other_figures": [name for name in figures if name not in used],
        "captions": document.get("figures", {}),
        "class_share": _class_share(document.get("data", {}).get("classes", ())),
        "also": sorted(
            {name for row in document.get("baselines", ()) for name in row.get("also", ())}
        ),
        "roles": Counter(dict(document.get("data", {}).get("roles", {})).values()).most_common(),
    }


def strip(recommendation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The recommendation beside the best baseline on one axis, in percent of its width."""
    rows: list[dict[str, Any]] = [
        {
            "label": "recommended",
            "value": recommendation.get("test"),
            "interval": recommendation.get("interval"),
        },
        {
            "label": recommendation.get("best_baseline_title")
            or recommendation.get("best_baseline"),
            "value": recommendation.get("best_baseline_test"),
            "interval": recommendation.get("best_baseline_interval"),
        },
    ]
    rows = [row for row in rows if isinstance(row["value"], int | float)]
    ends = [end for row in rows for end in (row["value"], *(row["interval"] or ()))]
    if len(rows) < 2 or max(ends) == min(ends):
        return []
    room = 0.06 * (max(ends) - min(ends))
    low, width = min(ends) - room, max(ends) - min(ends) + 2 * room

    def place(value: float) -> float:
        return round(100 * (value - low) / width, 2)

    for row in rows:
        row["at"] = place(row["value"])
        if row["interval"]:
            row["from"], row["to"] = (place(end) for end in row["interval"])
    return rows


def _class_share(classes: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, float]]:
    """Name, rows and percent of the largest class, in the given order."""
    most = max((entry.get("rows", 0) for entry in classes), default=0) or 1
    return [
        (str(entry.get("name")), entry.get("rows", 0), round(100 * entry.get("rows", 0) / most, 1))
        for entry in classes
    ]
