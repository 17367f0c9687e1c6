"""A forecast that holds what comes, is wide where its sources disagree, and counts noise."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from overparam.diagnostics import forecast_error
from overparam.kernels import KernelRidgeClassifierCV

images, digits = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(digits))  # writers follow one another
images, digits = images[order], digits[order]
X, Y = images[:200] / 16, np.eye(10)[digits[:200]]
SIZES = np.array([25, 50, 100, 200])


def made(exponent, floor=0.0, spread=0.02, seed=0):
    rng = np.random.default_rng(seed)
    return (floor + 2 * SIZES[:, None] ** -exponent) * (1 + spread * rng.standard_normal((4, 4)))


@pytest.fixture(scope="module")
def measured():
    """Row errors (3 sizes, 2 subsets, 400 rows) of a kernel classifier."""
    rng = np.random.default_rng(0)
    wrong = np.empty((3, 2, 400))
    for i, size in enumerate((50, 100, 200)):
        for subset in range(2):
            part = rng.permutation(200)[:size]
            model = KernelRidgeClassifierCV("rbf", gamma=5e-4).fit(images[part], digits[part])
            wrong[i, subset] = model.predict(images[1300:1700]) != digits[1300:1700]
    return wrong


def test_the_error_of_four_times_the_rows_is_within_the_interval(measured):
    (point,) = forecast_error([50, 100, 200], measured, X, Y, [800], test_rows=400).points
    model = KernelRidgeClassifierCV("rbf", gamma=5e-4).fit(images[:800], digits[:800])
    error = (model.predict(images[1300:1700]) != digits[1300:1700]).mean()
    assert point["low"] <= error <= point["high"]
    assert point["error"] < measured[-1].mean()


def test_the_forecast_lies_between_its_sources():
    forecast = forecast_error(SIZES, made(0.5), X, Y, [400, 1600])
    for point in forecast.points:
        sources = sorted((point["from_curve"], point["from_kernel"]))
        assert sources[0] <= point["error"] <= sources[1]
        assert point["low"] <= point["error"] <= point["high"]
    assert forecast.gain.shape[1] == 2
    assert np.median(forecast.gain[:, 1]) > np.median(forecast.gain[:, 0]) > 0


@pytest.mark.parametrize("exponent", [0.25, 1.2])
def test_where_the_sources_disagree_the_interval_holds_both(exponent):
    errors = made(exponent, spread=0.002)  # as good as no noise: nothing else makes it wide
    (point,) = forecast_error(SIZES, errors, X, Y, [1600]).points
    apart = abs(np.log(point["from_curve"] / point["from_kernel"]))
    assert apart > 0.05
    assert (
        np.log(point["high"] / point["low"]) > apart + 4 * 0.16
    )  # and by 0.04 times the squared doublings
    for source in ("from_curve", "from_kernel"):
        assert point["low"] < point[source] < point["high"]


def test_few_test_rows_widen_the_interval(measured):
    def width(**options):
        (point,) = forecast_error([50, 100, 200], measured, X, Y, [800], **options).points
        return point["high"] - point["low"]

    assert width(test_rows=50) > 1.2 * width()
    squares = forecast_error(SIZES, made(0.5), X, Y, [800], test_rows=20).points[0]
    bare = forecast_error(SIZES, made(0.5), X, Y, [800]).points[0]
    assert squares["high"] > 1.2 * bare["high"]


def test_no_error_at_all_is_not_sure_to_stay():
    perfect = np.zeros((3, 2, 40))
    (point,) = forecast_error([50, 100, 200], perfect, X, Y, [800]).points
    assert 0 < point["high"] < 0.1
    assert point["error"] == pytest.approx(0.5 / 40, rel=0.5)


def test_same_seed_same_bits():
    one, two = (forecast_error(SIZES, made(0.5), X, Y, [800]).points for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": [50, 100]}, "sizes must be at least three increasing numbers >= 4; got"),
        ({"sizes": [50, 40, 30, 20]}, "sizes must be at least three increasing numbers >= 4"),
        ({"errors": made(0.5)[:, :1]}, r"errors must have shape \(4, subsets >= 2\) .*\(4, 1\)"),
        ({"errors": -made(0.5)}, "errors must be finite numbers >= 0"),
        ({"rows": []}, r"rows must be a vector of numbers >= 4; got \[\]"),
        ({"test_rows": 0}, "test_rows must be an integer >= 1; got 0"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {"sizes": SIZES, "errors": made(0.5), "X": X, "y": Y, "rows": [800]}
    with pytest.raises(ValueError, match=message):
        forecast_error(**(good | change))


def test_no_forecast_is_worse_than_what_was_measured():
    errors = made(0.25)
    points = forecast_error(SIZES, errors, X, Y, [400 * 2**8]).points
    assert points[0]["high"] <= errors.mean(axis=tuple(range(1, errors.ndim))).max()
