"""A forecast made from a quarter of the rows against the error that all rows then have.

Sets x models x random splits. Everything that the forecast sees comes from a quarter of the pool:
the model is fitted on parts of four fifths of it and scored on the other fifth, in turn, twice.
Then it is fitted on the whole pool and scored on rows of neither. Printed: how often the 95 %
interval holds the measured error, and the mean absolute error of the forecast, of its two sources,
and of two plain fits to the same points: a power law without a floor (least squares of logarithms)
and one with a floor.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import KFold

from overparam.data.loading import load
from overparam.diagnostics.error_forecast import forecast_error
from overparam.diagnostics.power_law_curve import fit_power_law
from overparam.kernels.kernel_ridge import KernelRidgeCV
from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble

# Rows of the pool (a quarter of them to forecast from) and to test on.
SETS = {
    "digits": (1200, 597),
    "breast_cancer": (400, 169),
    "wine": (120, 58),
    "iris": (100, 50),
    "diabetes": (300, 142),
    "characters": (2000, 3000),
    "fashion-mnist": (2000, 3000),
}
FRACTIONS = (0.125, 0.25, 0.5, 1.0)  # of the fitted four fifths
FOLDS, TURNS = 5, 2
LEARNT = 300  # steps of a net

Fit = tuple[np.ndarray, np.ndarray]  # rows to fit on, rows to score


@dataclass(frozen=True)
class Rows:
    """Features of zero mean and unit variance, targets (n, t), one-hot in a classification."""

    X: np.ndarray
    Y: np.ndarray
    classes: bool

    def errors(self, predicted: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Errors of each row: wrong or not, or the square over the target's variance."""
        if self.classes:
            return (predicted.argmax(axis=1) != self.Y[rows].argmax(axis=1)).astype(float)
        return ((predicted - self.Y[rows]) ** 2).sum(axis=1)


def split(name: str, seed: int) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Rows, the pool and the test rows; features are scaled by the first quarter of the pool."""
    dataset = load(name)
    pool, test = SETS[name]
    drawn = np.random.default_rng(seed).permutation(dataset.n)[: pool + test]
    view = dataset.view(drawn, drawn[: pool // 4])
    X = np.asarray(view.X, dtype=np.float64).reshape(len(drawn), -1)
    X = np.nan_to_num((X - X[: pool // 4].mean(axis=0)) / (X[: pool // 4].std(axis=0) + 1e-6))
    if dataset.array is None:
        X = np.clip(X, -10, 10)
    else:  # pixels keep their relative scale
        X = np.asarray(view.X, dtype=np.float64).reshape(len(drawn), -1)
        X = (X - X[: pool // 4].mean()) / X[: pool // 4].std()
    y = dataset.y[drawn]
    classes = dataset.task == "classification"
    if classes:
        Y = np.eye(int(dataset.y.max()) + 1)[y]
    else:
        Y = ((y - y[: pool // 4].mean()) / y[: pool // 4].std())[:, None]
    return Rows(X, Y, classes), np.arange(pool), np.arange(pool, pool + test)


def kernel_ridge(data: Rows, fits: list[Fit], seed: int) -> list[np.ndarray]:
    """A kernel that is not the forecast's own: Gaussian, of a width that suits the dimension."""
    found = []
    for rows, scored in fits:
        model = KernelRidgeCV("rbf", gamma=0.3 / data.X.shape[1]).fit(data.X[rows], data.Y[rows])
        found.append(model.predict(data.X[scored]).reshape(len(scored), -1))
    return found


def boosting(data: Rows, fits: list[Fit], seed: int) -> list[np.ndarray]:
    """Gradient boosting of histogram trees."""
    found = []
    for rows, scored in fits:
        options = {"max_iter": 40, "min_samples_leaf": 5, "random_state": seed}
        if not data.classes:
            tree = HistGradientBoostingRegressor(**options).fit(data.X[rows], data.Y[rows, 0])
            found.append(tree.predict(data.X[scored])[:, None])
            continue
        labels = data.Y[rows].argmax(axis=1)
        scores = np.zeros((len(scored), data.Y.shape[1]))
        if len(np.unique(labels)) == 1:  # there is nothing to boost
            scores[:, labels[0]] = 1
            found.append(scores)
            continue
        tree = HistGradientBoostingClassifier(**options).fit(data.X[rows], labels)
        scores[:, tree.classes_] = tree.predict_proba(data.X[scored])
        found.append(scores)
    return found


