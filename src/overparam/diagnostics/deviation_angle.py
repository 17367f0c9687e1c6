"""How far a linear boundary is tilted away from the nearest-centroid one (arXiv 1608.07690).

    b = (j - i) / |j - i|                 normal of the nearest-centroid classifier B
    delta = arccos |<b, c>|               deviation angle of a classifier C with unit normal c
    d_B = |j - i| / 2,   d_C = <c, j - i> / 2 = +- d_B cos(delta)
    strength = d_B / |d_C| = 1 / cos(delta)

d_C is the mean signed distance over all rows, for every intercept; over correctly classified rows
only the identity does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, overload

import numpy as np
import polars as pl

from overparam.diagnostics.class_scatter import ClassScatter, binary, blocks, mean_gap
from overparam.diagnostics.linear_boundary import coefficients, unit_normal

TILTED = 45.0  # degrees: half of the boundary's turn; a threshold of ours
BETTER = 2.0  # standard errors of a paired difference of accuracies; a threshold of ours


@dataclass(frozen=True)
class Tilt:
    """How a linear boundary lies to the data of two classes.

    Attributes
    ----------
    classes : tuple
        The labels I (the smaller) and J.
    deviation_angle : float
        Degrees, 0 to 90, in the units of the features as given.
    adversarial_strength : float
        1 / cos of the angle: 1 where adversarial examples look like the other class, infinite at
        90 degrees. The paper's own normalisation was not at hand; whatever grows with the angle
        says the same.
    centroid_margin, mean_margin : float
        d_B, half the distance of the class means, and d_C, negative where the normal points from
        J to I.
    median_distance : float
        Of rows to the boundary.
    accuracy, centroid_accuracy : float
        Of the classifier, and of the nearest-centroid one on the same rows.
    gain_error : float
        Standard error of their paired difference.
    type : int
        0: the angle is below `tilted_from`. Otherwise 2 where the classifier is better than the
        nearest-centroid one by more than `better_by` standard errors (accurate and tilted: strong
        adversarial examples), else 1 (tilted for nothing).
    tilt_by_component : polars.DataFrame or None
        `component`, `variance`, `squared_cosine`: the normal in the principal components of the
        pooled within-class covariance, by falling variance. Of fewer rows than columns, the last
        line is everything in which the rows do not vary. Squared cosines sum to 1.
    tilted_from, better_by : float
        The thresholds of `type`; they are ours.
    """

    classes: tuple[Any, Any]
    deviation_angle: float
    adversarial_strength: float
    centroid_margin: float
    mean_margin: float
    median_distance: float
    accuracy: float
    centroid_accuracy: float
    gain_error: float
    type: int
    tilt_by_component: pl.DataFrame | None = None
    tilted_from: float = TILTED
    better_by: float = BETTER

    @property
    def relative_distance(self) -> float:
        """Median distance over half the distance of the class means."""
        return self.median_distance / self.centroid_margin


@overload
def boundary_tilt(
    classifier: Any,
    X: Any,
    y: Any,
    *,
    pairs: None = None,
    means: Any = None,
    components: bool = True,
) -> Tilt: ...


@overload
def boundary_tilt(
    classifier: Any,
    X: Any,
    y: Any,
    *,
    pairs: Literal["all"],
    means: Any = None,
    components: bool = True,
) -> dict[tuple[Any, Any], Tilt]: ...


def boundary_tilt(
    classifier: Any,
    X: Any,
    y: Any,
    *,
    pairs: Literal["all"] | None = None,
    means: Any = None,
    components: bool = True,
) -> Tilt | dict[tuple[Any, Any], Tilt]:
    """Measure how far a linear classifier is tilted away from the nearest-centroid one.

    Parameters
    ----------
    classifier : estimator or (coef, intercept)
        A fitted scikit-learn classifier with `coef_` (1, d) and `intercept_`, or a pair of (d,)
        and a number: ``coef @ x + intercept > 0`` means the larger label.
    X : array-like of shape (n, d)
        The features as the classifier sees them: angles depend on their units.
    y : array-like of shape (n,)
        Exactly two distinct labels; K of them with `pairs`.
    pairs : "all", optional
        Of a classifier with `coef_` (K, d), one row a label in sorted order: every pair of labels
        i < j, by ``coef_[j] - coef_[i]``. Components are those pooled over all K classes.
    means : array-like of shape (K, d), optional
        Class means of the training rows, where X are others: B, the angle and the margins are
        then theirs, accuracies and distances those of X. By default the means of X.
    components : bool
        False leaves `tilt_by_component` out, and with it the decomposition of d x d.

    Returns
    -------
    Tilt, or dict of (label, label) to Tilt

    Raises
    ------
    ValueError
        If two class means are identical, y is not binary (without `pairs`), coef has norm zero, a
        number is not finite, or columns or labels do not fit.

    Examples
    --------
    >>> tilt = boundary_tilt(([3.0, 4.0], 0.0), [[-1, -1], [-1, 1], [1, -1], [1, 1]], [0, 0, 1, 1])
    >>> round(tilt.deviation_angle, 4), round(tilt.adversarial_strength, 4), tilt.mean_margin
    (53.1301, 1.6667, 0.6)
    """
    if pairs not in (None, "all"):
        raise ValueError(f"pairs must be 'all' or None; got {pairs!r}.")
    coef, intercept = coefficients(classifier)
    if pairs is None and len(coef) != 1:
        raise ValueError(
            f"classifier must have one row of coef; got {len(coef)}. pairs='all' measures every "
            "pair of classes."
        )
    scatter = binary(X, y) if pairs is None else ClassScatter(X, y)
    _check_fit(classifier, coef, scatter)
    if len(coef) == 1:  # the larger label against the smaller: scores of 0 and s
        coef = np.concatenate([np.zeros_like(coef), coef])
        intercept = np.append(0.0, intercept)
    centres = scatter.means if means is None else np.asarray(means, dtype=np.float64)
    if centres.shape != scatter.means.shape or not np.isfinite(centres).all():
        raise ValueError(
            f"means must be finite numbers {scatter.means.shape}; got shape {centres.shape}."
        )
    found = _every_pair(scatter, centres, coef, intercept, components)
    return found if pairs else next(iter(found.values()))


def deviation(normal: np.ndarray, gap: np.ndarray) -> tuple[float, float]:
    """Angle in degrees between a unit normal and the line of the means, and the signed cosine."""
    b = gap / np.linalg.norm(gap)
    cos = float(normal @ b)
    # The arc cosine would lose half of the digits near 0 degrees.
    sin = float(np.linalg.norm(normal - cos * b))
    return float(np.degrees(np.arctan2(sin, abs(cos)))), cos


def _check_fit(classifier: Any, coef: np.ndarray, scatter: ClassScatter) -> None:
    d, k = scatter.X.shape[1], len(scatter.classes)
    if coef.shape[1] != d:
        raise ValueError(f"X must have {coef.shape[1]} columns, as coef has; got {d}.")
    if len(coef) != (1 if k == 2 and len(coef) == 1 else k):
        raise ValueError(f"classifier must have a row of coef for each of {k} classes in y.")
    known = getattr(classifier, "classes_", scatter.classes)
    if not np.array_equal(known, scatter.classes):
        raise ValueError(
            f"y must hold the classes of the classifier, {list(known)}; got "
            f"{scatter.classes.tolist()}."
        )


def _every_pair(
    scatter: ClassScatter,
    means: np.ndarray,
    coef: np.ndarray,
    intercept: np.ndarray,
    components: bool,
) -> dict[tuple[Any, Any], Tilt]:
    X = scatter.X
    level = means.mean(axis=0)  # near the data: the centroids' scores then keep their digits
    near = means - level
    scores, nearness = np.empty((len(X), len(coef))), np.empty((len(X), len(coef)))
    for part, block in blocks(X):
        scores[part] = block @ coef.T + intercept
        nearness[part] = (block - level) @ near.T - (near**2).sum(axis=1) / 2
    members = [np.flatnonzero(scatter.codes == k) for k in range(len(coef))]
    found = {}
    for i, j in combinations(range(len(coef)), 2):
        rows = np.concatenate([members[i], members[j]])
        normal, _, norm = unit_normal(coef[j] - coef[i], intercept[j] - intercept[i])
        gap = mean_gap(means[[i, j]], scatter.classes[[i, j]])
        angle, cos = deviation(normal, gap)
        label = scatter.codes[rows] == j
        score = scores[rows, j] - scores[rows, i]
        right = (score > 0) == label
        gain = right.astype(float) - ((nearness[rows, j] > nearness[rows, i]) == label)
        error = float(gain.std() / np.sqrt(len(gain)))
        better = gain.mean() > BETTER * error
        classes = (scatter.classes[i].item(), scatter.classes[j].item())
        found[classes] = Tilt(
            classes,
            angle,
            1 / abs(cos) if cos else float("inf"),
            float(np.linalg.norm(gap) / 2),
            float(normal @ gap / 2),
            float(np.median(np.abs(score)) / norm),
            float(right.mean()),
            float(right.mean() - gain.mean()),
            error,
            0 if angle < TILTED else 2 if better else 1,
            _by_component(scatter, normal) if components else None,
        )
    return found


def _by_component(scatter: ClassScatter, normal: np.ndarray) -> pl.DataFrame:
    variances, vectors = scatter.components
    squares = (vectors.T @ normal) ** 2
    if vectors.shape[1] < len(vectors):
        variances = np.append(variances, 0.0)
        squares = np.append(squares, max(0.0, 1.0 - squares.sum()))
    return pl.DataFrame(
        {
            "component": np.arange(1, len(squares) + 1),
            "variance": variances,
            "squared_cosine": squares,
        }
    )
