"""What the claims of `more_is_better` rest on: ridge regressions, and what the theory says of them.

A cell is one seed: its own pool of images, one eigendecomposition of the pool's kernel, and some
`draws` of training sets, whose mean is the measured error. Lists in a cell run over ridges,
features, noises or draws. Targets are one-hot minus their mean, errors are summed over outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import eigh

from overparam.data.loading import load
from overparam.diagnostics.power_laws import power_law_exponents
from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.random_features import relu_features
from overparam.theory.eigenframework import predict, unseen_error

C1_MODES, C1_ALPHA, C1_BETA, C1_NOISE = 1500, 1.5, 1.6, 0.05


def gaussian_design(n: int, k: float, ridge: float, seed: int, repeats: int) -> dict[str, Any]:
    """C1: random-feature ridge regression on Gaussian modes, and the theory of it.

    The eigenfunctions are independent standard normals phi; the features sum_i sqrt(lambda_i)
    w_ji phi_i over sqrt(k). The error on new rows is |v - v_hat|^2 + noise, without sampling.
    """
    modes = np.arange(1, C1_MODES + 1.0)
    lam, v = modes**-C1_ALPHA, np.sqrt(modes**-C1_BETA)
    rng = np.random.default_rng([seed, n, 0 if np.isinf(k) else int(k), int(1e6 * ridge)])
    found = np.empty((repeats, 2))
    for repeat in range(repeats):
        phi = rng.standard_normal((n, C1_MODES))
        y = phi @ v + np.sqrt(C1_NOISE) * rng.standard_normal(n)
        mixing = np.diag(np.sqrt(lam)) if np.isinf(k) else np.empty(0)
        if not np.isinf(k):
            mixing = np.sqrt(lam)[:, None] * rng.standard_normal((C1_MODES, int(k))) / np.sqrt(k)
        features = phi * np.sqrt(lam) if np.isinf(k) else phi @ mixing
        alpha = np.linalg.solve(features @ features.T + ridge * np.eye(n), y)
        learnt = mixing @ (features.T @ alpha)
        found[repeat] = ((v - learnt) ** 2).sum() + C1_NOISE, np.mean((ridge * alpha) ** 2)
    risk = predict(lam, v**2, C1_NOISE, n, k, ridge)
    error = found.std(axis=0, ddof=1) / np.sqrt(repeats)
    return {
        "test": found[:, 0].mean(),
        "train": found[:, 1].mean(),
        "test_se": error[0],
        "train_se": error[1],
        "theory_test": risk.test_mse,
        "theory_train": risk.train_mse,
    }


def kernel_errors(
    n: list[int], seed: int, source: str, pool: int, ridges: tuple[float, ...], draws: int
) -> dict[str, Any]:
    """C2 and C6: errors of the NTK at every size and ridge, with the theory's.

    `theory_test` is the framework's error on the whole pool, `unseen` what it says of the rows that
    were not trained on.
    """
    X, Y = image_pool(source, pool, seed)
    K = ntk3(X)
    lam, v2 = spectrum(K, Y)
    rows: dict[str, list[Any]] = {name: [] for name in ("test", "train", "theory_test", "unseen")}
    for size in n:
        rng = np.random.default_rng([seed, 2, size])
        subsets = [rng.permutation(pool)[:size] for _ in range(draws)]
        measured = [Trained(K[:, s], s).errors(Y, Y[s], ridges) for s in subsets]
        test, train = np.mean(measured, axis=0)
        risk = predict(lam, v2, 0.0, size, ridge=np.array(ridges))
        rows["test"].append(test.tolist())
        rows["train"].append(train.tolist())
        rows["theory_test"].append(risk.test_mse.tolist())
        rows["unseen"].append(unseen_error(risk, size, pool).tolist())
    return rows


def feature_errors(
    n: list[int],
    seed: int,
    source: str,
    pool: int,
    k: tuple[float, ...],
    ridges: tuple[float, ...],
    draws: int,
) -> dict[str, Any]:
    """C3 and C5: test errors of random features, `test` (features, ridges, draws) for each size.

    Draws share their training rows over sizes (nested) and their weights over k (a prefix), so
    that differences along a row or column of the table are paired.
    """
    X, Y = image_pool(source, pool, seed)
    limit = arc_cosine(X)
    widest = int(max(width for width in k if np.isfinite(width)))
    tests = np.empty((len(n), len(k), len(ridges), draws))
    for draw in range(draws):
        rng = np.random.default_rng([seed, 3, draw])
        order = rng.permutation(pool)
        features = relu_features(X, rng.standard_normal((widest, X.shape[1])))
        for j, width in enumerate(k):
            if np.isinf(width):
                K = limit
            else:
                part = features[:, : int(width)]
                K = part @ part[order[: max(n)]].T / width
            for i, size in enumerate(n):
                rows = order[:size]
                block = K[:, rows] if np.isinf(width) else K[:, :size]
                trained = Trained(block, rows)
                tests[i, j, :, draw] = trained.errors(Y, Y[rows], ridges)[0]
    lam, v2 = spectrum(limit, Y)
    theory = predict(
        lam, v2, 0.0, np.array(n)[:, None, None], np.array(k)[:, None], np.array(ridges)
    ).test_mse
    return {"test": tests.tolist(), "theory_test": np.where(np.isinf(theory), -1, theory).tolist()}


def noisy_kernel_errors(
    seed: int,
    source: str,
    pool: int,
    n: int,
    ridges: tuple[float, ...],
    noises: tuple[float, ...],
    draws: int,
) -> dict[str, Any]:
    """C4: test and train errors (noises, ridges, draws) of the NTK with noise on the targets.

    A noise is its variance over the noise-free test error at zero ridge; `ridges[0]` must be 0.
    Test errors count the noise of new targets by its mean. `framework` (noises,) is the predicted
    best ratio of train and test error.
    """
    X, Y = image_pool(source, pool, seed)
    K = ntk3(X)
    lam, v2 = spectrum(K, Y)
    rng = np.random.default_rng([seed, 4])
    subsets = [rng.permutation(pool)[:n] for _ in range(draws)]
    trained = [Trained(K[:, rows], rows) for rows in subsets]
    clean = np.mean([one.errors(Y, Y[one.rows], (0.0,))[0] for one in trained])
    shape = (len(noises), len(ridges), draws)
    test, train, framework = np.empty(shape), np.empty(shape), []
    bare = predict(lam, v2, 0.0, n).test_mse
    for i, noise in enumerate(noises):
        variance = noise * clean
        for draw, one in enumerate(trained):
            shake = np.sqrt(variance / Y.shape[1]) * rng.standard_normal((n, Y.shape[1]))
            found = one.errors(Y, Y[one.rows] + shake, ridges)
            test[i, :, draw], train[i, :, draw] = found[0] + variance, found[1]
        risk = predict(lam, v2, noise * bare, n, ridge=np.array(ridges))
        best = risk.test_mse.argmin()
        framework.append(float(risk.train_mse[best] / risk.test_mse[best]))
    laws = power_law_exponents(K, Y, random_state=seed)
    return {
        "test": test.tolist(),
        "train": train.tolist(),
        "framework": framework,
        "alpha": laws.alpha,
        "beta": laws.beta,
    }


def image_pool(source: str, pool: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (pool, d) of norm 1 around the pool's mean, and centred one-hot targets (pool, k)."""
    images = load(source)
    assert images.array is not None
    rows = np.random.default_rng([seed, 1]).permutation(images.n)[:pool]
    X = images.array[rows].reshape(pool, -1).astype(np.float64)
    X -= X.mean(axis=0)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    Y = np.eye(len(images.classes))[images.y[rows]]
    return X, Y - Y.mean(axis=0)


