"""How the four bounds are ordered, and what each is of the weights themselves."""

import numpy as np
import pytest

from overparam.theory.norm_bounds import generalization_bound

SHAPES = [(30, 12), (12, 30), (15, 15)]


def problem(shape, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal(shape),
        rng.standard_normal(shape[0]),
        scale * rng.standard_normal(shape[1]),
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_bounds_are_norms_of_the_trained_weights(shape):
    H, y, w0 = problem(shape, 2.0)
    trained = w0 + np.linalg.pinv(H) @ (y - H @ w0)
    rows = np.linalg.pinv(H) @ H
    scale = np.sqrt((H**2).sum() / len(H)) / np.sqrt(len(H))
    found = generalization_bound(H, y, w0)
    least = np.linalg.svd(H)[1].min() ** 2
    assert found.naive == pytest.approx(np.linalg.norm(trained) * scale, rel=1e-9)
    assert found.effective == pytest.approx(np.linalg.norm(rows @ trained) * scale, rel=1e-9)
    prior = np.sqrt(np.sum((rows @ w0) ** 2) + y @ y / least)
    assert found.alternative == pytest.approx(prior * scale, rel=1e-6)
    assert found.lambda_min == pytest.approx(least, rel=1e-6)
    assert found.rank == min(shape)
    assert found.parameter_count == pytest.approx(np.sqrt(shape[1] / shape[0]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", SHAPES)
def test_naive_is_the_loosest_and_the_prior_one_covers_the_effective(shape, seed):
    H, y, w0 = problem(shape, 3.0, seed)
    found = generalization_bound(H, y, w0)
    assert found.naive >= found.effective * (1 - 1e-12)
    assert found.alternative >= found.effective * (1 - 1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_naive_and_effective_agree_from_a_start_at_zero(shape):
    H, y, _ = problem(shape)
    found = generalization_bound(H, y)
    assert found.naive == pytest.approx(found.effective, rel=1e-10)


def test_dependent_features_count_once():
    H, y, _ = problem((20, 5))
    assert generalization_bound(np.hstack([H, H]), y).rank == 5


@pytest.mark.parametrize(
    ("H", "y", "w0", "text"),
    [
        (np.zeros((3, 2)), np.ones(3), 0.0, "H must be a finite matrix that is not all 0"),
        (np.ones(3), np.ones(3), 0.0, "H must be a finite matrix"),
        (np.ones((3, 2)), np.ones(2), 0.0, r"y must be one finite number per row of H, \(3,\)"),
        (np.ones((3, 2)), np.ones(3), np.ones(3), r"w0 must be a number or one per column"),
    ],
)
def test_errors_name_what_is_wrong(H, y, w0, text):
    with pytest.raises(ValueError, match=text):
        generalization_bound(H, y, w0)
