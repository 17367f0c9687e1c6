"""The metrics of the audit, each as a mean over rows.

A metric that is a mean of row scores has a standard error and can be compared pair by pair. Those
that are not means are linearised: each row carries the metric plus its influence on it, so that the
mean is the metric itself and the spread is that of its first-order expansion (for the area under
the curve these are the placements of DeLong et al. 1988).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from overparam.data.dataset import Dataset
from overparam.evidence.errors import UserError

TINY = 1e-12  # probabilities are clipped here, so that one row cannot make a log loss infinite


def _accuracy(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return (p.argmax(axis=1) == y).astype(float)


def _balanced_accuracy(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    count = np.bincount(y, minlength=p.shape[1])
    weight = len(y) / (np.count_nonzero(count) * np.maximum(count, 1))
    return weight[y] * _accuracy(y, p)


def _log_loss(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return -np.log(np.clip(p[np.arange(len(y)), y], TINY, None))


def _auc(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Area under the curve; the unweighted mean of one against rest for more than two classes."""
    present = [c for c in np.unique(y) if 0 < np.sum(y == c) < len(y)]
    if p.shape[1] == 2:
        present = [c for c in present if c == 1]
    if not present:
        return np.full(len(y), np.nan)
    return np.mean([_binary_auc(y == c, p[:, c]) for c in present], axis=0)


def _binary_auc(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    n, n_pos = len(score), int(positive.sum())
    n_neg = n - n_pos
    rank = rankdata(score)
    placement = np.empty(n)  # share of the other class on the right side of each row
    placement[positive] = (rank[positive] - rankdata(score[positive])) / n_neg
    placement[~positive] = 1 - (rank[~positive] - rankdata(score[~positive])) / n_pos
    area = placement[positive].mean()
    weight = np.where(positive, n / n_pos, n / n_neg)
    return area + weight * (placement - area)


def _r2(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    squares, spread = (y - p[:, 0]) ** 2, (y - y.mean()) ** 2
    variance = max(float(spread.mean()), TINY)
    unexplained = squares.mean() / variance
    return 1 - unexplained - (squares - unexplained * spread) / variance


def _rmse(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    squares = (y - p[:, 0]) ** 2
    rmse = np.sqrt(max(squares.mean(), TINY))
    return rmse + (squares - squares.mean()) / (2 * rmse)


@dataclass(frozen=True)
class Metric:
    """A metric: its rows, its direction, and how it is spelled.

    `rows(y, p)` gives one score a row, with the metric as their mean; `p` is (n, k) probabilities,
    or (n, 1) predictions for regression.
    """

    name: str
    title: str
    task: str
    greater_is_better: bool
    rows: Callable[[np.ndarray, np.ndarray], np.ndarray]
    range: tuple[float, float]  # least and greatest value that it can have

    @property
    def sign(self) -> int:
        """1 where greater is better, else -1: a gain is the metric times its sign."""
        return 1 if self.greater_is_better else -1

    def __call__(self, y: np.ndarray, p: np.ndarray) -> float:
        """The metric itself."""
        return float(self.rows(y, p).mean())

    def gains(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Row scores whose mean is better when greater."""
        return self.sign * self.rows(y, p)


_SHARE, _LOSS = (0.0, 1.0), (0.0, np.inf)
METRICS = {
    m.name: m
    for m in (
        Metric("accuracy", "accuracy", "classification", True, _accuracy, _SHARE),
        Metric(
            "balanced_accuracy",
            "balanced accuracy",
            "classification",
            True,
            _balanced_accuracy,
            _SHARE,
        ),
        Metric("log_loss", "log loss", "classification", False, _log_loss, _LOSS),
        Metric("auc", "area under the curve", "classification", True, _auc, _SHARE),
        Metric("r2", "R²", "regression", True, _r2, (-np.inf, 1.0)),
        Metric("rmse", "RMSE", "regression", False, _rmse, _LOSS),
    )
}
_DEFAULT = {"classification": "accuracy", "regression": "r2"}
_BESIDE = {
    "classification": ("accuracy", "balanced_accuracy", "log_loss"),
    "regression": ("r2", "rmse"),
}


def choose_metric(dataset: Dataset, name: str | None) -> Metric:
    """The metric that was asked for, or the task's usual one."""
    if name is None:
        return METRICS[_DEFAULT[dataset.task]]
    name = name.replace("-", "_")
    accepted = [m.name for m in METRICS.values() if m.task == dataset.task]
    if name not in accepted:
        raise UserError(
            f"metric must be one of {', '.join(accepted)} for {dataset.task}; got {name!r}."
        )
    return METRICS[name]


def also(metric: Metric, y: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """The other usual metrics of the same task, by name."""
    return {n: METRICS[n](y, p) for n in _BESIDE[metric.task] if n != metric.name}