def ntk3(X: np.ndarray) -> np.ndarray:
    """NTK of a bias-free ReLU net with two hidden layers, with diagonal 1 for rows of norm 1."""
    return fully_connected("relu", 2, 2.0, 0.0)(X * np.sqrt(X.shape[1] / 2), kind="ntk") / 3


def arc_cosine(X: np.ndarray) -> np.ndarray:
    """The kernel of infinitely many features sqrt(2) relu(w.x)."""
    return fully_connected("relu", 1, 2.0, 0.0)(X * np.sqrt(X.shape[1] / 2), kind="nngp")


def spectrum(K: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and squared target coefficients of the pool as a population of its own."""
    values, vectors = eigh(K, driver="evd", check_finite=False)
    floor = len(K) * np.finfo(float).eps * values[-1]
    v2 = ((vectors.T @ Y) ** 2).sum(axis=1)
    return np.maximum(values, floor) / len(K), v2 / len(K)


class Trained:
    """Kernel regression on `rows` of a pool at any ridge; K (pool, n) is the kernel to them."""

    def __init__(self, K: np.ndarray, rows: np.ndarray) -> None:
        self.rows = rows
        self.unseen = np.setdiff1d(np.arange(len(K)), rows)
        values, self.vectors = eigh(K[rows], driver="evd", check_finite=False)
        # Rounding; also what fewer features than rows leave of a kernel without a ridge.
        self.values = np.maximum(values, len(rows) * np.finfo(float).eps * values[-1])
        self.towards = K[self.unseen] @ self.vectors

    def errors(
        self, Y: np.ndarray, targets: np.ndarray, ridges: tuple[float, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Errors (ridges,) on the other rows of Y (pool, k) and on the training targets (n, k)."""
        along = self.vectors.T @ targets
        test, train = np.empty(len(ridges)), np.empty(len(ridges))
        for i, ridge in enumerate(ridges):
            alpha = along / (self.values + ridge)[:, None]
            test[i] = ((Y[self.unseen] - self.towards @ alpha) ** 2).sum(axis=1).mean()
            train[i] = ((ridge * alpha) ** 2).sum(axis=1).mean()
        return test, train