def nets(data: Rows, fits: list[Fit], seed: int) -> list[np.ndarray]:
    """Perceptrons with two hidden layers, all of them members of one ensemble."""
    used = np.unique(np.concatenate([np.concatenate(fit) for fit in fits]))
    place = np.full(len(data.X), -1)
    place[used] = np.arange(len(used))
    X = data.X[used].astype(np.float32)
    weights = np.zeros((len(fits), len(used)), np.float32)
    for i, (rows, _) in enumerate(fits):
        weights[i, place[rows]] = 1
    seeds = [1000 * seed + i for i in range(len(fits))]
    outputs = data.Y.shape[1]
    ensemble = Ensemble(lambda d, k, s: MLP(d, k, (64, 64), seed=s), seeds, X.shape[1], outputs)
    y = data.Y[used].argmax(axis=1) if data.classes else data.Y[used].astype(np.float32)
    ensemble.fit(
        X,
        y,
        loss="cross_entropy" if data.classes else "squared",
        learning_rate=1e-3,
        weight_decay=0.1,
        batch_size=32,
        steps=LEARNT,
        schedule="cosine",
        weights=weights,
    )
    predicted = ensemble.predict_logits(X)
    return [predicted[i][place[scored]] for i, (_, scored) in enumerate(fits)]


MODELS: dict[str, Callable[[Rows, list[Fit], int], list[np.ndarray]]] = {
    "kernel ridge": kernel_ridge,
    "boosting": boosting,
    "nets": nets,
}


def one_split(name: str, model: str, seed: int, times: int = 4) -> dict[str, float | str]:
    """Forecast from a quarter of the pool (one of `times` parts), then measure."""
    data, pool, test = split(name, seed)
    quarter = pool[: len(pool) // times]
    rng = np.random.default_rng(seed)
    fitted = len(quarter) * (FOLDS - 1) // FOLDS
    sizes = np.unique([max(8, round(f * fitted)) for f in FRACTIONS])
    fits = []
    for turn in range(TURNS):
        for inside, outside in KFold(FOLDS, shuffle=True, random_state=10 * seed + turn).split(
            quarter
        ):
            shuffled = rng.permutation(quarter[inside])
            fits += [(shuffled[:size], quarter[outside]) for size in sizes]
    errors = np.empty((len(sizes), TURNS, len(quarter)))
    for i, ((_, scored), predicted) in enumerate(
        zip(fits, MODELS[model](data, fits, seed), strict=True)
    ):
        turn, size = i // (FOLDS * len(sizes)), i % len(sizes)
        errors[size, turn, scored] = data.errors(predicted, scored)
    start = time.perf_counter()
    forecast = forecast_error(
        sizes,
        errors,
        data.X[quarter],
        data.Y[quarter],
        [len(pool)],
        test_rows=len(test),
        random_state=seed,
    )
    seconds = time.perf_counter() - start
    repeats = [(pool, test)] * (3 if model == "nets" else 1)
    found = MODELS[model](data, repeats, seed)
    truth = float(np.mean([data.errors(p, test).mean() for p in found]))
    mean = errors.mean(axis=(1, 2))
    slope, level = np.polyfit(np.log(sizes), np.log(np.maximum(mean, 0.5 / len(quarter))), 1)
    (point,) = forecast.points
    return {
        "set": name,
        "model": model,
        "truth": truth,
        "last measured": float(mean[-1]),
        "plain": float(np.exp(level + slope * np.log(len(pool)))),
        "floored": float(fit_power_law(sizes, mean)([len(pool)])[0]),
        "seconds": seconds,
        **point,
    }


def summary(rows: list[dict], label: str) -> str:
    """A line of the table."""
    truth = np.array([r["truth"] for r in rows])
    inside = [r["low"] <= r["truth"] <= r["high"] for r in rows]
    names = ("error", "from_curve", "from_kernel", "plain", "floored")
    off = "".join(
        f"{np.mean(np.abs(np.array([r[name] for r in rows]) - truth)):9.4f}" for name in names
    )
    width = np.mean([r["high"] - r["low"] for r in rows])
    last, seconds = (np.mean([r[name] for r in rows]) for name in ("last measured", "seconds"))
    return (
        f"{label:<28}{np.sum(inside):3d}/{len(rows):<3d}{last:9.4f}{truth.mean():9.4f}{width:9.4f}"
        f"{off}{seconds:7.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="seed of the first split")
    parser.add_argument("--out", type=Path, help="write the rows as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = ("ours", "curve", "kernel", "plain", "floored")
    head = "".join(f"{name:>9}" for name in names)
    print(f"{'':<28}{'inside':>7}{'quarter':>9}{'truth':>9}{'width':>9}{head}{'s':>7}")
    rows = []
    for model in options.models:
        of_model = []
        for name in options.sets:
            seeds = range(options.first, options.first + options.splits)
            found = [one_split(name, model, seed) for seed in seeds]
            of_model += found
            print(summary(found, f"{model}, {name}"), flush=True)
        print(summary(of_model, f"{model}, all"), flush=True)
        rows += of_model
    print(summary(rows, "all"))
    if options.out is not None:
        options.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
