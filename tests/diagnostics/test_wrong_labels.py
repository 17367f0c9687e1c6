"""The quality of a label is the probability that it is right; the share has an honest interval."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from overparam.diagnostics import wrong_labels
from overparam.diagnostics.label_channel import softmax_rows
from overparam.diagnostics.wrong_labels import label_quality


def classes(n, k, gap, seed=0):
    """True classes and their exact posterior (n, k), for Gaussian evidence."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    seen = rng.standard_normal((n, k)) + gap * np.eye(k)[true]
    return true, softmax_rows(gap * seen)


def flip(true, k, share, seed=0):
    rng = np.random.default_rng([seed, 1])
    wrong = rng.random(len(true)) < share
    return np.where(wrong, (true + rng.integers(1, k, len(true))) % k, true), wrong


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_quality_is_the_exact_posterior_where_the_model_is_right(k, share):
    true, pi = classes(3000, k, 2.0)
    y, wrong = flip(true, k, share)
    found = label_quality(pi, y)
    kept = pi[np.arange(len(y)), y] * (1 - share)
    exact = kept / (kept + (1 - pi[np.arange(len(y)), y]) * share / (k - 1))
    assert np.abs(found.quality - exact).mean() < 0.03
    assert found.low <= wrong.mean() <= found.high
    assert found.share == pytest.approx(wrong.mean(), abs=0.03)
    assert found.share == pytest.approx(1 - found.quality.mean(), abs=0.03)


def test_said_and_found_agree_in_every_bin():
    true, pi = classes(5000, 4, 2.0)
    y, wrong = flip(true, 4, 0.2)
    quality = label_quality(pi, y).quality
    for low, high in zip(
        (0, 0.1, 0.3, 0.5, 0.7, 0.9), (0.1, 0.3, 0.5, 0.7, 0.9, 1.01), strict=True
    ):
        rows = (quality >= low) & (quality < high)
        error = 3.5 * np.sqrt(0.25 / max(rows.sum(), 1)) + 0.03
        assert abs((1 - quality[rows]).mean() - wrong[rows].mean()) < error


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("gap", [1.0, 2.0, 4.0])
def test_overlap_is_not_noise(k, gap):
    true, pi = classes(1500, k, gap)
    found = label_quality(pi, true)
    assert found.low < 0.01
    assert found.share < (0.05 if gap > 1 else 0.15)  # where little is known, little is told


def test_clean_labels_have_next_to_no_share():
    true, pi = classes(2000, 3, 6.0)
    found = label_quality(pi, true)
    assert found.share < 0.003
    assert found.high < 0.01


def test_errors_that_the_predictors_have_learnt_are_found_by_class():
    rng = np.random.default_rng(0)
    k, n = 5, 1500
    rate = np.array([0.1, 0.2, 0.3, 0.4, 0.25])
    T = np.diag(1 - rate) + np.diag(rate) @ np.eye(k)[(np.arange(k) + 2) % k]
    true, pi = classes(n, k, 4.0)
    learnt = pi @ T
    noise = 0.4 * rng.standard_normal((3, n, k))
    p = np.stack([softmax_rows(np.log(learnt + 1e-3) + one) for one in noise])
    y = (rng.random(n)[:, None] > T[true].cumsum(axis=1)).sum(axis=1).clip(max=k - 1)
    found = label_quality(p, y)
    wrong = y != true
    alone = p.mean(axis=0)[np.arange(n), y]
    assert roc_auc_score(wrong, -found.quality) > roc_auc_score(wrong, -alone) + 0.005
    assert found.share == pytest.approx(wrong.mean(), abs=0.03)
    np.testing.assert_allclose(found.transition, T, atol=0.1)


def test_a_predictor_without_skill_gets_no_weight():
    rng = np.random.default_rng(0)
    true, pi = classes(1500, 3, 3.0)
    y, wrong = flip(true, 3, 0.15)
    useless = rng.dirichlet(np.ones(3), len(y))
    both, one = label_quality(np.stack([pi, useless]), y), label_quality(pi, y)
    assert both.weights[1] < 0.1 * both.weights[0]
    assert roc_auc_score(wrong, -both.quality) == pytest.approx(
        roc_auc_score(wrong, -one.quality), abs=0.01
    )


def test_without_any_skill_the_interval_is_wide():
    rng = np.random.default_rng(0)
    found = label_quality(rng.dirichlet((1, 1), 500), rng.integers(0, 2, 500))
    assert found.low < 0.02
    assert found.high > 0.3


def test_order_of_rows_and_names_of_classes_do_not_matter():
    true, pi = classes(600, 3, 2.5)
    y, _ = flip(true, 3, 0.1)
    found = label_quality(pi, y)
    rows, names = np.random.default_rng(0).permutation(600), np.array([2, 0, 1])
    shuffled = label_quality(pi[rows], y[rows])
    np.testing.assert_allclose(shuffled.quality, found.quality[rows], atol=1e-6)
    back = np.argsort(names)
    renamed = label_quality(pi[:, back], names[y])
    np.testing.assert_allclose(renamed.quality, found.quality, atol=1e-6)
    again = label_quality(pi[None], y)
    np.testing.assert_array_equal(again.quality, found.quality)


def test_many_rows_are_scored_by_a_channel_of_some_of_them(monkeypatch):
    true, pi = classes(4000, 3, 2.5)
    y, _ = flip(true, 3, 0.15)
    whole = label_quality(pi, y)
    monkeypatch.setattr(wrong_labels, "FITTED_ROWS", 2000)
    half = label_quality(pi, y)
    assert np.abs(half.quality - whole.quality).mean() < 0.02
    assert half.high - half.low > whole.high - whole.low


def test_screening_on_a_few_rows_changes_next_to_nothing(monkeypatch):
    true, pi = classes(3000, 3, 2.5)
    y, _ = flip(true, 3, 0.15)
    screened = label_quality(pi, y)
    monkeypatch.setattr(wrong_labels, "SCREENED_ROWS", 3000)
    monkeypatch.setattr(wrong_labels, "ROUNDS", 40)  # to the end, where the others start over
    whole = label_quality(pi, y)
    assert screened.share == pytest.approx(whole.share, abs=1e-3)
    assert [screened.low, screened.high] == pytest.approx([whole.low, whole.high], abs=3e-3)
    assert np.abs(screened.quality - whole.quality).mean() < 2e-3


def test_a_class_that_no_label_names_is_no_trouble():
    true, pi = classes(300, 4, 4.0)
    found = label_quality(pi, np.where(true == 3, 0, true))
    assert np.isfinite(found.quality).all()
    assert np.isfinite(found.transition).all()


@pytest.mark.parametrize(
    ("probs", "y", "text"),
    [
        (np.full(4, 0.5), [0, 1], r"probs must have shape \(n, k\) or \(Q, n, k\); got \(4,\)"),
        (np.full((2, 2), 0.6), [0, 1], "probs must sum to 1 in every row"),
        (np.full((2, 2), 0.5), [0, 2], "y must hold labels 0..1; got values from 0 to 2"),
        (np.full((2, 2), 0.5), [0], r"y must have shape \(2,\)"),
        (np.full((2, 1), 1.0), [0, 0], "probs must have at least 2 classes"),
        (np.array([[np.nan, 1.0], [0.5, 0.5]]), [0, 1], "probs must be finite"),
    ],
)
def test_errors_name_the_argument(probs, y, text):
    with pytest.raises(ValueError, match=text):
        label_quality(probs, y)
