"""Weights of suspected rows."""

import numpy as np

from overparam.auditing.suspect_weighting import WEIGHT, suspect_weights


def test_only_suspects_weigh_less_and_none_is_dropped():
    weights = suspect_weights(6, np.array([1, 3, 5]), np.array([True, False, True]))
    np.testing.assert_array_equal(weights, [1, WEIGHT, 1, 1, 1, WEIGHT])
    assert 0 < WEIGHT < 1
