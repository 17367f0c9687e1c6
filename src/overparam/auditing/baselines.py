"""Models without trained nets: what everybody tries first, and what nets become when infinite."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from overparam.auditing.infinite_nets import fit_deep_limit, fit_wide_limit, rows_used
from overparam.auditing.net_cells import SplitKey, at_most, fit_and_held
from overparam.data.dataset import Dataset, View
from overparam.data.preprocessing import Preprocessor

TITLES = {
    "majority": "majority class",
    "mean": "mean of the target",
    "logistic-regression": "logistic regression",
    "ridge-regression": "ridge regression",
    "k-nearest-neighbours": "k nearest neighbours",
    "deep-limit": "infinitely deep net, as a weighting of rows",
    "wide-limit": "infinitely wide net, as a kernel",
    "gradient-boosting": "gradient boosting",
}
NAMES = {
    "classification": (
        "majority",
        "logistic-regression",
        "k-nearest-neighbours",
        "deep-limit",
        "wide-limit",
        "gradient-boosting",
    ),
    "regression": (
        "mean",
        "ridge-regression",
        "k-nearest-neighbours",
        "wide-limit",
        "gradient-boosting",
    ),
}
STRENGTHS = (1.0, 0.1, 0.01, 10.0)  # inverse penalties of the logistic regression
NEIGHBOURS = (5, 1, 15)
LEAVES = (31, 8)  # of a boosted tree: the usual, and a shallow one for few rows
L2 = 1.0  # without it, leaves of a rare class grow until the loss of 17 classes diverges
BLOCK = 10  # boosting iterations between two looks at the held-out loss
ENOUGH_ITERATIONS = 100  # with fewer of each size, one size gets them all
MOST_ITERATIONS = 300
STALE_BLOCKS = 3  # blocks without improvement on the held-out rows before boosting stops
TREE_FEATURES = 256  # images are pooled to at most so many values for trees
MOST_CATEGORIES = 255  # of a column that the trees treat as categorical
MOST_ROWS = 20_000  # that linear models and neighbours are fitted on
MOST_TREE_ROWS = 200_000
# Rates of one thread, measured once: what a budget of seconds is worth.
SECONDS_A_CELL = 9e-9  # of a boosted tree, for each row and column
SECONDS_A_TREE = 1.5e-3
SECONDS_A_COEFFICIENT = 6e-8  # of a logistic regression, for each row, column and class
SECONDS_A_DISTANCE = 1e-6  # of nearest neighbours, for each row and column


@dataclass(frozen=True)
class TreeFeatures:
    """What trees read: columns as they are; images pooled to at most 256 values.

    Attributes
    ----------
    pool : int
        Side of the squares of pixels that are averaged.
    categorical : tuple of int
        Columns that are category codes, of at most 255 categories.
    """

    pool: int
    categorical: tuple[int, ...]

    @classmethod
    def of(cls, preprocessor: Preprocessor) -> TreeFeatures:
        """Choose the pooling for examples of a preprocessor."""
        pool = 1
        if preprocessor.kind == "image":
            channels, *sides = preprocessor.shape
            while channels * np.prod([max(side // pool, 1) for side in sides]) > TREE_FEATURES:
                pool += 1
        columns = zip(preprocessor.categorical, preprocessor.cardinalities, strict=True)
        return cls(pool, tuple(column for column, n in columns if n <= MOST_CATEGORIES))

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, p) of what `Preprocessor.transform` gave."""
        if X.ndim == 2:
            return X
        n, c, h, w = X.shape
        p = self.pool
        squares = X[:, :, : h // p * p, : w // p * p].reshape(n, c, h // p, p, w // p, p)
        return squares.mean(axis=(3, 5)).reshape(n, -1)


def predict_features(
    model: Any, preprocessor: Preprocessor, X: np.ndarray, n_classes: int
) -> np.ndarray:
    """Predictions of a fitted baseline for what `Preprocessor.transform` gave.

    Returns (n, k) probabilities in the order of the data's classes, or (n, 1) predictions.
    """
    trees = isinstance(model, HistGradientBoostingClassifier | HistGradientBoostingRegressor)
    Z = TreeFeatures.of(preprocessor)(X) if trees else preprocessor.flat(X)
    if not n_classes:
        return np.asarray(model.predict(Z), dtype=float).reshape(-1, 1)
    p = np.zeros((len(Z), n_classes))  # a class may be missing from the rows that were fitted
    p[:, np.asarray(model.classes_, dtype=int)] = model.predict_proba(Z)
    return p


def predict_view(model: Any, view: View) -> np.ndarray:
    """`predict_features` for the rows of a view."""
    return predict_features(model, view.preprocessor, view.X, len(view.dataset.classes))


def fit_baseline(name: str, view: View, seed: int, seconds: float) -> tuple[Any, str]:
    """Fit a baseline on a view, tuned on a tenth of its rows or by leaving out one row.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    seconds : float
        Time for tuning. It is turned into a number of fits by fixed rates, not by the clock, so
        that a busy machine chooses the same model; a model is fitted in any case.

    Returns
    -------
    (estimator, str)
        The fitted model, and what was chosen, in words.
    """
    if name == "deep-limit":
        return fit_deep_limit(view, seed)
    if name == "wide-limit":
        return fit_wide_limit(view, seed, seconds)
    fitted, held = (_like(view, rows) for rows in fit_and_held(view.dataset, view.rows, seed))
    if name == "gradient-boosting":
        return _boost(at_most(fitted, MOST_TREE_ROWS, seed), held, seed, seconds)
    fitted, everything = (at_most(v, MOST_ROWS, seed) for v in (fitted, view))
    candidates = _candidates(name, view.dataset.task == "classification")
    affordable = max(int(seconds / max(_seconds_a_fit(name, fitted), 1e-9)) - 1, 1)
    best, lowest = candidates[0], np.inf
    for model in candidates[:affordable] if min(affordable, len(candidates)) > 1 else ():
        _fit(model, fitted)
        if (loss := _loss(held, predict_view(model, held))) < lowest:
            best, lowest = model, loss
    chosen = _fit(clone(best), everything)
    return chosen, ", ".join(filter(None, (_setting(chosen), rows_used(everything, view))))


def _seconds_a_fit(name: str, view: View) -> float:
    """Seconds of one thread to fit and score one candidate, by fixed rates."""
    numbers = len(view) * view.preprocessor.n_flat
    if name == "logistic-regression":
        return numbers * len(view.dataset.classes) * SECONDS_A_COEFFICIENT
    return numbers * SECONDS_A_DISTANCE


def _like(view: View, rows: np.ndarray) -> View:
    return view.dataset.view(rows, view.fit_rows)


def _fit(model: Any, view: View) -> Any:
    with warnings.catch_warnings():
        # A logistic regression that is not quite converged is as good a baseline.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(view.flat, view.y)


def _candidates(name: str, classification: bool) -> list[BaseEstimator]:
    """Estimators to choose from; features are already standardised."""
    match name:
        case "majority":
            return [DummyClassifier(strategy="prior")]
        case "mean":
            return [DummyRegressor()]
        case "logistic-regression":
            return [LogisticRegression(C=c, max_iter=200, tol=1e-3) for c in STRENGTHS]
        case "ridge-regression":
            return [RidgeCV(np.logspace(-3, 4, 15))]
    kind = KNeighborsClassifier if classification else KNeighborsRegressor
    return [kind(k, weights="distance") for k in NEIGHBOURS]


def _setting(model: Any) -> str:
    if isinstance(model, LogisticRegression):
        return f"C = {model.C:g}"
    if isinstance(model, RidgeCV):
        return f"penalty = {model.alpha_:.3g}"
    if isinstance(model, KNeighborsClassifier | KNeighborsRegressor):
        return f"k = {model.n_neighbors}"
    return ""


def _loss(view: View, p: np.ndarray) -> float:
    """Log loss or mean squared error."""
    if not view.dataset.classes:
        return float(((view.y - p[:, 0]) ** 2).mean())
    return float(-np.log(np.clip(p[np.arange(len(p)), view.y], 1e-12, None)).mean())


def _boost(fitted: View, held: View, seed: int, seconds: float) -> tuple[Any, str]:
    """Boost trees; the size and the number of iterations with the least held-out loss are kept."""
    best, lowest, setting, kept = None, np.inf, "", 0
    view = TreeFeatures.of(fitted.preprocessor)
    X = view(fitted.X)
    trees = max(len(fitted.dataset.classes), 1) if len(fitted.dataset.classes) != 2 else 1
    one = trees * (SECONDS_A_TREE + X.size * SECONDS_A_CELL)
    sizes = LEAVES if seconds / one >= len(LEAVES) * ENOUGH_ITERATIONS else LEAVES[:1]
    iterations = int(np.clip(seconds / one / len(sizes), BLOCK, MOST_ITERATIONS)) // BLOCK * BLOCK
    for leaves in sizes:
        for model, loss in _boosting_path(fitted, X, held, view, leaves, seed, iterations):
            if loss < lowest:
                best, lowest, kept = model, loss, model.n_iter_
                setting = f"{kept} iterations of {leaves} leaves"
    assert best is not None
    # A shorter boosted model is the first trees of a longer one.
    best._predictors = best._predictors[:kept]
    return best, setting


def _boosting_path(
    fitted: View,
    X: np.ndarray,
    held: View,
    view: TreeFeatures,
    leaves: int,
    seed: int,
    iterations: int,
) -> Iterator[tuple[Any, float]]:
    """One model as it grows block by block, with its held-out loss."""
    kind = (
        HistGradientBoostingClassifier if fitted.dataset.classes else HistGradientBoostingRegressor
    )
    model = kind(
        max_leaf_nodes=leaves,
        l2_regularization=L2,
        max_iter=BLOCK,
        warm_start=True,
        early_stopping=False,
        categorical_features=list(view.categorical) or None,
        random_state=seed,
    )
    lowest, stale = np.inf, 0
    while model.max_iter <= iterations and stale < STALE_BLOCKS:
        model.fit(X, fitted.y)
        loss = _loss(held, predict_view(model, held))
        lowest, stale = (loss, 0) if loss < lowest else (lowest, stale + 1)
        yield model, loss
        model.max_iter += BLOCK


def fit_baseline_cell(
    dataset: Dataset, split: Mapping[str, int], name: str, seconds: float
) -> dict[str, Any]:
    """Cell: one baseline on one split; validation predictions and the model itself, as bytes."""
    import skops.io  # a second or two: it looks at every estimator of scikit-learn

    key = SplitKey(**split)
    parts = key.of(dataset)
    model, setting = fit_baseline(name, parts.train, key.seed, seconds)
    return {
        "validation": predict_view(model, parts.validation),
        "setting": setting,
        "model": np.frombuffer(skops.io.dumps(model), dtype=np.uint8),
    }
