"""Turning predictions of many nets into the statistics that findings report."""

from __future__ import annotations

import numpy as np

from overparam.auditing.comparison import Difference, crossed
from overparam.auditing.context import Context
from overparam.auditing.net_cells import views
from overparam.evidence.intervals import Interval, Statistic

METHOD = "t over seeds and rows"


def gains(context: Context, logits: np.ndarray) -> np.ndarray:
    """Row gains (..., n) on the first split's validation rows of logits (..., n, k)."""
    y = context.validation(0)
    p = context.probabilities(logits)
    flat = p.reshape(-1, *p.shape[-2:])
    rows = np.stack([context.metric.gains(y, one) for one in flat])
    return rows.reshape(*p.shape[:-1])


def held_losses(context: Context, logits: np.ndarray) -> np.ndarray:
    """Log loss or squared error (..., n) of logits (..., n, k) on the first split's held-out tenth.

    What tunes a value; the validation rows then measure what the tuning has brought.
    """
    y = held_targets(context)
    p = context.probabilities(logits)
    if not context.classification:
        return (p[..., 0] - y) ** 2
    label = np.take_along_axis(p, np.broadcast_to(y[:, None], (*p.shape[:-1], 1)), axis=-1)
    return -np.log(np.clip(label[..., 0], 1e-12, None))


def held_loss(context: Context, logits: np.ndarray) -> np.ndarray:
    """Mean (...,) of `held_losses`."""
    return held_losses(context, logits).mean(axis=-1)


def held_targets(context: Context, index: int = 0) -> np.ndarray:
    """Targets of the index-th split's held-out tenth."""
    return views(context.dataset, context.split_keys[index], context.recipe.rows)[1].y


def statistic(difference: Difference, label: str, n: int) -> Statistic:
    """A difference as the statistic of Evidence, with its 95 % interval."""
    low, high = difference.interval()
    return Statistic(difference.value, Interval(low, high, method=METHOD), label, n)


def margin(context: Context, share: float) -> float:
    """A threshold of a finding in the unit of the metric.

    Shares, R2 and log loss take it as it is; an RMSE has the target's unit, so that it is counted
    in standard deviations of the training targets.
    """
    return share * (
        float(np.std(context.splits[0].train.y)) if context.metric.name == "rmse" else 1.0
    )


def mean_with_interval(scores: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % interval of scores (S, n) over seeds and rows."""
    difference = crossed(scores)
    return difference.value, *difference.interval()


def score_with_interval(context: Context, scores: np.ndarray) -> dict[str, float]:
    """The metric itself, `score`, and its ends `low` and `high`, of gains (S, n): a chart's row.

    Ends are cut off at what the metric can be: two seeds alone have intervals far beyond.
    """
    value, *ends = (context.metric.sign * v for v in mean_with_interval(scores))
    least, greatest = context.metric.range
    return {"score": value, "low": max(min(ends), least), "high": min(max(ends), greatest)}


def points(context: Context, value: float) -> str:
    """A difference of the metric in words: percentage points for shares, else plain."""
    if context.metric.name in ("accuracy", "balanced_accuracy", "auc"):
        rounded = round(100 * value, 1) + 0.0  # no -0.0
        return f"{rounded:.1f} points of {context.metric.title}"
    return f"{value:.3g} in {context.metric.title}"
