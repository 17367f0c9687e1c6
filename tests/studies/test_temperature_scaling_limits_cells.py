"""The cells of the study: the released temperature, the label noise, the neighbourhoods."""

import numpy as np
import pytest

from overparam.diagnostics.temperature import TemperatureScaling, softmax
from overparam.studies import temperature_scaling_limits_cells as measured
from overparam.studies.temperature_scaling_limits import RADIUS

SMALL = {"width": 16, "epochs": 2}


def over_confident(sharpness, n=500, k=10, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((n, k))
    y = (rng.random(n)[:, None] > softmax(logits).cumsum(1)).sum(1)
    return sharpness * logits, y


@pytest.mark.parametrize("optimum", [3.4, 4.9, 5.2])
def test_the_released_fit_stops_far_short_of_the_optimum(optimum):
    logits, y = over_confident(optimum)
    converged = TemperatureScaling().fit(logits, y)
    assert converged.temperature_ == pytest.approx(optimum, rel=0.15)
    assert measured.released_temperature(logits, y) == pytest.approx(1.1, abs=0.08)


def test_scores_name_both_temperatures_and_use_them_on_the_test_rows():
    logits, y = over_confident(4.0)
    found = measured.scored(logits[:250], y[:250], logits[250:], y[250:])
    assert found["scaled_nll"] < found["released_nll"] < found["raw_nll"]
    assert found["scaled_ece"] < found["released_ece"] < found["raw_ece"]
    assert abs(found["gradient"]) < 1e-6
    assert not found["at_bound"]


def test_radius_partners_are_of_the_pair_and_most_of_the_pair_is_in_reach():
    found = measured.overlap_network(8, 2, RADIUS, seed=0, rows=50, test_rows=400, **SMALL)
    assert found["pair_purity"] > 0.999
    assert found["pair_reach"] == pytest.approx(0.91, abs=0.03)
    wide = measured.overlap_network(8, 2, 17.0, seed=0, rows=50, test_rows=400, **SMALL)
    assert wide["pair_purity"] < 0.95  # the radius must not be guessed


def test_the_nearest_label_is_close_to_the_closed_form():
    found = measured.nearest_label(8, seed=0, rows=100, test_rows=4000)
    assert found["nearest_kl"] == pytest.approx(found["closed_form"], rel=0.06)
    assert found["nearest_kl"] < found["uniform"]


def test_wrong_labels_are_one_fixed_other_class_on_training_and_calibration_rows(monkeypatch):
    seen = {}

    def caught(X, y, k, **options):
        seen["train"] = (X, y)
        return train(X, y, k, **options)

    def scored(logits, y, test_logits, test_y):
        seen["held_out"], seen["test"] = y, test_y
        return {}

    train = measured.train
    monkeypatch.setattr(measured, "train", caught)
    monkeypatch.setattr(measured, "scored", scored)
    labels = {}
    for noise in (0.0, 0.5):
        measured.noisy_image_network(noise, 1, 3, "digits", (600, 200, 500), **SMALL)
        labels[noise] = (seen["train"][1], seen["held_out"], seen["test"])
    X = seen["train"][0]
    assert X.mean() == pytest.approx(0, abs=1e-4)
    assert X.std() == pytest.approx(1, abs=1e-4)
    for clean, noisy in zip(labels[0.0][:2], labels[0.5][:2], strict=True):
        flipped = clean != noisy
        assert flipped.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(clean)))
        for c in range(10):
            assert len(set(noisy[flipped & (clean == c)])) == 1
    np.testing.assert_array_equal(labels[0.0][2], labels[0.5][2])


def test_gaussian_rows_are_split_into_72_8_and_20_percent(monkeypatch):
    sizes = {}

    def scored(logits, y, test_logits, test_y):
        sizes.update(held_out=len(y), test=len(test_y))
        return {"temperature": 1.0}

    monkeypatch.setattr(measured, "scored", scored)
    found = measured.gaussian_network(0.25, 1, 0, 500, **SMALL)
    assert sizes == {"held_out": 40, "test": 100}
    assert found["scaled_kl"] > 0
