"""Quality, share and suspects from given out-of-fold predictions."""

import numpy as np
import pytest
from tests.auditing.known_data import flipped

from overparam.auditing.label_quality import (
    OutOfFold,
    disagreement_floor,
    noise_share,
    quality,
    suspects,
)
from overparam.data.loading import load


def posterior(n, distance, k=2, seed=0):
    """Labels drawn from known probabilities, as far apart as `distance` makes them."""
    rng = np.random.default_rng(seed)
    logits = distance * rng.standard_normal((n, k))
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return p, np.minimum((rng.random(n)[:, None] > p.cumsum(1)).sum(1), k - 1)


@pytest.mark.parametrize("distance", [0.5, 1.0, 2.0, 8.0])
@pytest.mark.parametrize("k", [2, 5])
def test_labels_drawn_from_the_predicted_probabilities_are_not_noise(distance, k):
    p, y = posterior(2000, distance, k)
    estimate = disagreement_floor(y, p)
    assert estimate.low <= 0.01
    assert (p.argmax(1) != y).mean() > estimate.share + 0.02


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("k", [2, 5])
def test_the_floor_is_the_share_of_flipped_labels(share, k):
    p, y = posterior(4000, 12.0, k)
    noisy, _ = flipped(y, share)
    estimate = disagreement_floor(noisy, p)
    assert estimate.low <= share <= estimate.high
    assert estimate.share == pytest.approx(share, abs=0.03)


def test_the_interval_covers():
    covered = 0
    for seed in range(40):
        p, y = posterior(600, 6.0, 3, seed)
        noisy, _ = flipped(y, 0.1, seed)
        estimate = disagreement_floor(noisy, p)
        covered += estimate.low <= 0.1 <= estimate.high
    assert covered >= 34  # 95 % of 40, less three standard errors


def test_nets_without_skill_cannot_tell():
    rng = np.random.default_rng(0)
    p = rng.dirichlet((1, 1), 500)
    estimate = disagreement_floor(rng.integers(0, 2, 500), p)
    assert estimate.low == 0


def test_quality_is_the_probability_of_the_label_and_the_worst_are_suspected():
    p, y = posterior(1000, 12.0)
    noisy, wrong = flipped(y, 0.1)
    dataset = load(np.random.default_rng(0).standard_normal((1000, 2)), noisy)
    found = OutOfFold(np.arange(1000), p)
    np.testing.assert_array_equal(quality(dataset, found), p[np.arange(1000), noisy])
    chosen = suspects(dataset, found)
    assert chosen.sum() == round(1000 * noise_share(dataset, found).share)
    assert (p.argmax(1)[chosen] != noisy[chosen]).all()
    assert wrong[chosen].mean() > 0.9
    assert quality(dataset, found)[chosen].max() <= quality(dataset, found)[
        ~chosen & (p.argmax(1) != noisy)
    ].min(initial=1)


def test_a_regression_ranks_residuals_and_suspects_outliers():
    rng = np.random.default_rng(0)
    y = rng.standard_normal(200)
    prediction = y + 0.1 * rng.standard_normal(200)
    prediction[5] += 10
    dataset = load(rng.standard_normal((200, 2)), y)
    found = OutOfFold(np.arange(200), prediction[:, None])
    assert quality(dataset, found).argmin() == 5
    assert quality(dataset, found)[5] == 0
    assert np.flatnonzero(suspects(dataset, found)).tolist() == [5]
    assert noise_share(dataset, found).share == 1 / 200
