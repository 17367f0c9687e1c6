"""Figures in words: metrics, gains, intervals, durations; one spelling on every page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

METRIC_TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log-loss",
    "auc": "AUC",
    "r2": "R²",
    "rmse": "RMSE",
}
_SHARES = {"accuracy", "balanced_accuracy"}
_NONE = "–"


def metric_title(name: str | None) -> str:
    """A metric's name as it is written in a sentence."""
    return METRIC_TITLES.get(name or "", (name or "score").replace("_", " "))


def count(value: Any) -> str:
    """A whole number with separators; other values as they are."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def number(value: Any, digits: int = 3) -> str:
    """A number with `digits` significant digits; a dash where there is none."""
    if not _known(value):
        return _NONE
    if value == 0:
        return "0"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return f"{value:.{digits - 1}e}" if abs(value) < 1e-4 else text.replace("-", "−")


def percent(value: Any, digits: int = 1) -> str:
    """A share as percent: 0.978 is `97.8 %`."""
    return f"{100 * value:.{digits}f} %".replace("-", "−") if _known(value) else _NONE


def score(value: Any, metric: str | None) -> str:
    """A metric's value: accuracies in percent, R², AUC and log-loss with three decimals."""
    if not _known(value):
        return _NONE
    if metric in _SHARES:
        return percent(value)
    return number(value, 4) if metric == "rmse" else f"{value:.3f}".replace("-", "−")


def gain(value: Any, metric: str | None) -> str:
    """A signed difference: accuracies in percentage points."""
    if not _known(value):
        return _NONE
    size = abs(value)
    if metric in _SHARES:
        text, unit = f"{100 * size:.1f}", " points"
    else:
        text, unit = number(size, 4) if metric == "rmse" else f"{size:.3f}", ""
    sign = "" if not text.strip("0.") else "−" if value < 0 else "+"
    return sign + text + unit


def span(interval: Sequence[Any] | None, metric: str | None) -> str:
    """An interval of a metric's values: `97.1 to 99.2 %`; empty where there is none."""
    if not interval or not all(_known(end) for end in interval):
        return ""
    low, high = (score(end, metric) for end in interval)
    return f"{low.removesuffix(' %')} to {high}"


def gain_span(interval: Sequence[Any] | None, metric: str | None) -> str:
    """An interval of signed differences: `+0.2 to +1.4`; empty where there is none."""
    if not interval or not all(_known(end) for end in interval):
        return ""
    low, high = (gain(end, metric).removesuffix(" points") for end in interval)
    return f"{low} to {high}"


def statistic(value: Any, unit: str | None = None, interval: Sequence[Any] | None = None) -> str:
    """A finding's statistic: `unit` is "percent", "points" (of a share), or a word put behind.

    Other numbers have as many decimals as give the width of their interval two digits.
    """
    if unit == "percent":
        return percent(value)
    if unit == "points":
        return gain(value, "accuracy")
    decimals = _decimals(interval)
    text = number(value) if decimals is None or not _known(value) else _fixed(value, decimals)
    return f"{text} {unit}" if unit and text != _NONE else text


def statistic_span(interval: Sequence[Any] | None, unit: str | None = None) -> str:
    """The interval of a finding's statistic; empty where there is none."""
    if not interval or not all(_known(end) for end in interval):
        return ""
    low, high = (statistic(end, unit, interval) for end in interval)
    for shared in (" %", " points", f" {unit}"):
        low = low.removesuffix(shared)
    return f"{low} to {high}"


def duration(seconds: Any) -> str:
    """Seconds as a person says them: `0.8 s`, `42 s`, `4 min 12 s`, `1 h 5 min`."""
    if not _known(seconds):
        return _NONE
    if seconds < 0.05:
        return "under 0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s".removesuffix(" 0 s")
    return f"{whole // 3600} h {whole % 3600 // 60} min".removesuffix(" 0 min")


def _decimals(interval: Sequence[Any] | None) -> int | None:
    if not interval or not all(_known(end) for end in interval) or interval[0] == interval[1]:
        return None
    return max(1 - math.floor(math.log10(abs(interval[1] - interval[0]))), 0)


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}".replace("-", "−")
    return text if text.strip("−0.,") else text.removeprefix("−")


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
