"""Models of other kinds than the net, fitted on each fold for the quality of labels.

A linear model and a forest err elsewhere than nets do, and together they tell wrong labels from
hard rows better than any of them. They see at most `MOST_ROWS` rows, so that they take seconds
where the nets take minutes.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from overparam.auditing.baselines import SECONDS_A_COEFFICIENT, TreeFeatures
from overparam.auditing.net_cells import folds, subsample
from overparam.data.dataset import Dataset

MOST_ROWS = 3_000
TREES = 100
PENALTY = 0.1  # inverse: among the strengths of the baseline, the one that wrong labels move least
SECONDS_A_SPLIT = 1.5e-8  # of a tree: for each row, root of the columns, and level
SECONDS_A_ROW = 2e-5  # to predict by both
SECONDS_A_FOREST = 0.2


def fold_models(
    dataset: Dataset, rows: np.ndarray, n_folds: int, fold: int, fold_seed: int
) -> dict[str, np.ndarray]:
    """Cell: (2, n, k) probabilities of one fold by models fitted on the others."""
    others, left_out = folds(dataset, rows, n_folds, fold_seed)[fold]
    fitted = dataset.view(subsample(others, MOST_ROWS, fold_seed), others)
    unseen = dataset.view(left_out, others)
    trees, flat = TreeFeatures.of(fitted.preprocessor), fitted.preprocessor.flat
    if fitted.preprocessor.kind == "image":
        flat = trees  # pooled: a linear model of all pixels would take longer than the forest
    linear = LogisticRegression(C=PENALTY, max_iter=100, tol=1e-3)
    forest = RandomForestClassifier(TREES, random_state=fold_seed)
    k = len(dataset.classes)
    return {
        "rows": left_out,
        "p": np.stack(
            [
                _predicted(linear, flat(fitted.X), fitted.y, flat(unseen.X), k),
                _predicted(forest, trees(fitted.X), fitted.y, trees(unseen.X), k),
            ]
        ).astype(np.float32),
    }


def seconds_of_models(n: int, n_flat: int, n_classes: int, n_folds: int) -> float:
    """Seconds of one thread for all folds of n rows, by fixed rates."""
    fitted = min(n, MOST_ROWS)
    linear = fitted * n_flat * n_classes * SECONDS_A_COEFFICIENT
    levels = np.log2(max(fitted, 2))
    forest = TREES * fitted * np.sqrt(min(n_flat, 256)) * levels * SECONDS_A_SPLIT
    return float(n_folds * (linear + forest + SECONDS_A_FOREST) + n * SECONDS_A_ROW)


def _predicted(
    model: ClassifierMixin, X: np.ndarray, y: np.ndarray, unseen: np.ndarray, k: int
) -> np.ndarray:
    """(n, k); a fold may lack a class, or hold only one."""
    p = np.zeros((len(unseen), k))
    present = np.unique(y)
    if len(present) == 1:
        p[:, present] = 1
        return p
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    p[:, present] = model.predict_proba(unseen)
    return p
