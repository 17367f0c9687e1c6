"""A paper's claims as one HTML file: a verdict for each, with the figure, interval and picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from overparam.report.page import assemble

VERDICTS = {"holds": "holds", "fails": "fails", "inconclusive": "inconclusive", None: "no verdict"}
"""Verdicts in the order of a count, with their words; smoke scale gives none."""

VERDICT_SIGNS = {"holds": "✓", "fails": "▲", "inconclusive": "●", None: "–"}


def study_html(results: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The claims page of one study, self-contained as the audit's.

    Parameters
    ----------
    results : mapping
        What `overparam reproduce` writes: `title`, `slug`, `scale`, `seeds`, `versions`, `seconds`
        and `claims`, each with `id`, `sentence`, `verdict`, `parts`, and perhaps `figure` (an id or
        a list of ids), `table`, `error`.
    figures : mapping of str to Vega-Lite specification
        Charts by id; a part may name one under `figure` too.
    """
    claims = [claim_view(claim) for claim in results.get("claims", ())]
    counted = Counter(claim["verdict"] for claim in claims)
    context = {
        "results": results,
        "claims": claims,
        "chips": [
            (name, f"{counted[name]} {_counted_word(name, counted[name])}")
            for name in VERDICTS
            if counted[name]
        ],
        "words": VERDICTS,
        "signs": VERDICT_SIGNS,
    }
    return assemble("study.html.j2", figures, **context)


def _counted_word(verdict: str | None, number: int) -> str:
    word = VERDICTS[verdict]
    return word.removesuffix("s") if number != 1 and verdict in ("holds", "fails") else word


def claim_view(claim: Mapping[str, Any]) -> dict[str, Any]:
    """A claim with its figures as a list and each part's statistic and interval as numbers."""
    figure = claim.get("figure")
    ids = [figure] if isinstance(figure, str) else list(figure or ())
    parts = [part_view(part) for part in claim.get("parts", ())]
    ids += [part["figure"] for part in parts if part.get("figure") and part["figure"] not in ids]
    return {**claim, "verdict": claim.get("verdict"), "figures": ids, "parts": parts}


def part_view(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part with its statistic (a number, or {value, label, n}) and interval as numbers."""
    statistic, interval = part.get("statistic"), part.get("interval")
    if isinstance(statistic, Mapping):
        interval = interval or statistic.get("interval")
        part = {"label": statistic.get("label"), "n": statistic.get("n"), **part}
        statistic = statistic.get("value")
    if isinstance(interval, Mapping):
        interval = [interval.get("low"), interval.get("high")]
    return {**part, "statistic": statistic, "interval": interval, "verdict": part.get("verdict")}
