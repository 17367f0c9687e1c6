"""The cells of exact minima: starts at a frame, balance of layers, what is compared."""

import numpy as np
import pytest

from overparam.diagnostics.collapse_metrics import neural_collapse
from overparam.studies import neural_collapse_minima as measured
from overparam.training.unconstrained_features import UnconstrainedFit, fit_unconstrained_features

SIZES = (12, 6, 3)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(("k", "rank"), [(4, 2), (6, 3)])
def test_a_frame_start_gives_the_frames_logits_by_balanced_layers(k, rank, depth):
    frame = measured.frames(k)["low_rank"]
    weights, features = measured.frame_start(frame, depth, per_class=5)
    product = np.linalg.multi_dot([*weights[::-1], features.T])
    target = np.repeat(frame @ frame.T, 5, axis=1)
    scale = product[0, 0] / target[0, 0]
    np.testing.assert_allclose(product, scale * target, atol=1e-10)
    assert np.linalg.matrix_rank(product, tol=1e-8) == rank
    decays = np.full(depth, measured.CE_DECAY)
    fit = UnconstrainedFit(features, np.arange(k), tuple(weights), np.zeros(k), 0.0, 0.0, 0)
    assert measured.layer_imbalance(fit, decays) < 1e-12
    H = features.T @ features  # the features are balanced with the first layer, too
    first = measured.CE_DECAY * weights[0].T @ weights[0]
    np.testing.assert_allclose(first, measured.FEATURE_DECAY * H, atol=1e-12)


def test_the_scale_of_a_frame_start_is_near_the_minimum():
    start = measured.frame_start(measured.frames(4)["etf"], 2, 50)
    settings = ([50] * 4, [1e-4] * 2, 1e-5, "cross_entropy", True)
    before = fit_unconstrained_features(*settings, start=start, max_iterations=1)
    after = fit_unconstrained_features(*settings, start=start)
    assert before.loss == pytest.approx(after.loss, rel=1e-3)
    assert neural_collapse(after.features, after.labels).nc2_etf < 1e-6


def test_deep_cross_entropy_prefers_a_frame_of_lower_rank():
    found = measured.cross_entropy_minima(6, 2, 50, starts=2)
    assert found["low_rank_loss"] < found["etf_loss"]
    assert found["nc2_etf"] > 0.1
    assert found["nc1"] < 1e-12
    shallow = measured.cross_entropy_minima(4, 1, 20, starts=2)
    assert shallow["etf_loss"] < shallow["low_rank_loss"]
    assert shallow["worst_nc2_etf"] < 1e-3


def test_a_minimum_is_compared_with_the_formulas_class_by_class():
    found = measured.imbalanced_minimum(SIZES, 1, 0.1, 0.1, starts=2)
    assert found["dead_classes"] == 1  # below the threshold of 21^2 x 0.1^2 = 4.41 examples
    assert found["dead_norm"] < 1e-3 < found["feature_norms"][1]
    assert found["feature_error"] < 1e-3
    assert found["weight_error"] < 1e-3


def test_errors_and_angles_are_the_largest_of_the_classes_asked_for():
    found, formula = np.array([1.0, 2.2, 9.0]), np.array([1.0, 2.0, 1.0])
    assert measured.relative_error(found, formula, np.array([0, 1])) == pytest.approx(0.1)
    assert measured.largest_cosine(np.array([[1.0, 0], [0, 2], [3, 3]])) == pytest.approx(0.5**0.5)


def test_unequal_decays_are_balanced_at_the_minimum():
    found = measured.balanced_minimum(3, 10, 3, 5e-4, 2.0, bias=False, starts=1)
    assert found["balance"] < 1e-3
    assert found["excess"] < 1e-5
