"""The closed form against the published values and a numerical minimum."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from overparam.theory import overlap_bound
from overparam.theory.class_overlap import uniform_excess


@pytest.mark.parametrize(
    ("k", "overlap", "value"),
    [
        (2, 0.5, 0.215762),
        (10, 0.5, 0.765068),
        (100, 0.5, 1.364542),
        (1000, 0.5, 1.942450),
        (10, 1, 1.098612),
        (2, 1, 0),
    ],
)
def test_known_values(k, overlap, value):
    assert overlap_bound(k, overlap) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("k", [2, 7, 50])
@pytest.mark.parametrize("overlap", [0.1, 0.5, 0.9])
def test_it_is_the_minimum_of_the_expected_kl(k, overlap):
    def expected_kl(log_u):
        u = np.exp(log_u)
        probs = np.r_[u, np.ones(k - 1)] / (u + k - 1)  # favoured label first, its partner second
        in_overlap = np.log(0.5) - 0.5 * np.log(probs[0]) - 0.5 * np.log(probs[1])
        return overlap * in_overlap - (1 - overlap) * np.log(probs[0])

    best = minimize_scalar(expected_kl, bounds=(-5, 15), method="bounded", options={"xatol": 1e-9})
    assert overlap_bound(k, overlap) == pytest.approx(best.fun, abs=1e-9)
    assert best.x == pytest.approx(np.log((k - 1) * (2 - overlap) / overlap), abs=1e-4)


def test_nothing_is_lost_without_overlap():
    assert overlap_bound(10, 0.0) == 0.0


def test_the_uniform_prediction_costs_more_and_grows_like_log_k():
    assert uniform_excess(8, 0.5) == pytest.approx(np.log(8) - 0.5 * np.log(2))
    assert all(overlap_bound(k, 0.5) < uniform_excess(k, 0.5) for k in (2, 10, 1000))


@pytest.mark.parametrize(
    ("k", "overlap", "message"),
    [(1, 0.5, "k must be an integer >= 2; got 1"), (4, 1.5, "overlap must lie in .* got 1.5")],
)
def test_bad_input_is_named(k, overlap, message):
    with pytest.raises(ValueError, match=message):
        overlap_bound(k, overlap)
