"""What the claims of `xor_grokking` rest on: descents in Gram form, seeds as one stack.

Rows of a seed come from streams of their own, so that a seed does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from overparam.data.loading import load
from overparam.data.synthetic import xor_clusters
from overparam.training.run_history import LogSpaced
from overparam.training.two_layer_descent import GramForm, Moment, descend, linear_share

FLIPPED = 0.1  # of the training labels
PENALTIES = tuple(10.0**k for k in range(-2, 8))  # C5, and multiples of p
MULTIPLES = (1e-3, 1.0, 100.0)
PAIRS = {"fashion-mnist": ("Trouser", "Boot"), "digits": ("0", "1")}  # CI has digits alone

Products = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def start(p: int, hidden: int, init_std: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """W0 (m, p) and a (m,), in float32."""
    rng = np.random.default_rng([seed, 1])
    W0 = np.float32(init_std) * rng.standard_normal((hidden, p), dtype=np.float32)
    return W0, (rng.choice([-1.0, 1.0], hidden) / np.sqrt(hidden)).astype(np.float32)


def products(X: np.ndarray, X_test: np.ndarray, W0: np.ndarray) -> Products:
    """All that the Gram form needs of p columns: K, X W0^T, and both of the test rows."""
    return X @ X.T, X @ W0.T, X_test @ X.T, X_test @ W0.T


def stacked(each: Iterable[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Arrays of several runs as stacks (S, ...)."""
    return [np.stack(arrays) for arrays in zip(*each, strict=True)]


def xor_descents(
    seed: list[int], n: int, p: int, hidden: int, test_rows: int, step: float, n_steps: int
) -> dict[str, Any]:
    """C1 to C6: one descent a seed on XOR clusters with ||mu||^2 = 4 sqrt(p), and ridges.

    Curves over the steps 0..n_steps: accuracies (train as labelled, test clean and noisy), the
    linear share of the test outputs, the share of neurons that lean to the right mean, and mean
    absolute cosines with the right and the wrong one. `ridge_accuracy` by penalty.
    """
    norm = 2 * p**0.25
    drawn, labels, near, ridges = [], [], [], []
    for s in seed:
        X, y, _ = xor_clusters(n, p, norm, FLIPPED, 2 * s)
        X_test, y_noisy, y_test = xor_clusters(test_rows, p, norm, FLIPPED, 2 * s + 1)
        W0, a = start(p, hidden, 1e-5, s)
        drawn.append(products(X, X_test, W0))
        labels.append((y, y_test, y_noisy, a))
        near.append((X[:, :2], W0[:, :2], (W0**2).sum(axis=1)))
        ridges.append(ridge_accuracies(drawn[-1][0], drawn[-1][2], y, y_test, p))
    gram, first, *_ = arrays = stacked(drawn)
    y, y_test, y_noisy, a = stacked(labels)
    form = GramForm(*arrays)
    rows: list[dict[str, np.ndarray]] = []
    for moment in descend(form, y, a, step=step, n_steps=n_steps):
        assert moment.test_output is not None
        assert moment.test_linear is not None
        rows.append(
            {
                "train_accuracy": accuracy(moment.output, y),
                "test_accuracy": accuracy(moment.test_output, y_test),
                "noisy_accuracy": accuracy(moment.test_output, y_noisy),
                "linear_part": linear_share(moment.test_output, moment.test_linear),
                **directions(form.dual, gram, first, stacked(near), a),
            }
        )
    curves = {name: np.stack([row[name] for row in rows], axis=1) for name in rows[0]}
    return {**curves, "ridge_accuracy": np.array(ridges)}


