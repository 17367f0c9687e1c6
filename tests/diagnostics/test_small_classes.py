import numpy as np
import pytest
from sklearn.datasets import load_digits
from torch import nn

from overparam.diagnostics.small_classes import minority_collapse
from overparam.nets.deep_linear import DeepLinear
from overparam.theory.collapse import mse_geometry
from overparam.training.ensemble import Ensemble

SIZES = [200, 100, 50, 20]


def own_outputs(sizes, weight_decay):
    """Mean own-label outputs of a network with batch norm on digits, so many of each class."""
    X, y = load_digits(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(y == k)[:n] for k, n in enumerate(sizes)])
    X, y = (X[rows] / 16 - 0.3).astype(np.float32), y[rows]

    def build(d, k, seed):
        return nn.Sequential(
            nn.Linear(d, 64), nn.BatchNorm1d(64), nn.ReLU(), DeepLinear((64, k), seed=seed)
        )

    net = Ensemble(build, [0], 64, len(sizes))
    net.fit(
        X,
        y,
        loss=lambda z, t: (z - nn.functional.one_hot(t, len(sizes))).square().sum(-1) / 2,
        optimizer="sgd",
        learning_rate=0.05,
        weight_decay=weight_decay,
        schedule="cosine",
        epochs=60,
    )
    z = net.predict_logits(X)[0]
    return [z[y == k, k].mean() for k in range(len(sizes))]


def test_on_free_features_it_finds_the_exact_threshold():
    l_w = l_h = 0.016
    found = minority_collapse(mse_geometry(SIZES, [l_w], l_h).outputs, SIZES, l_w)
    # Only the class of 200 is above 1/2: it alone says where the threshold is.
    assert found.threshold == pytest.approx(370**2 * l_w * l_h, rel=1e-12)
    np.testing.assert_allclose(found.predicted, found.outputs, atol=1e-12)
    assert found.collapsed.tolist() == [3]
    assert found.at_risk.tolist() == [1, 2]
    # Both decays scaled alike: the smallest class comes to an output of 0.7.
    lifted = mse_geometry(SIZES, [found.lifting_decay], found.lifting_decay)
    assert lifted.outputs[3] == pytest.approx(0.7)


def test_a_class_that_the_decay_switched_off_is_found_and_lifted():
    sizes = [150, 120, 100, 40, 5]
    found = minority_collapse(own_outputs(sizes, 0.06), sizes, 0.06)
    assert found.collapsed.tolist() == [4]
    np.testing.assert_allclose(found.predicted[:4], found.outputs[:4], atol=0.1)
    lifted = own_outputs(sizes, found.lifting_decay)
    assert lifted[4] > 0.4


def test_balanced_classes_and_a_small_decay_are_left_alone():
    sizes = [100] * 5
    found = minority_collapse(own_outputs(sizes, 0.005), sizes, 0.005)
    assert found.collapsed.size == found.at_risk.size == 0
    assert found.lifting_decay == 0.005


def test_where_nothing_is_alive_there_is_no_threshold():
    found = minority_collapse([0.01, 0.0], [10, 5], 1.0)
    assert np.isnan(found.threshold)
    assert np.isnan(found.lifting_decay)
    assert found.collapsed.tolist() == [0, 1]
    assert found.at_risk.size == 0


def test_a_perfect_fit_has_threshold_zero():
    found = minority_collapse([1.0, 1.0], [10, 5], 0.1)
    assert found.threshold == 0
    assert found.lifting_decay == 0.1


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"outputs must have one value for 4 classes; got \(2,\)"):
        minority_collapse([0.5, 0.5], SIZES, 0.1)
    with pytest.raises(ValueError, match="weight_decay must be > 0; got 0"):
        minority_collapse([0.5] * 4, SIZES, 0)
    with pytest.raises(ValueError, match=r"each >= 1; got \[3, 0\]"):
        minority_collapse([0.5, 0.5], [3, 0], 0.1)


def test_a_known_threshold_is_taken():
    found = minority_collapse([0.9, 0.5], [100, 10], 0.01, threshold=4.0)
    assert found.threshold == 4.0
    np.testing.assert_allclose(found.predicted, [0.8, 1 - np.sqrt(0.4)])
    np.testing.assert_array_equal(found.at_risk, [1])
