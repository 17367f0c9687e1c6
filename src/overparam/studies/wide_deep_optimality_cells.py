"""What the claims of `wide_deep_optimality` rest on: a few kernel systems or one network a cell."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist

from overparam.data.loading import load
from overparam.data.orthant import OrthantSample, Problem, make_orthant
from overparam.kernels.deep_limit import DeepLimitClassifier
from overparam.kernels.deep_recursion import deep_kernel, log_diagonal, log_psi
from overparam.kernels.dual import dual_activation, optimal_coefficients
from overparam.kernels.ntk_classifier import JITTER, NTKClassifier, tabulated_kernel

D = 2  # dimension of the points of C3, C4 and C6
TEST_ROWS = 2000
DISTANCES = (1e-4, 1e-2)  # C2: between which the slope is taken
ACTIVATIONS: dict[str, Any] = {
    "h_2": [0, 0, 1],
    "vote": np.sqrt([0.3, 0, 0, 0.7]),
    "optimal, d = 2": optimal_coefficients(2),
    "optimal, d = 8": optimal_coefficients(8),
    "tanh": "tanh",
}
NEAREST = ACTIVATIONS["h_2"]


def image_pair(
    source: str, pair: str, parts: tuple[tuple[int, int], tuple[int, int]], seed: int
) -> tuple[np.ndarray, ...]:
    """Training images and labels, test images and labels, of two classes.

    `pair` names them, such as ``Sneaker/Boot``; `parts` holds their numbers among training and
    among test rows. Pixels are >= 0; a row's norm is left to the classifiers.
    """
    images = load(source)
    assert images.array is not None
    rng = np.random.default_rng(seed)
    rows: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    codes = [images.classes.index(name) for name in pair.split("/")]
    for label, (train, test) in zip(codes, zip(*parts, strict=True), strict=True):
        drawn = rng.permutation(np.flatnonzero(images.y == label))[: train + test]
        rows[0].append(drawn[:train])
        rows[1].append(drawn[train:])
    found = []
    for part in rows:
        chosen = np.concatenate(part)
        found += [images.array[chosen].reshape(len(chosen), -1).astype(float)]
        found += [(images.y[chosen] == codes[1]).astype(int)]
    return tuple(found)


def limit_agreement(
    activation: str,
    depth: list[int],
    seed: int,
    source: str,
    pair: str,
    parts: tuple[tuple[int, int], tuple[int, int]],
) -> dict[str, Any]:
    """C1: share of test images on which networks of some depths agree with their limit."""
    X, y, test, _ = image_pair(source, pair, parts, seed)
    phi = ACTIVATIONS[activation]
    limit = DeepLimitClassifier(phi).fit(X, y)
    predicted = limit.predict(test)
    deep = [NTKClassifier(phi, each).fit(X, y).predict(test) for each in depth]
    assert limit.limit_ is not None
    return {
        "kind": [limit.limit_.kind] * len(depth),
        "agreement": [float((p == predicted).mean()) for p in deep],
    }


def weight_slopes(d: float, depth: int) -> dict[str, float]:
    """C2: slopes of log psi, and of the log kernel of a depth, on the log distance."""
    dual = dual_activation(optimal_coefficients(d))
    log_distance = np.linspace(np.log(DISTANCES[0]), np.log(DISTANCES[1]), 201)
    t = np.exp(2 * log_distance) / 2
    psi, _ = log_psi(dual, t)
    kernel = deep_kernel(dual, t, depth).log_size
    slope, ntk = (float(np.polyfit(log_distance, v, 1)[0]) for v in (psi, kernel))
    return {"psi": slope, "kernel": ntk}


def excess_risks(problem: Problem, n: int, seed: int, draw: int) -> dict[str, float]:
    """C3 and C4: excess risk of every rule on one sample of n points.

    `draw` counts samples of a seed, over which its figures are averaged.
    """
    train, test = samples(problem, n, seed, draw)
    rules: dict[str, dict[str, Any]] = {
        "alpha = d": {"alpha": D},
        "psi": {"activation": "optimal"},
        "alpha = d/2": {"alpha": D / 2},
        "alpha = 2d": {"alpha": 2 * D},
        "1-NN": {"activation": NEAREST},
        "majority": {"activation": "relu"},
    }
    models = {name: DeepLimitClassifier(**options) for name, options in rules.items()}
    return {
        name: test.excess_risk(model.fit(train.X, train.y).predict(test.X))
        for name, model in models.items()
    }


def samples(problem: Problem, n: int, seed: int, draw: int) -> tuple[OrthantSample, OrthantSample]:
    """Training and test points of a seed and draw, from one world."""
    world = 1000 * seed + draw
    return (
        make_orthant(problem, n, seed=2 * world, world=world),
        make_orthant(problem, TEST_ROWS, seed=2 * world + 1, world=world),
    )


def depth_errors(depth: list[int], n: int, seed: int, draw: int) -> dict[str, list[float]]:
    """C6: error of networks of some depths on a regression without noise, and on the rings."""
    smooth, smooth_test = samples("smooth", n, seed, draw)
    rings, rings_test = samples("rings", n, seed, draw)
    nearest = DeepLimitClassifier(NEAREST).fit(rings.X, rings.y).predict(rings_test.X)
    found: dict[str, list[float]] = {"regression": [], "classification": []}
    for each in depth:
        predicted = regression(smooth.X, target(smooth.X), smooth_test.X, each)
        truth = target(smooth_test.X)
        found["regression"].append(float(np.mean((predicted - truth) ** 2) / np.mean(truth**2)))
        model = NTKClassifier(optimal_coefficients(D), each).fit(rings.X, rings.y)
        found["classification"].append(rings_test.excess_risk(model.predict(rings_test.X)))
    return {**found, "nearest": [rings_test.excess_risk(nearest)] * len(depth)}


def target(X: np.ndarray) -> np.ndarray:
    """What C6 regresses on."""
    return X[:, 0] - X[:, 1] + 0.5 * X[:, 2]


def regression(X: np.ndarray, y: np.ndarray, test: np.ndarray, depth: int) -> np.ndarray:
    """Predictions of the infinitely wide network of the optimal activation, trained to the end."""
    dual = dual_activation(optimal_coefficients(D))
    K, k = (
        tabulated_kernel(dual, cdist(rows, X, "sqeuclidean") / 2, depth).value for rows in (X, test)
    )
    return k @ np.linalg.solve(K + JITTER * np.eye(len(X)), y)


def finite_network(
    layers: int,
    width: int,
    seed: int,
    draw: int,
    source: str,
    pair: str,
    parts: tuple[tuple[int, int], tuple[int, int]],
    pool: int,
    steps: int,
) -> dict[str, float]:
    """C5: a network of finite width beside kernel gradient descent after as many steps.

    Images are averaged over squares of `pool` pixels. Full-batch gradient descent on the squared
    loss, output at initialisation subtracted, step 1 / lambda_max of the infinite network's kernel.
    """
    seed = 1000 * seed + draw
    X, labels, test, _ = image_pair(source, pair, parts, seed)
    X, test = pooled(X, pool), pooled(test, pool)
    y = 2.0 * labels - 1
    dual = dual_activation(optimal_coefficients(D))
    scale = np.exp(log_diagonal(dual.b, layers))
    K, k = (
        scale * deep_kernel(dual, cdist(rows, X, "sqeuclidean") / 2, layers).value
        for rows in (X, test)
    )
    values, vectors = np.linalg.eigh(K)
    step = 1 / values[-1]
    # After T steps from 0: K^{-1} (I - (I - step K)^T) y, of which the limit 0 / 0 is step T.
    reached = -np.expm1(steps * np.log1p(-np.clip(step * values, 1e-14, 1 - 1e-14)))
    kernel = k @ (vectors @ (reached / np.maximum(values, 1e-14 / step) * (vectors.T @ y)))
    network = descend(X, y, test, layers=layers, width=width, seed=seed, step=step, steps=steps)
    return {
        "agreement": float(np.mean((network > 0) == (kernel > 0))),
        "correlation": float(np.corrcoef(network, kernel)[0, 1]),
        "largest": float(np.abs(network).max()),
    }


def pooled(X: np.ndarray, pool: int) -> np.ndarray:
    """Square images averaged over squares of `pool` pixels, as unit vectors."""
    side = int(np.sqrt(X.shape[1]))
    small = X.reshape(-1, side // pool, pool, side // pool, pool).mean(axis=(2, 4))
    rows = small.reshape(len(X), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def optimal_activation(z: torch.Tensor) -> torch.Tensor:
    """The activation for d = 2, a polynomial: (h_1 + h_3) / sqrt 2 and its like."""
    _, c1, c2, c3 = optimal_coefficients(D)
    return c1 * z + c2 * (z * z - 1) / 2**0.5 + c3 * (z * z * z - 3 * z) / 6**0.5


def descend(
    X: np.ndarray,
    y: np.ndarray,
    test: np.ndarray,
    *,
    layers: int,
    width: int,
    seed: int,
    step: float,
    steps: int,
) -> np.ndarray:
    """Outputs for test rows, less those at initialisation, of a network trained on all layers.

    f(x) = v . phi(W_L ... phi(W_1 x) / sqrt(width)) / sqrt(width),  all weights N(0, 1).
    """
    generator = torch.Generator().manual_seed(seed)
    sizes = [X.shape[1], *[width] * layers, 1]
    weights = [
        torch.randn(after, before, generator=generator).requires_grad_()
        for before, after in itertools.pairwise(sizes)
    ]
    train, held, targets = (torch.tensor(v, dtype=torch.float32) for v in (X, test, y))

    def output(x: torch.Tensor) -> torch.Tensor:
        for i, W in enumerate(weights):
            x = x @ W.T if i == 0 else x @ W.T / W.shape[1] ** 0.5
            x = optimal_activation(x) if i < layers else x
        return x[:, 0]

    with torch.no_grad():
        start, start_held = output(train), output(held)
    for _ in range(steps):
        loss = ((output(train) - start - targets) ** 2).sum() / 2
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for W, gradient in zip(weights, gradients, strict=True):
                W -= step * gradient
    with torch.no_grad():
        return (output(held) - start_held).double().numpy()