def accuracy(output: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Share (S,) of rows on the right side."""
    return np.asarray((output * y > 0).mean(axis=-1))


def directions(
    dual: np.ndarray, gram: np.ndarray, first: np.ndarray, near: list[np.ndarray], a: np.ndarray
) -> dict[str, np.ndarray]:
    """Where neurons point, of W = W0 + A^T X, without W: means lie on the first two axes."""
    X, W0, squares = near
    components = np.abs(W0 + dual.swapaxes(-1, -2) @ X)  # (S, m, 2)
    lengths = squares + (dual * (2 * first + gram @ dual)).sum(axis=-2)
    cosines = components / np.sqrt(lengths)[..., None]
    positive = a > 0
    right = np.where(positive, cosines[..., 0], cosines[..., 1])
    wrong = np.where(positive, cosines[..., 1], cosines[..., 0])
    return {
        "right_neurons": (right > wrong).mean(axis=-1),
        "right_cosine": right.mean(axis=-1),
        "wrong_cosine": wrong.mean(axis=-1),
    }


def penalties(p: int) -> list[float]:
    """C5: what is added to K, absolute and in multiples of p."""
    return sorted({*PENALTIES, *(m * p for m in MULTIPLES)})


def ridge_accuracies(
    gram: np.ndarray, test_gram: np.ndarray, y: np.ndarray, y_test: np.ndarray, p: int
) -> list[float]:
    """Test accuracy of ridge regression on the labels, at every penalty."""
    values, vectors = np.linalg.eigh(gram.astype(float))
    along, test = vectors.T @ y, test_gram @ vectors
    scores = [test @ (along / (values + penalty)) for penalty in penalties(p)]
    return [float((score * y_test > 0).mean()) for score in scores]


def final_errors(
    n: int,
    seed: int,
    strength: list[float],
    p: int,
    hidden: int,
    test_rows: int,
    step: float,
    n_steps: int,
) -> dict[str, Any]:
    """C7: clean test error at the end, for ||mu||^2 = strength x sqrt(p), on the same noise."""
    W0, a = start(p, hidden, 1e-5, seed)
    # Sizes get draws of their own; strengths share the noise, and differ in two columns only.
    first = 2 * (seed + 1000 * n)
    X, y, _ = xor_clusters(n, p, 0.0, FLIPPED, first)
    X_test, _, y_test = xor_clusters(test_rows, p, 0.0, FLIPPED, first + 1)
    towards = xor_clusters(n, p, 1.0, FLIPPED, first)[0][:, :2] - X[:, :2]
    test_towards = xor_clusters(test_rows, p, 1.0, FLIPPED, first + 1)[0][:, :2] - X_test[:, :2]
    noise = products(X[:, 2:], X_test[:, 2:], W0[:, 2:])
    drawn = []
    for s in strength:
        norm = np.float32(np.sqrt(s) * p**0.25)
        near, test_near = X[:, :2] + norm * towards, X_test[:, :2] + norm * test_towards
        signal = products(near, test_near, W0[:, :2])
        drawn.append([one + other for one, other in zip(noise, signal, strict=True)])
    y, y_test, a = (np.tile(values, (len(strength), 1)) for values in (y, y_test, a))
    moments = descend(GramForm(*stacked(drawn)), y, a, step=step, n_steps=n_steps, at={n_steps})
    (end,) = moments
    assert end.test_output is not None
    return {
        "error": 1 - accuracy(end.test_output, y_test),
        "train_accuracy": accuracy(end.output, y),
        "x": [n * s**2 for s in strength],
    }


def image_descents(
    seed: list[int],
    design: str,
    source: str,
    n: int,
    test_rows: int,
    noise_columns: int,
    hidden: int,
    init_std: float,
    step: float,
    n_steps: int,
) -> dict[str, Any]:
    """C8 and C9: curves at log-spaced steps on real images, one descent a seed.

    `design` is "classes" (digits 3 and 8 against 5 and 9) or "pairs" (two images side by side, +1
    if both are of one class). `init_std` is that of a neuron's output on a row of variance 1.
    """
    drawn, labels = [], []
    for s in seed:
        X, y, X_test, y_test = image_rows(design, source, n, test_rows, noise_columns, s)
        W0, a = start(X.shape[1], hidden, init_std / np.sqrt(X.shape[1]), s)
        drawn.append(products(X, X_test, W0))
        wrong = np.random.default_rng([s, 2]).random(n) < FLIPPED
        labels.append((np.where(wrong, -y, y), y_test, wrong, a))
    y, y_test, wrong, a = stacked(labels)
    at = {*range(6), *(t for t in range(n_steps + 1) if t in LogSpaced(10)), 50, n_steps}
    form = GramForm(*stacked(drawn))
    moments: list[Moment] = list(descend(form, y, a, step=step, n_steps=n_steps, at=at))
    right = np.stack([moment.output * y > 0 for moment in moments], axis=1)  # (S, T, n)
    tests = [accuracy(moment.test_output, y_test) for moment in moments]  # type: ignore[arg-type]
    of_wrong = [right[i][:, wrong[i]].mean(axis=-1) for i in range(len(seed))]
    return {
        "steps": np.tile([moment.step for moment in moments], (len(seed), 1)),
        "train_accuracy": right.mean(axis=-1),
        "test_accuracy": np.stack(tests, axis=1),
        "wrong_labels_fit": np.array(of_wrong),
        "test_rows": [y_test.shape[1]] * len(seed),
    }


def image_rows(
    design: str, source: str, n: int, test_rows: int, noise_columns: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test rows with clean labels; centred, of variance 1, in float32."""
    dataset = load(source)
    assert dataset.array is not None
    images, classes = dataset.array.reshape(dataset.n, -1), np.array(dataset.classes)[dataset.y]
    rng = np.random.default_rng([seed, 0])
    if design == "classes":
        kept = rng.permutation(np.flatnonzero(np.isin(classes, ("3", "8", "5", "9"))))
        kept = kept[: n + test_rows]
        X, y = images[kept], np.where(np.isin(classes[kept], ("3", "8")), 1, -1)
    else:
        # Images of the training and of the test rows are not the same ones.
        sides = [rng.permutation(np.flatnonzero(classes == c)) for c in PAIRS[source]]
        parts = [np.split(side, [len(side) // 2]) for side in sides]
        X, y = (
            np.concatenate(each)
            for each in zip(
                image_pairs(images, [part[0] for part in parts], n, rng),
                image_pairs(images, [part[1] for part in parts], test_rows, rng),
                strict=True,
            )
        )
    X = X.astype(np.float32)
    X -= X[:n].mean(axis=0)
    X /= X[:n].std()
    if noise_columns:
        X = np.hstack([X, rng.standard_normal((len(X), noise_columns), dtype=np.float32)])
    return X[:n], y[:n], X[n:], y[n:]


def image_pairs(
    images: np.ndarray, sides: Sequence[np.ndarray], n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """n rows of two images side by side, each of a random class; +1 if the classes agree."""
    classes = rng.integers(0, 2, (n, 2))
    chosen = np.where(classes == 0, rng.choice(sides[0], (n, 2)), rng.choice(sides[1], (n, 2)))
    return images[chosen].reshape(n, -1), np.where(classes[:, 0] == classes[:, 1], 1, -1)
