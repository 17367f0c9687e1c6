"""The power law is recovered, forecasts cover, and the finding says what more rows bring."""

import numpy as np
import pytest
from scipy.stats import norm
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotApplicable
from overparam.auditing.budget import SHARES
from overparam.auditing.findings import learning_curve as module
from overparam.auditing.findings.learning_curve import learning_curve
from overparam.auditing.forecast_cell import kernel_rows
from overparam.diagnostics.error_forecast import forecast_error
from overparam.diagnostics.power_law_curve import fit_power_law, resampled_curves

SIZES = np.array([20.0, 40, 80, 160, 320])
HORIZON = np.array([2, 4, 8]) * SIZES[-1]


@pytest.mark.parametrize("floor", [0.0, 0.05])
@pytest.mark.parametrize("exponent", [0.25, 0.5, 1.0])
def test_a_power_law_is_recovered(floor, exponent):
    error = floor + 0.8 * SIZES**-exponent
    curve = fit_power_law(SIZES, error)
    np.testing.assert_allclose(curve(SIZES), error, rtol=0.02)
    np.testing.assert_allclose(curve(HORIZON), floor + 0.8 * HORIZON**-exponent, rtol=0.1)


def test_a_flat_curve_stays_flat():
    curve = fit_power_law(SIZES, np.full(5, 0.3))
    np.testing.assert_allclose(curve(HORIZON), 0.3, rtol=1e-6)


def test_floor_and_amplitude_are_never_negative():
    curve = fit_power_law(SIZES, np.array([0.1, 0.12, 0.15, 0.2, 0.25]))
    assert curve.floor >= 0
    assert curve.amplitude == 0


def test_a_size_without_errors_does_not_decide_the_fit():
    curve = fit_power_law(SIZES, np.array([0.2, 0.1, 0.05, 0.0, 0.01]))
    np.testing.assert_allclose(curve(SIZES[:2]), [0.2, 0.1], rtol=0.35)


def test_many_curves_at_once_are_the_curves_one_by_one():
    errors = np.random.default_rng(0).uniform(0.1, 0.3, (7, 5))
    together = fit_power_law(SIZES, errors)(HORIZON)
    for row, error in zip(together, errors, strict=True):
        np.testing.assert_allclose(row, fit_power_law(SIZES, error)(HORIZON))


def rows_right_or_wrong(floor, amplitude, exponent, seed, rows=150, subsets=4):
    """Row errors of known expectation; a row hard for one subset is hard for others."""
    rng = np.random.default_rng(seed)
    z = 0.8 * rng.standard_normal(rows) + 0.6 * rng.standard_normal((5, subsets, rows))
    return (z < norm.ppf(floor + amplitude * SIZES**-exponent)[:, None, None]).astype(float)


@pytest.mark.parametrize("law", [(0.0, 0.8, 0.5), (0.05, 0.8, 0.5), (0.3, 0.0, 0.5)])
def test_forecast_intervals_cover(law):
    truth = law[0] + law[1] * HORIZON ** -law[2]
    covered = np.zeros(3)
    for seed in range(60):
        rng = np.random.default_rng(0)
        curves = resampled_curves(rows_right_or_wrong(*law, seed), module.RESAMPLES, rng)
        draws = fit_power_law(SIZES, curves)(HORIZON)
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        covered += (low <= truth) & (truth <= high)
    assert (covered / 60 >= 0.87).all()  # 95 % less three standard errors


def noisy_line(n=800, d=60):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)).astype(np.float32)
    return X, X[:, 0] + 0.7 * rng.standard_normal(n)


def test_many_features_and_few_rows_want_more(make_context):
    context = make_context(*noisy_line(), net={"epochs": 40})
    answer = learning_curve(context)
    assert answer.resolved_outcome == "issue"
    assert answer.action == "Collect more rows first."
    forecast = answer.extra["forecast"]
    assert [point["rows"] for point in forecast] == [1600, 3200, 6400]
    errors = [point["error"] for point in forecast]
    assert errors == sorted(errors, reverse=True)
    assert all(point["low"] <= point["error"] <= point["high"] for point in forecast)
    measured = answer.evidence.table.filter(part="measured")["error"].to_list()
    assert 0.6 < errors[0] < measured[-1] < 1.2  # RMSE: the noise alone is 0.7


