"""SKCE: the plain double sum, and mean zero under calibration."""

import numpy as np
import pytest

from overparam.diagnostics import skce
from overparam.diagnostics.kernel_calibration_error import MOST_ROWS


def calibrated(n, seed, k=3):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(k), size=n)
    return probs, (rng.random(n)[:, None] > probs.cumsum(1)).sum(1)


def test_the_blocked_sum_is_the_double_sum():
    probs, y = calibrated(60, 0)
    e = np.eye(3)[y] - probs
    total = 0.0
    for i in range(60):
        for j in range(60):
            if i != j:
                total += e[i] @ e[j] * np.exp(-np.linalg.norm(probs[i] - probs[j]) / 0.7)
    assert skce(probs, y, bandwidth=0.7) == pytest.approx(total / (60 * 59), rel=1e-9)


def test_the_default_bandwidth_is_the_median_distance():
    probs, y = calibrated(50, 0)
    gaps = np.linalg.norm(probs[:, None] - probs[None], axis=2)[np.triu_indices(50, 1)]
    assert skce(probs, y) == pytest.approx(skce(probs, y, bandwidth=np.median(gaps)), rel=1e-9)


def test_the_mean_is_zero_when_labels_follow_the_probabilities():
    values = np.array([skce(*calibrated(200, seed)) for seed in range(200)])
    assert abs(values.mean()) < 3 * values.std(ddof=1) / np.sqrt(200)
    assert values.min() < 0  # unbiased, so it must go below zero at times


def test_over_confidence_is_seen():
    probs, y = calibrated(1000, 0)
    sharp = probs**3 / (probs**3).sum(1, keepdims=True)
    noise = np.std([skce(*calibrated(1000, seed)) for seed in range(1, 11)])
    assert skce(sharp, y) > 5 * noise


def test_many_rows_are_subsampled_by_seed():
    probs, y = calibrated(MOST_ROWS + 1, 0)
    assert skce(probs, y, seed=1) == skce(probs, y, seed=1) != skce(probs, y, seed=2)


def test_the_bandwidth_is_checked():
    with pytest.raises(ValueError, match="bandwidth must be a number > 0; got -1"):
        skce(*calibrated(10, 0), bandwidth=-1)
