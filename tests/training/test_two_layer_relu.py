"""The classifier: what the paper's data do to it, both back ends, the estimator's contract."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from overparam.data.synthetic import xor_clusters
from overparam.training.two_layer_relu import TwoLayerReLU


@parametrize_with_checks([TwoLayerReLU(hidden=16)])
def test_it_is_a_scikit_learn_classifier(estimator, check):
    check(estimator)


def clusters(n=200, p=2000, flip=0.1, seed=0):
    X, y, _ = xor_clusters(n, p, 2 * p**0.25, flip, 2 * seed)
    X_test, _, y_test = xor_clusters(300, p, 2 * p**0.25, flip, 2 * seed + 1)
    return X, y, X_test, y_test


def test_it_fits_in_one_step_and_generalises_later():
    history = TwoLayerReLU().fit(*clusters(n=400, p=10_000)).history_
    assert history["step"].to_list() == list(range(31))
    assert history["train_accuracy"][1] >= 0.98
    assert 0.35 < history["test_accuracy"][1] < 0.65
    assert history["linear_part"][1] > 0.9
    assert history["train_accuracy"][30] == 1
    assert history["test_accuracy"][30] > 0.98
    assert history["linear_part"][30] < 0.15


def test_without_flips_it_is_at_the_optimum_after_eight_steps():
    p, norm = 20_000, 2 * 20_000**0.25
    X, y, _ = xor_clusters(400, p, norm, 0.0, 0)
    X_test, y_test, _ = xor_clusters(300, p, norm, 0.0, 1)
    history = TwoLayerReLU(n_steps=8).fit(X, y, X_test, y_test).history_
    assert history["test_accuracy"][8] >= 0.99


def test_in_two_dimensions_it_solves_xor():
    X, y, _ = xor_clusters(400, 2, 10.0, 0.0, 0)
    X_test, y_test, _ = xor_clusters(400, 2, 10.0, 0.0, 1)
    net = TwoLayerReLU(step=0.5, n_steps=500).fit(X, y, X_test, y_test)
    assert net.score(X, y) == net.score(X_test, y_test) == 1.0


@pytest.mark.parametrize("method", ["auto", "gram", "direct"])
def test_predictions_are_those_of_the_last_step(method):
    X, y, X_test, y_test = clusters()
    net = TwoLayerReLU(method=method, n_steps=5).fit(X, y, X_test, y_test)
    assert net.train_output_.shape == (6, 200)
    assert net.test_output_.shape == (6, 300)
    scale = np.abs(net.test_output_).max()
    for rows, output in ((X, net.train_output_), (X_test, net.test_output_)):
        np.testing.assert_allclose(net.decision_function(rows), output[-1], atol=1e-4 * scale)
    assert net.score(X_test, y_test) == net.history_["test_accuracy"][-1]
    W0 = net.weights_ - net.coef_dual_.T @ X
    assert W0.std() == pytest.approx(1e-5, rel=0.1)
    assert net.weights_.dtype == net.coef_dual_.dtype == np.float32


def test_back_ends_agree():
    nets = [TwoLayerReLU(method=method).fit(*clusters()) for method in ("gram", "direct")]
    outputs = [net.test_output_ for net in nets]
    np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-3 * np.abs(outputs[0]).max())
    np.testing.assert_allclose(nets[0].coef_dual_, nets[1].coef_dual_, atol=1e-8)


@pytest.mark.parametrize(("n", "p", "expected"), [(30, 1000, "gram"), (300, 3, "direct")])
def test_auto_counts_operations(n, p, expected):
    assert TwoLayerReLU()._method(n, p, n, 256) == expected


def test_a_given_start_overrides_the_draw():
    X, y, *_ = clusters(n=20, p=50)
    rng = np.random.default_rng(3)
    W0, a = 0.01 * rng.standard_normal((4, 50)), np.array([0.5, -0.5, 0.5, -0.5])
    net = TwoLayerReLU(n_steps=0).fit(X, y, W0=W0, a=a)
    np.testing.assert_allclose(net.weights_, W0, rtol=1e-6)
    np.testing.assert_array_equal(net.a_, a.astype(np.float32))
    np.testing.assert_allclose(
        net.train_output_[0], np.maximum(X @ W0.T, 0) @ a, rtol=1e-3, atol=1e-5
    )
    assert net.test_output_ is None
    assert net.history_["test_accuracy"].null_count() == 1


def test_any_two_labels_serve():
    X, y, X_test, y_test = clusters(n=50, p=300)
    signs = TwoLayerReLU(n_steps=3).fit(X, y, X_test, y_test)
    names = np.array(["no", "", "yes"])
    words = TwoLayerReLU(n_steps=3).fit(X, names[y + 1], X_test, names[y_test + 1])
    np.testing.assert_array_equal(signs.test_output_, words.test_output_)
    np.testing.assert_array_equal(words.predict(X_test), names[signs.predict(X_test) + 1])


def test_its_history_has_the_form_of_the_house():
    net = TwoLayerReLU(n_steps=4).fit(*clusters(n=50, p=300))
    history = net.as_run_history()
    for split, rows in (("train", 50), ("test", 300)):
        curve = history.curve("accuracy", split)
        np.testing.assert_array_equal(curve.values[0], net.history_[f"{split}_accuracy"])
        assert curve.rows == rows
    np.testing.assert_array_equal(
        history.curve("linear_part", "test").values[0], net.history_["linear_part"]
    )
    alone = TwoLayerReLU(n_steps=4).fit(*clusters(n=50, p=300)[:2]).as_run_history()
    assert alone.curve("linear_part", "train").rows == 50


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden": 0}, "hidden must be an integer >= 1; got 0"),
        ({"n_steps": -1}, "n_steps must be an integer >= 0; got -1"),
        ({"step": 0.0}, r"step must be a number > 0; got 0\.0"),
        ({"init_std": -1.0}, r"init_std must be a number >= 0; got -1\.0"),
        ({"loss": "hinge"}, "loss must be 'logistic' or 'exponential'; got 'hinge'"),
        ({"method": "slow"}, "method must be 'auto', 'gram' or 'direct'; got 'slow'"),
    ],
)
def test_parameters_outside_their_range_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        TwoLayerReLU(**parameters).fit(*clusters(n=10, p=5)[:2])


def test_wrong_data_are_named():
    X, y, X_test, _ = clusters(n=30, p=20)
    net = TwoLayerReLU(n_steps=1)
    with pytest.raises(ValueError, match="y must hold 2 classes; got 3 classes"):
        net.fit(X, np.arange(30) % 3)
    with pytest.raises(ValueError, match="y must hold 2 classes; got one class"):
        net.fit(X, np.ones(30, int))
    with pytest.raises(ValueError, match="X_test and y_test must be given together"):
        net.fit(X, y, X_test)
    with pytest.raises(ValueError, match=r"y_test must hold the classes of y, \[-1, 1\]; got \{5"):
        net.fit(X, y, X_test, np.full(300, 5))
    with pytest.raises(ValueError, match=r"W0 must have shape \(neurons, 20\) and a \(neurons,\)"):
        net.fit(X, y, W0=np.zeros((4, 19)))
    with pytest.raises(ValueError, match=r"got \(4, 20\) and \(5,\)"):
        net.fit(X, y, W0=np.zeros((4, 20)), a=np.ones(5))
