"""The cells behind the finding on tilted boundaries: a linear model's path, a net's boundary."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from overparam.auditing.net_cells import SplitKey, at_most, fitted_rows, train, views
from overparam.auditing.recipes import features, from_dict
from overparam.data.dataset import Dataset, View
from overparam.diagnostics.class_scatter import ClassScatter
from overparam.diagnostics.deviation_angle import boundary_tilt
from overparam.diagnostics.local_boundary import local_tilt
from overparam.diagnostics.tilt_path import regularization_path

POOL = 4000  # training rows among which the pair is chosen and drawn
JUDGED = 2000  # validation rows of the pair
USED = 0.8  # of the pair's rows a draw, where there are few
WEAKEST = 1.0  # scikit-learn's default C
STRONGEST = 0.1  # C times the rows: below, the free intercept fails
LAST = 0.01  # of the variance within classes
NUMERICAL = 1e-10  # of the largest eigenvalue: below it is rounding
CANDIDATES = 4  # classes that the walk to a net's boundary considers


def linear_tilt(
    dataset: Dataset, split: Mapping[str, int], rows: int, fewest: int, draws: int
) -> dict[str, Any]:
    """Cell: logistic regressions of the most confused pair over C, on random draws of rows.

    Training draws and validation rows hold as many rows of the one class as of the other.

    Returns
    -------
    dict
        `c` (L,) from the strongest regularisation to C = 1; `angle`, `error` (draws, L): tilt in
        degrees and error on validation rows; `pair`, `rows` a draw, `validation_rows`,
        `centroid_error`, and `flat`, the share of the normal at C = 1 in the flattest directions
        (of the first draw). Only `why_not` where there are too few rows.
    """
    key = SplitKey(**split)
    parts = key.of(dataset)
    pool = dataset.view(fitted_rows(dataset, key, POOL), parts.train.rows)
    pair = confused_pair(pool.flat, pool.y, fewest)
    if pair is None:
        return {"why_not": f"no two classes have {fewest} training rows and different means."}
    held = balanced(parts.validation, pair, JUDGED, key.seed)
    if len(held) < fewest:
        return {"why_not": f"the two classes have {len(held)} validation rows only."}
    size = min(rows, 2 * round(USED * np.bincount(pool.y)[list(pair)].min()))
    levels = c_levels(size)
    found: dict[str, list[Any]] = {"angle": [], "error": [], "centroid_error": [], "flat": []}
    for draw in range(draws):
        drawn = balanced(pool, pair, size, draw)
        X, Z = row_space(drawn.flat.astype(np.float64), held.flat.astype(np.float64))
        path = regularization_path(_logistic, levels, X, drawn.y, Z, held.y)
        found["angle"].append(path.table["angle"].to_numpy())
        found["error"].append(path.table["validation_error"].to_numpy())
        if not draw:
            scatter = ClassScatter(X, drawn.y)
            nearness = Z @ scatter.gap() - scatter.means.mean(axis=0) @ scatter.gap()
            found["centroid_error"] = [float(((nearness > 0) != (held.y == pair[1])).mean())]
            found["flat"] = [flat_share(path.models[-1], X, drawn.y)]
    return {
        "c": np.array(levels),
        "angle": np.stack(found["angle"]),
        "error": np.stack(found["error"]),
        "pair": list(pair),
        "rows": size,
        "validation_rows": len(held),
        "centroid_error": found["centroid_error"][0],
        "flat": found["flat"][0],
    }


def c_levels(rows: int) -> list[float]:
    """Levels of C in half decades, rising to 1, down to where C times the rows is 0.1."""
    steps = int(np.floor(2 * np.log10(rows * WEAKEST / STRONGEST)))
    return [WEAKEST * 10 ** (-k / 2) for k in range(steps, -1, -1)]


def confused_pair(X: np.ndarray, y: np.ndarray, fewest: int) -> tuple[int, int] | None:
    """The two classes that the nearest-centroid classifier confuses most, both ways together.

    Of classes with at least `fewest` rows and different means; None where there are no two.
    """
    known = [int(k) for k in np.unique(y) if (y == k).sum() >= fewest]
    if len(known) < 2:
        return None
    rows = np.isin(y, known)
    X, y = X[rows].astype(np.float64), y[rows]
    means = np.stack([X[y == k].mean(axis=0) for k in known])
    said = np.asarray(known)[(X @ means.T - (means**2).sum(axis=1) / 2).argmax(axis=1)]
    best, most = None, -1
    for (i, k), (j, m) in combinations(enumerate(known), 2):
        if np.allclose(means[i], means[j], rtol=0, atol=1e-9 * np.abs(X).max()):
            continue
        confused = int(((y == k) & (said == m)).sum() + ((y == m) & (said == k)).sum())
        if confused > most:
            best, most = (k, m), confused
    return best


def row_space(X: np.ndarray, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of rows X (n, d) and Z in the span of X, where that is smaller than d.

    A linear model with a squared penalty lies in that span: angles, distances and scores are the
    same there, at a cost that does not grow with d.
    """
    n, d = X.shape
    if n >= d:
        return X, Z
    squares, vectors = np.linalg.eigh(X @ X.T)
    kept = squares > NUMERICAL * squares[-1]
    U, lengths = vectors[:, kept], np.sqrt(squares[kept])
    return U * lengths, (Z @ X.T) @ U / lengths


