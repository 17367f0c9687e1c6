"""The matrix on the logits: its curvature, its price, and what it keeps from being called noise."""

import numpy as np
import pytest

from overparam.diagnostics import habitual_confusion as habits
from overparam.diagnostics.label_channel import softmax_rows
from overparam.diagnostics.wrong_labels import label_quality


def known_matrix(n=3000, k=4, seed=0):
    """Features, a matrix, and labels drawn from the softmax of features + matrix @ features."""
    rng = np.random.default_rng(seed)
    g = rng.standard_normal((n, k))
    g -= g.mean(axis=1, keepdims=True)
    M = 0.7 * rng.standard_normal((k, k))
    p = softmax_rows(g + g @ M.T)
    return g, M, np.eye(k)[(rng.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1)]


def fitted(g, hot, precision, rounds):
    M = np.zeros((g.shape[1],) * 2)
    for _ in range(rounds):
        pi = softmax_rows(g + g @ M.T)
        at = habits.curvature(pi, g)
        M = habits.step(at, hot - pi, g, M, precision)
    return M, at


def test_steps_end_where_the_penalised_gradient_is_nought():
    g, _, hot = known_matrix()
    M, _ = fitted(g, hot, 3.0, 40)
    gradient = (hot - softmax_rows(g + g @ M.T)).T @ g - 3.0 * M
    assert np.abs(gradient).max() < 1e-6 * len(g)


def test_the_matrix_is_found_as_far_as_the_softmax_tells_it():
    g, M, hot = known_matrix(n=20_000)
    found, _ = fitted(g, hot, 1.0, 40)
    # A constant in a column, or in a row over centred features, changes no probability.
    for axis in (0, 1):
        M, found = (m - m.mean(axis=axis, keepdims=True) for m in (M, found))
    np.testing.assert_allclose(found, M, atol=0.1)


def test_the_product_has_the_exact_curvature_where_all_rows_are_equally_unsure():
    g, _, _ = known_matrix(n=300, k=3)
    pi = np.tile([0.5, 0.3, 0.2], (300, 1))
    at = habits.curvature(pi, g)
    exact = sum(
        np.kron(np.diag(p) - np.outer(p, p), np.outer(x, x)) for p, x in zip(pi, g, strict=True)
    )
    np.testing.assert_allclose(np.sort(at.values.ravel()), np.linalg.eigvalsh(exact), atol=1e-8)
    volume = np.linalg.slogdet(np.eye(9) + exact / 5.0)[1]
    assert habits.charge(at, np.zeros((3, 3)), 5.0) == pytest.approx(volume / 2)
    M = np.arange(9.0).reshape(3, 3)
    assert habits.charge(at, M, 5.0) == pytest.approx(volume / 2 + 2.5 * (M**2).sum())


def test_a_habit_of_the_predictor_is_not_called_noise():
    """Right labels; a predictor that says 1 for 0 and 3 for 2 more often than not, never surely."""
    rng = np.random.default_rng(0)
    n, k = 1200, 4
    z = 3.0 * rng.standard_normal((n, k))
    truth = softmax_rows(z.copy())
    y = (rng.random(n)[:, None] > truth.cumsum(axis=1)).sum(axis=1).clip(max=k - 1)
    B = np.eye(k)
    B[1, 0] = B[3, 2] = 0.8
    found = label_quality(softmax_rows(0.6 * z @ B.T), y)
    assert found.low < 0.01
    assert found.share < 0.02
