"""Calibration errors against independent implementations, on gaps that change sign."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from overparam.diagnostics import ace, adaptive_ece, classwise_ece, ece, mce, reliability_table
from overparam.diagnostics.calibration_error import _equal_width_bin


def sign_changing():
    """Bins of both signs: were all over-confident, every binning would give the same figure."""
    n = 3000
    confidence = np.linspace(0.5005, 0.9995, n)
    accuracy = 0.75 + 0.18 * np.sin(6 * np.pi * confidence)
    correct = (np.arange(n) * 0.6180339887) % 1 < accuracy
    return np.stack([1 - confidence, confidence], axis=1), correct.astype(int)


def random_predictions(n=2000, k=10, seed=0):
    rng = np.random.default_rng(seed)
    logits = 3 * rng.standard_normal((n, k))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probs, (
        rng.random(n)[:, None] > np.cumsum(probs**0.5 / (probs**0.5).sum(1, keepdims=True), axis=1)
    ).sum(1)


def test_the_fixture_with_both_signs_has_known_errors():
    probs, y = sign_changing()
    assert ece(probs, y) == pytest.approx(0.152267, abs=5e-7)
    assert ace(probs, y) == pytest.approx(0.154119, abs=5e-7)
    assert mce(probs, y) == pytest.approx(0.315718, abs=5e-7)
    assert adaptive_ece(probs, y) == pytest.approx(0.153533, abs=5e-7)
    assert abs(probs[:, 1].mean() - y.mean()) == pytest.approx(0.037, abs=5e-7)


@pytest.mark.parametrize("make", [sign_changing, random_predictions])
def test_netcal_agrees(make):
    metrics = pytest.importorskip("netcal.metrics")
    probs, y = make()
    confidence = probs if probs.shape[1] > 2 else probs[:, 1]
    for ours, name in ((ece, "ECE"), (ace, "ACE"), (mce, "MCE")):
        assert ours(probs, y) == pytest.approx(
            getattr(metrics, name)(15).measure(confidence, y), abs=1e-12
        )


@pytest.mark.parametrize("make", [sign_changing, random_predictions])
def test_torchmetrics_agrees(make):
    probs, y = make()
    tensors = torch.tensor(probs), torch.tensor(y)
    for ours, norm in ((ece, "l1"), (mce, "max")):
        peer = multiclass_calibration_error(
            *tensors, num_classes=probs.shape[1], n_bins=15, norm=norm
        )
        assert ours(*tensors) == pytest.approx(float(peer), abs=1e-6)


def test_classwise_ece_is_the_mean_of_one_against_rest():
    probs, y = random_predictions(k=4)
    edges = np.linspace(0, 1, 16)
    one_by_one = []
    for c in range(4):
        p, hit = probs[:, c], y == c
        masks = [(p > low) & (p <= high) for low, high in pairwise(edges)]
        one_by_one.append(
            sum(abs(hit[m].mean() - p[m].mean()) * m.mean() for m in masks if m.any())
        )
    assert classwise_ece(probs, y) == pytest.approx(np.mean(one_by_one), abs=1e-12)


def test_equal_mass_bins_are_those_of_array_split():
    probs, y = random_predictions(n=1003)
    confidence, correct = probs.max(1), probs.argmax(1) == y
    parts = np.array_split(np.argsort(confidence, kind="stable"), 15)
    slow = sum(abs(correct[p].mean() - confidence[p].mean()) * len(p) for p in parts) / 1003
    assert adaptive_ece(probs, y) == pytest.approx(slow, abs=1e-12)


def test_bins_are_closed_on_the_right():
    probs = np.array([[0.6, 0.4], [0.6, 0.4], [0.8, 0.2]])
    table = reliability_table(probs, [0, 1, 0], bins=5)
    np.testing.assert_allclose(table["low"], [0.4, 0.6])
    np.testing.assert_array_equal(table["count"], [2, 1])


@pytest.mark.parametrize("bins", [1, 7, 15, 49, 100])
def test_a_value_at_an_edge_or_next_to_it_is_binned_as_by_binary_search(bins):
    edges = np.linspace(0, 1, bins + 1)
    values = np.r_[edges, np.nextafter(edges, 0), np.nextafter(edges[:-1], 1)]
    searched = np.clip(np.searchsorted(edges, values) - 1, 0, bins - 1)
    np.testing.assert_array_equal(_equal_width_bin(values, bins), searched)


def test_the_reliability_table_has_no_empty_bins_and_gives_back_the_ece():
    probs, y = sign_changing()
    table = reliability_table(probs, y)
    assert table["count"].min() > 0
    assert table["count"].sum() == len(y)
    assert (table["gap"] > 0).any()
    assert (table["gap"] < 0).any()
    assert (table["gap"].abs() * table["count"]).sum() / len(y) == pytest.approx(ece(probs, y))


@pytest.mark.parametrize("metric", [ece, ace, mce, adaptive_ece, classwise_ece])
def test_the_number_of_bins_is_checked(metric):
    probs, y = sign_changing()
    with pytest.raises(ValueError, match="bins must be an integer >= 1; got 0"):
        metric(probs, y, bins=0)
