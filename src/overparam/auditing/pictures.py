"""The pictures of the report's tables: baselines and treatments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overparam.auditing.metric import Metric
from overparam.report import figures

Picture = tuple[dict[str, Any], dict[str, str]]  # a Vega-Lite specification; title and caption


def table_pictures(metric: Metric, document: Mapping[str, Any]) -> dict[str, Picture]:
    """Pictures of the tables that have rows, by the id that the page looks for."""
    pictures = {}
    if document["baselines"]:
        pictures["baselines"] = score_picture(metric.title, document["baselines"])
    if document["treatments"]:
        pictures["treatments"] = gain_picture(metric.title, document["treatments"])
    return pictures


def score_picture(metric: str, entries: list[dict[str, Any]]) -> Picture:
    """Baselines by their score."""
    rows = [
        {"model": e["title"], "score": e["validation"], **_ends(e["interval"])} for e in entries
    ]
    x_title = f"{metric} on validation rows"
    figure = figures.forest(rows, "model", "score", "low", "high", reference=None, x_title=x_title)
    return figure, {
        "title": "Models that a practitioner would try first",
        "caption": "Score on the validation rows with its 95 % interval.",
    }


def gain_picture(
    metric: str, entries: list[dict[str, Any]], reference: str = "the baseline net"
) -> Picture:
    """Treatments by their gain over `reference`."""
    rows = [
        {
            "treatment": e["title"],
            "difference": e["difference"],
            "verdict": e["verdict"],
            **_ends(e["interval"]),
        }
        for e in sorted(entries, key=lambda e: -e["difference"])
    ]
    figure = figures.forest(
        rows,
        "treatment",
        "difference",
        "low",
        "high",
        color="verdict",
        x_title=f"gain in {metric} over {reference}",
    )
    return figure, {
        "title": f"Gain over {reference}",
        "caption": "To the right is better; intervals are corrected for their number.",
    }


def _ends(interval: list[float]) -> dict[str, float]:
    return {"low": interval[0], "high": interval[1]}