def flat_share(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Share of the squared normal in the flattest components, which hold 1 % of the variance."""
    table = boundary_tilt(model, X, y).tilt_by_component
    assert table is not None
    variance = table["variance"].to_numpy()
    before = np.cumsum(variance) - variance
    return float(table["squared_cosine"].to_numpy()[before >= (1 - LAST) * variance.sum()].sum())


def _logistic(c: float) -> LogisticRegression:
    return LogisticRegression(C=c, tol=1e-3, max_iter=500)


def balanced(view: View, pair: tuple[int, int], most: int, seed: int) -> View:
    """At most so many random rows of two classes, as many of the one as of the other.

    Where one class is rare, a model that never names it would pass for accurate and untilted.
    """
    rng = np.random.default_rng(seed)
    members = [rng.permutation(np.flatnonzero(view.y == k)) for k in pair]
    count = min(most // 2, *(len(rows) for rows in members))
    return view.take(np.sort(np.concatenate([rows[:count] for rows in members])))


def net_boundary(
    dataset: Dataset,
    split: Mapping[str, int],
    recipe: Mapping[str, Any],
    rows: int,
    own: Any = None,
) -> dict[str, Any]:
    """Cell: the first of the baseline nets again, and how close its boundary lies.

    A table's numbers are taken in their standard deviations; categories stay as they are.
    `distance` (relative) and `angle` in degrees are medians over the `crossed` of at most `rows`
    validation rows.
    """
    made = from_dict(recipe)
    fitted, held, validation = views(dataset, SplitKey(**split), made.rows)
    nets = train(fitted, made, [0], held=held, own=own)
    X, Z = (features(made, view) for view in (fitted, at_most(validation, rows, 0)))
    spread = np.ones(X.shape[1:])
    nothing = {"crossed": 0, "distance": np.nan, "angle": np.nan}
    if bool(nets.ensemble.diverged[0]) or len(np.unique(fitted.y)) < len(dataset.classes):
        return nothing
    if made.net == "tabular":
        numbers = np.ones(X.shape[1], dtype=bool)
        numbers[list(fitted.preprocessor.categorical)] = False
        if not numbers.any():
            return nothing  # there is no direction in which a category could be moved a little
        spread[numbers] = X[:, numbers].std(axis=0)
        spread[spread == 0] = 1.0
    X, Z = X / spread, Z / spread
    means = ClassScatter(X.reshape(len(X), -1), fitted.y).means
    if made.net == "tabular":
        means[:, ~numbers] = 0.0
    found = local_tilt(
        _InUnits(nets.ensemble.member(0), spread).eval(),
        Z.astype(np.float32),
        np.zeros(len(Z), dtype=int),
        len(dataset.classes),
        means=means,
        candidates=CANDIDATES,
    )
    return {
        "crossed": len(Z) - found.not_crossed,
        "distance": found.median_relative_distance,
        "angle": found.median_angle,
    }


class _InUnits(nn.Module):
    """A net that takes rows of unit spread: net(z * spread)."""

    spread: Tensor

    def __init__(self, net: nn.Module, spread: np.ndarray) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("spread", torch.as_tensor(spread, dtype=torch.float32))

    def forward(self, z: Tensor) -> Tensor:
        logits: Tensor = self.net(z * self.spread)
        return logits
