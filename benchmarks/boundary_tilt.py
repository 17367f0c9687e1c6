"""Deviation angles of all pairs of ten classes, and the walk to a net's nearest boundary.

Nobody measures the angle: the first race is against the definition, a loop over the 45 pairs. The
walk races torchattacks' DeepFool, whose answer is the oracle: the bisection can only shorten it.
Peer: `pip install --no-deps torchattacks` (its pin of requests is old). One thread for everybody;
`--quick` takes 6,000 rows.
"""

from __future__ import annotations

import argparse
import os
import time
from importlib.metadata import version
from itertools import combinations

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import torchattacks
from torch import Tensor, nn

from overparam.data.loading import load
from overparam.diagnostics.attacks.deepfool import boundary_points
from overparam.diagnostics.deviation_angle import boundary_tilt
from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from race import race


def by_definition(
    coef: np.ndarray, intercept: np.ndarray, X: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Angle, median distance and accuracy, pair by pair (45, 3)."""
    found = []
    for i, j in combinations(range(10), 2):
        A, B = X[y == i].astype(float), X[y == j].astype(float)
        w, level = coef[j] - coef[i], intercept[j] - intercept[i]
        c = w / np.linalg.norm(w)
        b = B.mean(0) - A.mean(0)
        angle = np.degrees(np.arccos(abs(c @ b) / np.linalg.norm(b)))
        scores = np.concatenate([A @ w + level, B @ w + level])
        right = np.concatenate([scores[: len(A)] <= 0, scores[len(A) :] > 0])
        found.append([angle, np.median(np.abs(scores)) / np.linalg.norm(w), right.mean()])
    return np.array(found)


def race_pairs(X: np.ndarray, y: np.ndarray, pairs: int) -> None:
    rng = np.random.default_rng(0)
    coef, intercept = rng.standard_normal((10, X.shape[1])), rng.standard_normal(10)

    def ours(components: bool = False) -> np.ndarray:
        found = boundary_tilt((coef, intercept), X, y, pairs="all", components=components)
        return np.array(
            [[t.deviation_angle, t.median_distance, t.accuracy] for t in found.values()]
        )

    title = f"45 pairs, n = {len(X):,}, d = {X.shape[1]}"
    race(
        ours,
        lambda: by_definition(coef, intercept, X, y),
        agree={"rtol": 1e-6},
        pairs=pairs,
        name=f"{title}: angles, definition",
    )
    start = time.perf_counter()
    ours(components=True)
    print(f"{title}: with components {time.perf_counter() - start:.2f} s")


class Pixels(nn.Module):
    """Images in, as torchattacks wants them."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x.flatten(1))
        return logits


def race_walks(X: np.ndarray, y: np.ndarray, rows: int, pairs: int) -> None:
    nets = Ensemble(lambda d, k, s: MLP(d, k, (200, 200), seed=s), [0], X.shape[1], 10)
    nets.fit(X[:4000], y[:4000], epochs=10)
    right = np.flatnonzero(nets.predict_logits(X[4000:6000])[0].argmax(1) == y[4000:6000])
    chosen = 4000 + right[:rows]
    module = Pixels(nets.member(0))
    images = torch.from_numpy(X[chosen]).reshape(-1, 1, 28, 28)
    labels = torch.from_numpy(y[chosen])
    peer = torchattacks.DeepFool(module, steps=50, overshoot=0.0)

    def ours() -> np.ndarray:
        # Within the pixels' range, where the peer clips every step.
        return boundary_points(module, images, bounds=(0.0, 1.0)).distance.numpy()

    def theirs() -> np.ndarray:
        return (peer(images, labels) - images).flatten(1).norm(dim=1).numpy()

    a, b = ours(), theirs()
    print(
        f"distance: ours / torchattacks' median {np.median(a / b):.4f}, from {np.min(a / b):.4f} "
        f"to {np.max(a / b):.4f}; ours is shorter or within 1 % on {np.mean(a < 1.01 * b):.0%}"
    )
    # The answers were compared above: ours may be shorter, which `agree` has no word for.
    race(ours, theirs, agree=None, pairs=pairs, name=f"walk of {len(chosen)} rows, torchattacks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(", ".join(f"{name} {version(name)}" for name in ("numpy", "torch", "torchattacks")))
    images = load("fashion-mnist")
    assert images.array is not None
    n = 6000 if options.quick else 60_000
    X = images.array[:n].reshape(n, -1).astype(np.float32) / 255
    y = images.y[:n]
    race_pairs(X, y, 5)
    race_walks(X, y, 40, 5)  # the peer takes its rows one by one: most of a second each


if __name__ == "__main__":
    main()
