"""Temperature scaling: optimality, invariances, limits."""

import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from overparam.diagnostics import TemperatureScaling, nll
from overparam.diagnostics.temperature import softmax


def sample(n=800, k=6, seed=0, sharpness=4.0):
    """Logits `sharpness` times too sure of labels drawn from their softmax."""
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((n, k))
    y = (rng.random(n)[:, None] > softmax(logits).cumsum(1)).sum(1)
    return sharpness * logits, y


def test_the_fit_is_the_minimum_found_by_another_method():
    logits, y = sample()
    scaler = TemperatureScaling().fit(logits, y)
    peer = minimize_scalar(
        lambda t: nll(softmax(logits / np.exp(t)), y),
        bounds=(-5, 5),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert np.log(scaler.temperature_) == pytest.approx(peer.x, abs=1e-6)
    assert scaler.nll_after_ == pytest.approx(peer.fun, rel=1e-10)
    assert scaler.nll_before_ == pytest.approx(nll(softmax(logits), y), rel=1e-10)
    assert not scaler.at_bound_


@pytest.mark.parametrize("sharpness", [0.05, 0.3, 1.0, 4.0, 100.0])
def test_the_gradient_vanishes(sharpness):
    logits, y = sample(sharpness=sharpness)
    scaler = TemperatureScaling().fit(logits, y)
    step = 1e-5
    around = [nll(softmax(logits / (scaler.temperature_ * np.exp(s))), y) for s in (step, -step)]
    assert abs((around[0] - around[1]) / (2 * step)) < 1e-6
    assert abs(scaler.gradient_) < 1e-6


@pytest.mark.parametrize("scale", [0.1, 7.0])
def test_scaled_logits_scale_the_temperature(scale):
    logits, y = sample()
    one = TemperatureScaling().fit(logits, y).temperature_
    assert TemperatureScaling().fit(scale * logits, y).temperature_ == pytest.approx(
        scale * one, rel=1e-6
    )


def test_the_arg_max_never_changes():
    logits, y = sample()
    scaler = TemperatureScaling().fit(logits, y)
    probs = scaler.predict_proba(logits)
    np.testing.assert_array_equal(probs.argmax(1), logits.argmax(1))
    np.testing.assert_array_equal(scaler.predict(logits), logits.argmax(1))
    np.testing.assert_allclose(probs, softmax(scaler.transform(logits)), rtol=1e-12)


def test_the_oracle_temperature_of_the_true_conditionals_is_one():
    pi = np.random.default_rng(0).dirichlet(np.ones(5), size=400)
    assert TemperatureScaling().fit(np.log(pi), pi).temperature_ == pytest.approx(1, abs=1e-4)


def test_labels_and_one_hot_targets_are_the_same_fit():
    logits, y = sample()
    hard = TemperatureScaling().fit(logits, y).temperature_
    assert TemperatureScaling().fit(logits, np.eye(6)[y]).temperature_ == pytest.approx(
        hard, rel=1e-12
    )


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_logits_are_not_modified(order):
    logits, y = sample()
    given = np.array(logits, order=order)
    TemperatureScaling().fit(given, y).predict_proba(given)
    np.testing.assert_array_equal(given, logits)


def test_tensors_are_accepted():
    logits, y = sample()
    hard = TemperatureScaling().fit(logits, y).temperature_
    assert TemperatureScaling().fit(torch.tensor(logits), torch.tensor(y)).temperature_ == hard


def test_rows_all_correct_drive_the_temperature_to_the_lower_bound():
    logits, _ = sample()
    with pytest.warns(UserWarning, match="lies at the lower bound, .* all correct"):
        scaler = TemperatureScaling().fit(logits, logits.argmax(1))
    assert scaler.at_bound_
    assert scaler.temperature_ == pytest.approx(1e-2)


def test_logits_without_information_drive_it_to_the_upper_bound():
    logits, _ = sample()
    with pytest.warns(UserWarning, match="lies at the upper bound, .* no information"):
        scaler = TemperatureScaling().fit(logits, logits.argmin(1))
    assert scaler.at_bound_
    assert scaler.temperature_ == pytest.approx(1e3)


def test_the_bound_that_is_named_is_the_one_that_binds():
    logits, y = sample(sharpness=4.0)  # the optimum is 4
    with pytest.warns(UserWarning, match="temperature 5 lies at the lower bound"):
        TemperatureScaling(bounds=(5, 50)).fit(logits, y)
    with pytest.warns(UserWarning, match=r"temperature 0.5 lies at the upper bound"):
        TemperatureScaling(bounds=(0.1, 0.5)).fit(logits, y)


def test_one_row_can_be_predicted():
    logits, y = sample()
    scaler = TemperatureScaling().fit(logits, y)
    np.testing.assert_array_equal(
        scaler.predict_proba(logits[:1]), scaler.predict_proba(logits)[:1]
    )


def test_a_converged_fit_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TemperatureScaling().fit(*sample())


@pytest.mark.parametrize(
    ("arguments", "data", "message"),
    [
        ({"bounds": (1, 1)}, sample(), "bounds must be two numbers 0 < low < high; got"),
        ({"tol": 0}, sample(), "tol must be a number > 0; got 0"),
        ({}, (np.zeros((4, 1)), np.zeros(4, int)), "at least 2 classes; got 1"),
        ({}, (np.zeros((4, 2)), np.array([0, 1, 2, 0])), "labels 0..1"),
        ({}, (np.full((4, 2), np.inf), np.zeros(4, int)), "must be finite"),
        ({}, (np.zeros((4, 2)), np.ones((4, 2))), "soft targets must sum to 1"),
        ({}, (np.zeros((4, 2)), np.full((4, 4), 0.25)), r"shape \(4, 2\); got \(4, 4\)"),
    ],
)
def test_bad_input_is_named(arguments, data, message):
    with pytest.raises(ValueError, match=message):
        TemperatureScaling(**arguments).fit(*data)


def test_predicting_before_fitting_is_said():
    with pytest.raises(ValueError, match="not fitted"):
        TemperatureScaling().predict_proba(np.zeros((2, 2)))
