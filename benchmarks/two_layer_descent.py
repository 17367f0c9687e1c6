"""The Gram form of a two-layer network's gradient descent against the direct form.

One thread. Both train on XOR clusters from one start; first their test outputs at all steps must
agree. "All in" is from rows to outputs, K included; "steps" is the loop alone. A stack trains seeds
together. No other implementation is known to us.
"""

from __future__ import annotations

import argparse
import os
import platform

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from overparam.data.synthetic import xor_clusters
from overparam.training.two_layer_descent import DirectForm, Form, GramForm, descend
from race import race

STEPS = 30


def problem(n: int, p: int, hidden: int, seed: int = 0) -> list[np.ndarray]:
    """X, y, X_test, W0 and a."""
    X, y, _ = xor_clusters(n, p, 2 * p**0.25, 0.1, 2 * seed)
    X_test, _, _ = xor_clusters(1000, p, 2 * p**0.25, 0.1, 2 * seed + 1)
    rng = np.random.default_rng(seed)
    W0 = np.float32(1e-5) * rng.standard_normal((hidden, p), dtype=np.float32)
    a = (rng.choice([-1.0, 1.0], hidden) / np.sqrt(hidden)).astype(np.float32)
    return [X, y, X_test, W0, a]


def outputs(form: Form, y: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Test outputs at every step."""
    moments = descend(form, y, a, step=0.02, n_steps=STEPS)
    return np.stack([m.test_output for m in moments if m.test_output is not None])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smallest, 5 pairs")
    quick = parser.parse_args().quick
    print(f"{platform.machine()}, numpy {np.__version__}, float32, {STEPS} steps, 1,000 test rows")
    sizes = [(200, 10_000)] if quick else [(200, 10_000), (400, 20_000)]
    for n, p in sizes:
        X, y, X_test, W0, a = problem(n, p, 256)
        largest = np.abs(outputs(GramForm.of(X, W0, X_test), y, a)).max()
        agree = {"rtol": 1e-3, "atol": 1e-3 * largest}
        products = (X @ X.T, X @ W0.T, X_test @ X.T, X_test @ W0.T)
        ways = {
            "all in": lambda X=X, W0=W0, T=X_test: GramForm.of(X, W0, T),
            "steps": lambda products=products: GramForm(*products),
        }
        if n > 200:  # a direct run lasts 10 to 25 s
            ways.pop("steps")
        for name, gram in ways.items():
            race(
                lambda gram=gram, y=y, a=a: outputs(gram(), y, a),
                lambda X=X, W0=W0, T=X_test, y=y, a=a: outputs(DirectForm(X, W0, T), y, a),
                agree=agree, pairs=5, name=f"{name}, n = {n}, p = {p:,}, m = 256",
            )  # fmt: skip
    each = [problem(100, 2000, 64, seed) for seed in range(8)]
    X, y, X_test, W0, a = (np.stack(values) for values in zip(*each, strict=True))
    race(
        lambda: outputs(GramForm.of(X, W0, X_test), y, a),
        lambda: np.stack(
            [outputs(GramForm.of(x, w, t), s, b) for x, s, t, w, b in each], axis=1
        ),
        agree={"rtol": 1e-3, "atol": 1e-3}, pairs=5 if quick else 15,
        name="8 seeds as a stack against a loop, n = 100, m = 64",
    )  # fmt: skip


if __name__ == "__main__":
    main()
