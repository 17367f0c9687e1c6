import numpy as np
import pytest

from overparam.diagnostics.collapse_metrics import neural_collapse
from overparam.theory.collapse import mse_geometry
from overparam.training import unconstrained_features as ufm
from overparam.training.unconstrained_features import fit_unconstrained_features

SIZES = [20, 10, 5, 2]


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_the_gradient_is_that_of_the_loss(loss):
    problem = ufm._Problem(np.array([3, 2]), np.array([0.1, 0.2, 0.3]), 4, loss, bias=True)
    rng = np.random.default_rng(0)
    point = rng.standard_normal(problem._size)
    gradient = problem(point)[1]
    for _ in range(10):
        way = rng.standard_normal(point.shape)
        slope = (problem(point + 1e-6 * way)[0] - problem(point - 1e-6 * way)[0]) / 2e-6
        assert slope == pytest.approx(gradient @ way, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("depth", [1, 2])
def test_no_random_start_beats_the_closed_form(depth):
    decays, feature_decay = [4e-3] * depth, 2e-3
    formula = mse_geometry(SIZES, decays, feature_decay)
    losses = [
        fit_unconstrained_features(SIZES, decays, feature_decay, seed=seed, max_iterations=400).loss
        for seed in range(50 if depth == 1 else 10)
    ]
    assert min(losses) >= formula.loss * (1 - 1e-9)
    assert min(losses) == pytest.approx(formula.loss, rel=1e-6)


def test_the_minimum_has_the_norms_of_the_formulas_and_orthogonal_classes():
    decays, feature_decay = [2e-3, 4e-3], 1e-3
    formula = mse_geometry(SIZES, decays, feature_decay)
    fit = fit_unconstrained_features(SIZES, decays, feature_decay, seed=1, starts=3)
    assert fit.loss == pytest.approx(formula.loss, rel=1e-7)
    means = np.stack([fit.features[fit.labels == k].mean(0) for k in range(4)])
    np.testing.assert_allclose(
        np.linalg.norm(means, axis=1), formula.feature_norms, rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(
        np.linalg.norm(fit.weights[-1], axis=1), formula.weight_norms, rtol=1e-3, atol=1e-4
    )
    gram = means @ means.T
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 1e-3 * gram.max()


def test_with_a_bias_the_classes_form_a_simplex():
    fit = fit_unconstrained_features([10] * 4, [1e-3], 1e-4, bias=True)
    found = neural_collapse(fit.features, fit.labels, fit.product, fit.bias)
    assert found.nc1 < 1e-6
    assert found.nc2_etf < 1e-2
    assert found.nc2_orthogonal > 0.1
    assert found.nc4 == 0


def test_cross_entropy_with_one_layer_ends_in_a_self_dual_simplex():
    fit = fit_unconstrained_features([10] * 3, [1e-3], 1e-4, loss="cross_entropy", bias=True)
    found = neural_collapse(fit.features, fit.labels, fit.product)
    assert found.nc2_etf < 1e-3
    assert found.nc3_centred < 1e-3


def test_a_given_start_is_where_it_begins():
    first = fit_unconstrained_features(SIZES, [4e-3], 2e-3, seed=0)
    again = fit_unconstrained_features(
        SIZES, [4e-3], 2e-3, seed=1, start=(first.weights, first.features)
    )
    assert again.iterations < 10
    assert again.loss <= first.loss
    np.testing.assert_allclose(again.features, first.features, atol=1e-3)


def test_the_seed_decides():
    one, same, other = (
        fit_unconstrained_features(SIZES, [4e-3], 2e-3, seed=s, max_iterations=5).loss
        for s in (0, 0, 1)
    )
    assert one == same != other


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="width must be >= 4, the number of classes; got 3"):
        fit_unconstrained_features(SIZES, [0.1], 0.1, width=3)
    with pytest.raises(ValueError, match=r"feature_decay > 0; got \[0.0\] and 0.1"):
        fit_unconstrained_features(SIZES, [0.0], 0.1)
    with pytest.raises(ValueError, match="loss must be 'squared' or 'cross_entropy'; got 'hinge'"):
        fit_unconstrained_features(SIZES, [0.1], 0.1, loss="hinge")
    with pytest.raises(ValueError, match=r"each >= 1; got \[2, 0\]"):
        fit_unconstrained_features([2, 0], [0.1], 0.1)
    with pytest.raises(ValueError, match=r"start must have weights of shapes \[\(4, 8\)\]"):
        fit_unconstrained_features(SIZES, [0.1], 0.1, start=([np.zeros((4, 7))], np.zeros((37, 8))))
