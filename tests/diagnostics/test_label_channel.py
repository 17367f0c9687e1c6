"""The channel's fit: its bound, its limits, and what it makes of predictions."""

import numpy as np
import pytest

from overparam.diagnostics.label_channel import (
    ChannelState,
    Structure,
    first_state,
    fit_channel,
    log_probabilities,
    posterior,
    softmax_rows,
)

EVEN = Structure(1e5, 1e5, profile=False)
FEW = Structure(1e5, 0.3, profile=False)
OWN = Structure(30.0, 0.3, profile=True)


def predictions(n=400, k=4, share=0.2, seed=0):
    """Two predictors' probabilities (2, n, k), labels with wrong ones, true classes."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    logits = rng.standard_normal((2, n, k)) + 4 * np.eye(k)[true]
    p = np.stack([softmax_rows(z.copy()) for z in logits])
    wrong = rng.random(n) < share
    return p, np.where(wrong, (true + rng.integers(1, k, n)) % k, true), true


@pytest.mark.parametrize("structure", [EVEN, FEW])
def test_more_rounds_never_lower_the_bound(structure):
    p, y, _ = predictions()
    logs, state = log_probabilities(p), first_state(p, y)
    bounds = [
        fit_channel(logs, y, 0.2, structure, state, rounds=rounds)[0] for rounds in range(1, 25)
    ]
    assert min(np.diff(bounds)) > -1e-6


def test_a_common_rate_is_kept_and_its_evidence_is_highest_near_the_truth():
    p, y, true = predictions(n=2000)
    logs, state = log_probabilities(p), first_state(p, y)
    bounds = []
    for rate in (0.05, 0.1, 0.2, 0.3, 0.4):
        bound, found = fit_channel(logs, y, rate, EVEN, state, rounds=40)
        bounds.append(bound)
    assert np.argmax(bounds) == 2
    q = posterior(logs, y, 0.2, EVEN, found)
    np.testing.assert_allclose(q.sum(axis=1), 1)
    assert (q.argmax(axis=1) == true).mean() > 0.95


def test_classes_cannot_swap_their_names():
    p, _, true = predictions(k=3)
    y = (true + 1) % 3  # every label is wrong: the nearest channel calls it an even split
    logs = log_probabilities(p)
    state = ChannelState(np.eye(3)[[1, 2, 0]] * 100, np.full(2, 0.5), np.zeros(3), np.zeros((3, 3)))
    _, found = fit_channel(logs, y, 0.45, FEW, state, rounds=1)
    flat = ChannelState(state.counts, found.weights * 0, found.offsets, found.habits)
    q = posterior(logs, y, 0.45, FEW, flat)
    assert (q[np.arange(len(y)), y] >= q[np.arange(len(y)), (y + 2) % 3] - 1e-9).all()


def test_profiles_find_classes_that_the_predictors_have_learnt_to_confuse():
    rng = np.random.default_rng(0)
    k, n = 4, 1200
    T = 0.6 * np.eye(k) + 0.4 * np.eye(k)[(np.arange(k) + 1) % k]
    true = rng.integers(0, k, n)
    # Predictors answer with the profile of the class, the same for right and wrong labels.
    p = np.stack([rng.dirichlet(30 * T[t] + 0.3, size=2) for t in true], axis=1)
    y = np.where(rng.random(n) < 0.4, (true + 1) % k, true)
    logs, state = log_probabilities(p), first_state(p, y)
    bound, found = fit_channel(logs, y, 0.4, OWN, state, rounds=60)
    plain, _ = fit_channel(logs, y, 1e-3, EVEN, state, rounds=60)
    assert bound > plain + 10
    estimate = found.counts / found.counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(estimate, T, atol=0.07)
    q = posterior(logs, y, 0.4, OWN, found)
    assert (q.argmax(axis=1) == true).mean() > 0.97
