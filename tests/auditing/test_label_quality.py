"""Quality, share and suspects from given out-of-fold predictions."""

import numpy as np
import pytest
from tests.auditing.known_data import flipped

from overparam.auditing.label_quality import (
    OutOfFold,
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


def predicted(p, y):
    """A data set with these labels, and their predictions."""
    dataset = load(np.random.default_rng(0).standard_normal((len(y), 2)), y)
    return dataset, OutOfFold(np.arange(len(y)), p)


@pytest.mark.parametrize("distance", [0.5, 1.0, 2.0, 8.0])
@pytest.mark.parametrize("k", [2, 5])
def test_labels_drawn_from_the_predicted_probabilities_are_not_noise(distance, k):
    dataset, found = predicted(*posterior(2000, distance, k))
    estimate = noise_share(dataset, found)
    assert estimate.low <= 0.01
    assert (found.p.argmax(1) != dataset.y).mean() > estimate.share + 0.02


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("k", [2, 5])
def test_the_share_is_that_of_flipped_labels(share, k):
    p, y = posterior(4000, 6.0, k)
    noisy, _ = flipped(y, share)
    estimate = noise_share(*predicted(p, noisy))
    assert estimate.low <= share <= estimate.high
    assert estimate.share == pytest.approx(share, abs=0.03)


def test_the_interval_covers():
    covered = 0
    for seed in range(20):
        p, y = posterior(600, 6.0, 3, seed)
        noisy, _ = flipped(y, 0.1, seed)
        estimate = noise_share(*predicted(p, noisy))
        covered += estimate.low <= 0.1 <= estimate.high
    assert covered >= 17  # 95 % of 20, less two standard errors


def test_nets_without_skill_cannot_tell():
    rng = np.random.default_rng(0)
    p = rng.dirichlet((1, 1), 500)
    estimate = noise_share(*predicted(p, rng.integers(0, 2, 500)))
    assert estimate.low < 0.01 < 0.3 < estimate.high


def test_the_worst_are_suspected_as_many_as_the_share_says():
    p, y = posterior(1000, 12.0)
    noisy, wrong = flipped(y, 0.1)
    dataset, found = predicted(p, noisy)
    q = quality(dataset, found)
    chosen = suspects(dataset, found)
    assert chosen.sum() <= round(1000 * noise_share(dataset, found).share)
    assert chosen.sum() > 80
    assert q[chosen].max() <= min(0.5, q[~chosen].min())
    assert wrong[chosen].mean() > 0.9


def test_other_models_are_heard_beside_the_nets():
    p, y = posterior(1000, 4.0, 3)
    noisy, wrong = flipped(y, 0.1)
    rng = np.random.default_rng(1)
    blunt = np.full_like(p, 1 / 3) + 0.01 * rng.standard_normal(p.shape)
    blunt /= blunt.sum(axis=1, keepdims=True)
    dataset, alone = predicted(blunt, noisy)
    both = OutOfFold(alone.rows, blunt, np.stack([blunt, p]))
    assert wrong[suspects(dataset, both)].mean() > 0.8
    assert suspects(dataset, alone).sum() == 0


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
