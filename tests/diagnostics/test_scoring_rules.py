"""Scoring rules against scikit-learn and against what makes them proper."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from overparam.diagnostics import brier, kl_to_conditional, nll


def predictions(n=500, k=5):
    rng = np.random.default_rng(1)
    probs = rng.dirichlet(np.ones(k), size=n)
    return probs, rng.integers(0, k, n)


def test_nll_is_the_log_loss():
    probs, y = predictions()
    assert nll(probs, y) == pytest.approx(log_loss(y, probs), rel=1e-12)


def test_brier_is_the_squared_distance_to_the_label():
    probs, y = predictions()
    assert brier(probs, y) == pytest.approx(((probs - np.eye(5)[y]) ** 2).sum(1).mean(), rel=1e-12)


def test_a_probability_of_zero_does_not_make_the_mean_infinite():
    assert np.isfinite(nll([[1.0, 0.0], [1.0, 0.0]], [0, 1]))


def test_kl_is_what_the_log_loss_exceeds_the_entropy_by():
    pi, _ = predictions()
    probs = np.random.default_rng(2).dirichlet(np.ones(5), size=len(pi))
    cross_entropy = -(pi * np.log(probs)).sum(1).mean()
    entropy = -(pi * np.log(pi)).sum(1).mean()
    assert kl_to_conditional(pi, probs) == pytest.approx(cross_entropy - entropy, rel=1e-9)
    assert kl_to_conditional(pi, pi) == 0.0


def test_kl_needs_one_shape():
    pi, _ = predictions()
    with pytest.raises(ValueError, match=r"one shape; got \(500, 5\) and \(499, 5\)"):
        kl_to_conditional(pi, pi[:-1])
