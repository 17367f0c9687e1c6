"""Collapse metrics against their definitions in NumPy and the bare product; fits against torch.

No package with these metrics is on the index; what is written in papers' scripts is a loop over
classes, scatter matrices and `np.linalg.pinv`. All metrics first agree to 1e-8. One thread for
everybody; `--quick` takes the small size only.
"""

from __future__ import annotations

import argparse
import os
from importlib.metadata import version

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from overparam.diagnostics.collapse_metrics import ClassMoments, neural_collapse
from overparam.training.unconstrained_features import fit_unconstrained_features
from race import race

NAMES = ("nc1", "nc1_trace", "nc2_etf", "nc2_orthogonal", "nc3", "nc3_centred", "nc4")


def by_definition(h: np.ndarray, y: np.ndarray, weight: np.ndarray) -> list[float]:
    """The metrics as they are written down, without nc4."""
    k, n = len(weight), len(y)
    means = np.stack([h[y == c].mean(0) for c in range(k)])
    within = np.zeros((h.shape[1], h.shape[1]))
    for c in range(k):
        z = h[y == c] - means[c]
        within += z.T @ z / n
    centred = means - means.mean(0)
    between = centred.T @ centred / k

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.linalg.norm(a / np.linalg.norm(a) - b / np.linalg.norm(b)))

    return [
        float(np.trace(within @ np.linalg.pinv(between, rcond=1e-8))) / k,
        float(np.trace(within) / np.trace(between)),
        distance(centred @ centred.T, np.eye(k) - 1 / k),
        distance(means @ means.T, np.eye(k)),
        distance(weight, means),
        distance(weight, centred),
    ]


def disagreement(h: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    """nc4 as it is written down, the distances by one product."""
    means = np.stack([h[y == c].mean(0) for c in range(len(weight))])
    distances = (means**2).sum(1) - 2 * h @ means.T
    return float(((h @ weight.T).argmax(1) != distances.argmin(1)).mean())


def race_metrics(n: int, d: int, k: int, pairs: int) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(n) % k
    h = 2 * rng.standard_normal((k, d))[y] + rng.standard_normal((n, d))
    weight = rng.standard_normal((k, d))
    title = f"n = {n:,}, d = {d}, K = {k}"

    def streamed() -> list[float]:
        moments = ClassMoments(k)
        for start in range(0, n, 4096):
            moments.update(h[start : start + 4096], y[start : start + 4096])
        found = moments.collapse(weight).scalars()
        return [found[name] for name in NAMES[:-1]]

    def at_once() -> list[float]:
        found = neural_collapse(h, y, weight).scalars()
        return [found[name] for name in NAMES]

    def definition() -> list[float]:
        return by_definition(h, y, weight)

    def all_definitions() -> list[float]:
        return [*by_definition(h, y, weight), disagreement(h, y, weight)]

    def product() -> float:
        return float((h.T @ h)[0, 0])

    agree = {"rtol": 1e-8}
    race(at_once, all_definitions, agree=agree, pairs=pairs, name=f"{title}: at once, definition")
    race(streamed, definition, agree=agree, pairs=pairs, name=f"{title}: streamed, definition")
    # Nothing to agree on: the product is the floor of any pass that forms a d x d scatter.
    race(streamed, product, agree=None, pairs=pairs, name=f"{title}: streamed, X^T X alone")


def race_fits(depth: int, pairs: int) -> None:
    """To a loss within 1e-5 of each other: our variables against the plain ones under torch."""
    sizes, decay, feature_decay = [50] * 4, 5e-4, 1e-5
    labels = torch.arange(4).repeat_interleave(50)
    target = torch.eye(4, dtype=torch.float64)[:, labels]

    def ours() -> float:
        return fit_unconstrained_features(sizes, [decay] * depth, feature_decay).loss

    def torch_lbfgs() -> float:
        g = torch.Generator().manual_seed(0)
        shapes = [(8, 8)] * (depth - 1) + [(4, 8), (8, 200)]
        draws = [torch.randn(s, dtype=torch.float64, generator=g) for s in shapes]
        scales = [0.4] * depth + [0.5]
        values = [(s * x).requires_grad_() for s, x in zip(scales, draws, strict=True)]
        solver = torch.optim.LBFGS(
            values,
            max_iter=3000,
            history_size=20,
            tolerance_grad=1e-9,
            tolerance_change=1e-14,
            line_search_fn="strong_wolfe",
        )

        def loss() -> torch.Tensor:
            solver.zero_grad()
            total = values[-1]
            for weight in values[:-1]:
                total = weight @ total
            penalty = sum(decay * w.square().sum() for w in values[:-1])
            penalty = penalty + feature_decay * values[-1].square().sum()
            value = (total - target).square().sum() / 400 + penalty / 2
            value.backward()
            return value

        solver.step(loss)
        return float(loss().detach())

    race(ours, torch_lbfgs, agree={"rtol": 1e-5}, pairs=pairs, name=f"free features, M = {depth}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small size, 5 pairs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "torch")))
    race_metrics(20_000, 64, 10, 5 if options.quick else 15)
    if not options.quick:
        race_metrics(100_000, 512, 100, 5)
    for depth in (1, 3):
        race_fits(depth, 5)


if __name__ == "__main__":
    main()
