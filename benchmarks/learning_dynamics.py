"""Stopping time and evidence ridge of one regression, against scikit-learn's ways to the same.

One thread. Answers first agree. `BayesianRidge` maximises the same evidence by iteration (on
contrasts of the rows, which know nothing of the mean); `Ridge` is refitted at every penalty of a
path that ours reads off one decomposition. The grid has no peer: its seconds are printed.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import sklearn
from sklearn.datasets import load_diabetes
from sklearn.linear_model import BayesianRidge, Ridge

from overparam.diagnostics.stopping_time import overtraining
from overparam.kernels.linear_flow import LinearFlow
from overparam.kernels.variance_components import variance_components
from overparam.theory.learning_dynamics import predict
from race import race

PENALTIES = np.geomspace(1e-3, 1e2, 20)


def regression(features: int, n: int) -> tuple[np.ndarray, ...]:
    """Diabetes, its columns or random ReLU features of them: training and other rows."""
    X, y = load_diabetes(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(X))
    X, y = X[order] * 20, (y[order] - y.mean()) / y.std()
    if features:
        X = np.maximum(X @ rng.standard_normal((X.shape[1], features)), 0) / np.sqrt(features)
    return X[:n], y[:n], X[n:], y[n:]


def race_evidence(features: int, n: int, pairs: int) -> None:
    X, y, Z, target = regression(features, n)
    centred, level = X - X.mean(axis=0), (y - y.mean()) / y.std()

    def ours() -> np.ndarray:
        flow = LinearFlow(centred)
        squares = flow.along(level) ** 2
        rest = max(float(level @ level - squares.sum()), 0.0)
        found = variance_components(flow.eigenvalues, squares, rest, n - 1)
        return np.array([found.weight, found.noise])

    contrasts = np.linalg.svd(np.ones((1, n)))[2][1:]
    turned, turned_y = contrasts @ X, contrasts @ (y / y.std())  # outside the race

    def peer() -> np.ndarray:
        model = BayesianRidge(
            alpha_1=1e-12, alpha_2=1e-12, lambda_1=1e-12, lambda_2=1e-12, tol=1e-10,
            max_iter=100_000, fit_intercept=False,
        )  # fmt: skip
        model.fit(turned, turned_y)
        return np.array([1 / model.lambda_, 1 / model.alpha_])

    name = f"evidence, n = {n}, {X.shape[1]} features"
    race(ours, peer, agree={"rtol": 1e-4}, pairs=pairs, name=name)
    start = time.perf_counter()
    overtraining(X, y, held_out=(Z, target))
    print(f"  with all curves and held-out errors: {1e3 * (time.perf_counter() - start):.1f} ms")


def race_path(features: int, n: int, pairs: int) -> None:
    X, y, Z, _ = regression(features, n)
    mean = X.mean(axis=0)

    def peer() -> np.ndarray:
        fits = [Ridge(alpha=g).fit(X, y).predict(Z) for g in PENALTIES]
        return np.stack(fits, axis=1)

    race(
        lambda: LinearFlow(X - mean).ridge(Z - mean, y - y.mean(), PENALTIES) + y.mean(),
        peer, agree={"rtol": 1e-6, "atol": 1e-8}, pairs=pairs,
        name=f"{len(PENALTIES)} ridges, n = {n}, {X.shape[1]} features",
    )  # fmt: skip


def grid_seconds() -> None:
    start = time.perf_counter()
    alphas, snrs = np.geomspace(0.1, 10, 100)[:, None], np.geomspace(0.1, 100, 100)
    found = predict(alphas, snrs, 0.0, np.geomspace(1e-2, 1e4, 100))
    spent = time.perf_counter() - start
    print(f"{found.test_mse.size:,} points of (alpha, snr, time), with best times: {spent:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 pairs")
    pairs = 5 if parser.parse_args().quick else 15
    print(f"{platform.machine()}, numpy {np.__version__}, scikit-learn {sklearn.__version__}")
    for features, n in ((0, 200), (1000, 200)):
        race_evidence(features, n, pairs)
        race_path(features, n, pairs)
    grid_seconds()


if __name__ == "__main__":
    main()