def test_clear_classes_have_enough(make_context):
    answer = learning_curve(make_context(*blobs(1200, 10, distance=6.0)))
    assert answer.resolved_outcome == "fine"
    assert answer.action.startswith("Spend on the model")


def test_the_forecast_is_for_the_rows_at_hand_also_where_nets_saw_fewer(make_context):
    X, y = noisy_line()
    context = make_context(X, y, net={"rows": 200, "epochs": 40})
    answer = learning_curve(context)
    table = answer.evidence.table
    at_hand = module.fitted_rows(context)
    seen = table.filter(part="measured")["rows"].max()
    assert seen == pytest.approx(800 * 200 / at_hand, abs=1)
    twice = answer.extra["forecast"][0]
    assert twice["rows"] == 1600
    sweep = context.memory["subset_curve"]
    view = context.dataset.view(
        kernel_rows(context.dataset, context.split_keys[0].as_dict(), 200),
        context.splits[0].train.rows,
    )
    direct = forecast_error(
        sweep.values, module.errors(context, sweep), view.flat, view.y, [at_hand, 2 * at_hand]
    )
    variance = np.var(context.splits[0].train.y)
    expected = np.sqrt(direct.points[1]["error"] * variance)
    assert twice["error"] == pytest.approx(expected, rel=0.02)  # other draws for other horizons
    assert any("The budget let nets train on 200 of" in text for text in answer.details)


def test_too_few_sizes_have_no_curve(make_context):
    context = make_context(*blobs(60, 3, distance=3.0))
    with pytest.raises(NotApplicable, match="too few training rows for three sizes"):
        learning_curve(context)


def test_a_forecast_from_few_of_the_rows_is_a_tip_that_says_so(make_context):
    X, y = blobs(900, 5, classes=3, distance=3.0)
    few = make_context(X, y, net={"width": 8, "epochs": 6, "rows": 110})
    answer = learning_curve(few)
    assert answer.resolved_outcome == "tip"
    assert answer.headline.startswith("From the 110 rows that nets could afford: ")


def test_interpolation_is_near_optimal_without_noise_and_costs_with_it(make_context):
    X = np.random.default_rng(0).standard_normal((500, 5)).astype(np.float32)
    clean = learning_curve(make_context(X, np.sin(X[:, 0]) + X[:, 1])).extra["interpolation"]
    noise = np.random.default_rng(1).standard_normal(500)
    answer = learning_curve(make_context(X, np.sin(X[:, 0]) + X[:, 1] + noise))
    noisy = answer.extra["interpolation"]
    assert clean["high"] <= module.NEAR < noisy["low"]
    assert clean["fitting_ratio"] < 0.5 * noisy["fitting_ratio"]
    assert clean["ridge"] < noisy["ridge"]
    assert answer.details[0].startswith("Interpolation costs here: fitting every row exactly")


def test_without_time_for_the_kernel_the_curve_alone_forecasts(make_context):
    context = make_context(*blobs(1200, 10, distance=3.0))
    learning_curve(context)
    context.ledger.spent["nets"] = 2 * sum(SHARES.values()) * context.ledger.total
    answer = learning_curve(context)
    assert answer.details[0].startswith("The forecast rests on the curve alone: the kernel needs")
    assert "interpolation" not in answer.extra
    law = fit_power_law(
        context.memory["subset_curve"].values,
        module.errors(context, context.memory["subset_curve"]).mean(axis=(1, 2)),
    )
    twice = 2 * module.fitted_rows(context)
    assert answer.extra["forecast"][0]["error"] == pytest.approx(law(np.array([twice]))[0], rel=0.3)
