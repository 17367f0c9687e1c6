"""The test problems on the orthant: where the points lie and what their probabilities are."""

import numpy as np
import pytest

from overparam.data.orthant import make_orthant

PROBLEMS = ["smooth", "rings", "patch", "long tail"]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_points_are_unit_vectors_of_the_orthant_with_labels_as_likely_as_said(problem):
    sample = make_orthant(problem, 20_000, seed=3)
    np.testing.assert_allclose(np.linalg.norm(sample.X, axis=1), 1)
    assert sample.X.min() >= 0
    error = np.sqrt(sample.p * (1 - sample.p)).mean() / np.sqrt(20_000)
    for part in (sample.p > 0.5, sample.p < 0.5):
        expected = sample.p[part].mean()
        assert sample.y[part].mean() == pytest.approx(expected, abs=8 * error)


def test_the_smooth_problem_has_the_known_bayes_error():
    p = make_orthant("smooth", 200_000).p
    assert np.minimum(p, 1 - p).mean() == pytest.approx(0.147, abs=1e-3)


def test_excess_risk_is_nothing_for_the_bayes_rule_and_all_for_its_opposite():
    sample = make_orthant("rings", 1000)
    bayes = (sample.p > 0.5).astype(int)
    assert sample.excess_risk(bayes) == 0
    assert sample.excess_risk(1 - bayes) == pytest.approx(0.8)


def test_patch_and_rings_have_their_two_levels():
    assert set(make_orthant("patch", 500).p) == {0.2, 0.8}
    assert set(make_orthant("rings", 500).p) == {0.1, 0.9}


def test_a_long_tail_is_a_world_and_its_heads_are_heavy():
    one, other = (make_orthant("long tail", 4000, seed=s, world=5) for s in (0, 1))
    elsewhere = make_orthant("long tail", 4000, seed=0, world=6)
    assert abs(one.p.mean() - other.p.mean()) < 0.05
    assert abs(one.X.mean(axis=0) - other.X.mean(axis=0)).max() < 0.02
    assert abs(one.X.mean(axis=0) - elsewhere.X.mean(axis=0)).max() > 0.02
    assert one.p.min() >= 0.05
    assert one.p.max() <= 0.95


def test_the_same_seed_gives_the_same_points():
    for problem in PROBLEMS:
        a, b = (make_orthant(problem, 50, seed=7, world=2) for _ in range(2))
        np.testing.assert_array_equal(a.X, b.X)
        np.testing.assert_array_equal(a.y, b.y)


def test_an_unknown_problem_is_named():
    with pytest.raises(ValueError, match=r"problem must be 'smooth', .* got 'spirals'"):
        make_orthant("spirals", 10)
