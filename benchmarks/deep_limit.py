"""The deep limit against nearest neighbours with weights, the same rule by other means.

One thread for both. The labels first agree; `--quick` runs one size and fewer pairs.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import sklearn
from sklearn.neighbors import KNeighborsClassifier

from overparam.kernels.deep_limit import DeepLimitClassifier
from race import race

ALPHA = 8.0


def orthant(n: int, p: int, seed: int) -> np.ndarray:
    """Unit vectors without negative entries."""
    X = np.abs(np.random.default_rng(seed).normal(size=(n, p)))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def race_weights(n: int, tests: int, p: int, pairs: int) -> None:
    X, test = orthant(n, p, 0), orthant(tests, p, 1)
    y = (np.random.default_rng(2).random(n) < 0.5).astype(int)
    ours = DeepLimitClassifier(alpha=ALPHA, normalize=None).fit(X, y)
    peer = KNeighborsClassifier(n, weights=lambda d: d**-ALPHA, algorithm="brute").fit(X, y)
    tied = np.abs(ours.decision_function(test)) < 1e-4  # which rounding may turn
    race(
        lambda: np.where(tied, 0, ours.predict(test)),
        lambda: np.where(tied, 0, peer.predict(test)),
        agree={"rtol": 0},
        pairs=pairs,
        name=f"n = {n:,}, {tests:,} tests, {p} features",
    )


def large(n: int, tests: int, p: int) -> None:
    """Seconds of a size that the peer cannot hold."""
    X, test = orthant(n, p, 0).astype(np.float32), orthant(tests, p, 1).astype(np.float32)
    y = np.random.default_rng(2).integers(0, 10, n)
    for options in ({"alpha": ALPHA}, {"intrinsic_dim": 15}, {"activation": [0, 0, 1]}):
        start = time.perf_counter()
        DeepLimitClassifier(**options).fit(X, y).predict(test)
        print(f"n = {n:,}, {tests:,} tests, {p} features, {options}: ", end="")
        print(f"{time.perf_counter() - start:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one size, 5 pairs")
    parser.add_argument("--large", action="store_true", help="also 60,000 x 10,000 x 784")
    options = parser.parse_args()
    print(f"{platform.machine()}, numpy {np.__version__}, scikit-learn {sklearn.__version__}")
    for p in [9] if options.quick else [3, 9, 784]:
        race_weights(10_000, 2_000, p, pairs=5 if options.quick else 7)
    if options.large:
        large(60_000, 10_000, 784)


if __name__ == "__main__":
    main()
