"""The tilt of a linear classifier along its levels of regularisation (arXiv 1608.07690).

Weak regularisation lets the boundary turn along directions in which the data hardly vary. That
costs margin and, past some level, accuracy as well: the recommended level is the strongest one that
is as accurate as the best, within one standard error of its validation error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from overparam.diagnostics.class_scatter import binary, finite_rows
from overparam.diagnostics.deviation_angle import deviation
from overparam.diagnostics.linear_boundary import coefficients, unit_normal


@dataclass(frozen=True)
class RegularizationPath:
    """What each level of regularisation does.

    Attributes
    ----------
    table : polars.DataFrame
        A row a level, from the strongest regularisation on: `strength` (as given),
        `validation_error`, `training_error`, `angle` (degrees), `adversarial_strength`,
        `relative_distance` (median distance of validation rows over half the distance of the
        training means).
    best : float
        The level of least validation error; the strongest of several.
    recommended : float
        The strongest level within one standard error of the best.
    models : tuple
        The fitted classifiers.
    """

    table: pl.DataFrame
    best: float
    recommended: float
    models: tuple[Any, ...]

    def at(self, strength: float) -> dict[str, float]:
        """The table's row of a level."""
        return dict(self.table.row(self._place(strength), named=True))

    def model(self, strength: float) -> Any:
        """The classifier fitted at a level."""
        return self.models[self._place(strength)]

    def _place(self, strength: float) -> int:
        known = self.table["strength"].to_list()
        if strength not in known:
            raise ValueError(f"strength must be one of {known}; got {strength!r}.")
        return known.index(strength)


def regularization_path(
    make_classifier: Callable[[float], Any],
    strengths: Sequence[float],
    X: Any,
    y: Any,
    X_val: Any,
    y_val: Any,
) -> RegularizationPath:
    """Fit a linear classifier at several levels of regularisation and measure its tilt.

    Parameters
    ----------
    make_classifier : callable
        From a level to an unfitted binary classifier that will have `coef_` and `intercept_`. One
        with `warm_start` starts where the level before it ended.
    strengths : sequence of float
        From the strongest regularisation to the weakest: rising for scikit-learn's C, falling for
        a penalty. C multiplies a *sum* of losses: ``C=c / len(X)`` makes levels c comparable
        between data of different size. Start above c = 0.1: below, the free intercept fails.
    X, X_val : array-like of shape (n, d), (n_val, d)
        Rows to fit, and rows to judge by.
    y, y_val : array-like of shape (n,), (n_val,)
        The same two labels.

    Returns
    -------
    RegularizationPath

    Raises
    ------
    ValueError
        If the levels do not go from strong to weak, labels are not the same two, class means are
        identical, or columns do not fit.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.standard_normal((200, 20)) * np.geomspace(1, 0.01, 20)
    >>> X[:, 0] += 2 * y
    >>> path = regularization_path(
    ...     lambda c: LogisticRegression(C=c / 100), [1, 100], X[:100], y[:100], X[100:], y[100:]
    ... )
    >>> path.table["angle"].is_sorted()
    True
    """
    levels = _checked_levels(strengths)
    scatter = binary(X, y)
    gap = scatter.gap()
    held = finite_rows(X_val, len(gap))
    labels = np.asarray(y_val)
    if labels.shape != (len(held),):
        raise ValueError(f"y_val must be ({len(held)},), a label a row; got {labels.shape}.")
    if not np.isin(labels, scatter.classes).all():
        raise ValueError(f"y_val must hold the labels of y, {scatter.classes.tolist()}, only.")
    rows, models, norms = [], [], []
    model: Any = None
    for level in levels:
        model = _warmed(make_classifier(level), model)
        model.fit(scatter.X, scatter.classes[scatter.codes])
        coef, intercept = coefficients(model)
        normal, offset, norm = unit_normal(coef[0], intercept[0])
        angle, cos = deviation(normal, gap)
        distances = np.abs(held @ normal - offset)
        rows.append(
            {
                "strength": level,
                "validation_error": float((model.predict(held) != labels).mean()),
                "training_error": float(1 - model.score(scatter.X, y)),
                "angle": angle,
                "adversarial_strength": 1 / abs(cos) if cos else float("inf"),
                "relative_distance": float(2 * np.median(distances) / np.linalg.norm(gap)),
            }
        )
        models.append(model)
        norms.append(norm)
    if norms[-1] < norms[0]:
        raise ValueError(
            "strengths must go from the strongest regularisation to the weakest; got them the "
            "other way round: coefficients shrink along them."
        )
    table = pl.DataFrame(rows)
    errors = table["validation_error"].to_numpy()
    best, strongest = best_and_strongest(errors, len(held))
    return RegularizationPath(table, levels[best], levels[strongest], tuple(models))


def best_and_strongest(errors: np.ndarray, n: int) -> tuple[int, int]:
    """Places of the least of some errors on n rows, and of the first within its standard error."""
    least = errors.min()
    allowed = least + np.sqrt(least * (1 - least) / n)
    return int(np.argmin(errors)), int(np.argmax(errors <= allowed))


def _checked_levels(strengths: Sequence[float]) -> list[float]:
    levels = [float(level) for level in strengths]
    steps = np.diff(levels)
    if not levels or not np.isfinite(levels).all() or not ((steps > 0).all() or (steps < 0).all()):
        raise ValueError(
            f"strengths must be different finite numbers, rising or falling; got {levels}."
        )
    return levels


def _warmed(model: Any, before: Any) -> Any:
    """The model, to start where the one before it ended if it knows how to."""
    if before is not None and "warm_start" in getattr(model, "get_params", dict)():
        model.set_params(warm_start=True)
        model.coef_, model.intercept_ = before.coef_.copy(), before.intercept_.copy()
        model.classes_ = before.classes_
    return model
