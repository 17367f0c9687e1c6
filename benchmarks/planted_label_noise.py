"""Embedded sets with planted wrong labels, and five models' out-of-fold probabilities for them.

The predictions take most of the time; they are computed once and kept in `.cache/planted_labels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import softmax
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from overparam.auditing.baselines import TreeFeatures
from overparam.auditing.net_cells import fit_and_held, train
from overparam.auditing.recipes import Recipe
from overparam.data.dataset import Dataset, View
from overparam.data.loading import load

SETS = (
    "digits", "breast-cancer", "wine", "characters", "characters-hard", "fashion-mnist", "emoji",
    "mnist1d",
)  # fmt: skip
SHARES = (0.05, 0.15, 0.30)
KINDS = ("uniform", "by class")
MODELS = (
    "logistic regression", "random forest", "gradient boosting", "nearest neighbours", "four nets",
)  # fmt: skip
ROWS, FOLDS, MEMBERS = 1_000, 5, 4
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "planted_labels"


@dataclass(frozen=True)
class Planted:
    """One set with wrong labels: which they are, and (Q, n, k) out-of-fold probabilities."""

    name: str
    kind: str
    share: float
    seed: int
    y: np.ndarray
    wrong: np.ndarray
    p: np.ndarray


def flip(y: np.ndarray, k: int, share: float, kind: str, seed: int) -> np.ndarray:
    """Labels of which exactly a share (rounded) is wrong.

    "uniform": any row, any other class. "by class": every class has a rate of its own, between a
    third and the whole of the highest, and its wrong labels all fall on one other class.
    """
    rng = np.random.default_rng([seed, round(100 * share), KINDS.index(kind)])
    rate, order = rng.uniform(0.5, 1.5, k), rng.permutation(k)
    count = round(share * len(y))
    noisy = y.copy()
    if kind == "uniform":
        chosen = rng.choice(len(y), count, replace=False)
        noisy[chosen] = (y[chosen] + rng.integers(1, k, count)) % k
    else:
        chosen = rng.choice(len(y), count, replace=False, p=rate[y] / rate[y].sum())
        after = np.empty(k, dtype=int)
        after[order] = np.roll(order, -1)
        noisy[chosen] = after[y[chosen]]
    return noisy


def _pooled(dataset: Dataset) -> Dataset:
    """Images as at most 256 averages of squares, so that a linear model takes no minute."""
    if dataset.kind != "image":
        return dataset
    few = dataset.view(np.arange(2), np.arange(2))
    assert dataset.array is not None
    images = dataset.array if dataset.array.ndim == 4 else dataset.array[..., None]
    pooled = TreeFeatures.of(few.preprocessor)(images.transpose(0, 3, 1, 2).astype(np.float32))
    return replace(dataset, array=pooled)


@cache
def _sample(name: str, seed: int) -> Dataset:
    dataset = _pooled(load(name))
    rows = np.random.default_rng(seed).permutation(dataset.n)[:ROWS]
    return replace(dataset.subset(rows), test_rows=None)


def planted(seeds: int = 3) -> Iterator[Planted]:
    """All sets, kinds, shares and seeds, from the cache where they are in it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        for name in SETS:
            for kind in KINDS:
                for share in SHARES:
                    yield _planted(name, kind, share, seed)


def _planted(name: str, kind: str, share: float, seed: int) -> Planted:
    path = CACHE / f"{name}-{kind.replace(' ', '-')}-{round(100 * share)}-{seed}.npz"
    if path.exists():
        with np.load(path) as kept:
            return Planted(name, kind, share, seed, kept["y"], kept["wrong"], kept["p"])
    clean = _sample(name, seed)
    y = flip(clean.y, len(clean.classes), share, kind, seed)
    p = _out_of_fold(replace(clean, y=y), seed)
    np.savez(path, y=y, wrong=y != clean.y, p=p)
    return Planted(name, kind, share, seed, y, y != clean.y, p)


def _out_of_fold(dataset: Dataset, seed: int) -> np.ndarray:
    p = np.zeros((len(MODELS), dataset.n, len(dataset.classes)), dtype=np.float32)
    for rows, left_out in dataset.folds(np.arange(dataset.n), FOLDS, seed):
        seen, unseen = dataset.view(rows, rows), dataset.view(left_out, rows)
        trees, flat = TreeFeatures.of(seen.preprocessor), seen.preprocessor.flat
        models = (
            (LogisticRegression(C=0.1, max_iter=100, tol=1e-3), flat),
            (RandomForestClassifier(100, random_state=seed), trees),
            (
                HistGradientBoostingClassifier(
                    max_iter=30, max_leaf_nodes=8, l2_regularization=1.0, random_state=seed
                ),
                trees,
            ),
            (KNeighborsClassifier(15, weights="distance"), flat),
        )
        for q, (model, features) in enumerate(models):
            model.fit(features(seen.X), seen.y)
            found = model.predict_proba(features(unseen.X))
            p[q][np.ix_(left_out, model.classes_.astype(int))] = found
        p[-1][left_out] = _nets(dataset, rows, unseen, seed)
    return p


def _nets(dataset: Dataset, rows: np.ndarray, unseen: View, seed: int) -> np.ndarray:
    """Mean probabilities of nets that stop early on a tenth of the rows, as the audit's do."""
    fitted, held = fit_and_held(dataset, rows, seed)
    recipe = Recipe(
        net="tabular" if dataset.kind == "table" else "perceptron",
        width=128,
        rows=len(fitted),
        epochs=30,
        batch_size=32,
        early_stopping=True,
    )
    nets = train(dataset.view(fitted, rows), recipe, range(MEMBERS), held=dataset.view(held, rows))
    return softmax(nets.logits(unseen), axis=2).mean(axis=0)
