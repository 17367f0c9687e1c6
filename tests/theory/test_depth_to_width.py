"""The optimal ratio: published values, what it depends on, errors."""

import pytest

from overparam.theory.depth_to_width import optimal_aspect_ratio


def test_published_values():
    assert optimal_aspect_ratio("relu", 10) == pytest.approx(0.016, rel=1e-12)
    assert optimal_aspect_ratio("tanh", 10) == pytest.approx(0.12, rel=1e-9)


def test_skips_let_nets_be_deeper_and_outputs_want_them_shallower():
    assert optimal_aspect_ratio("relu", 10, residual=0.9) > 3 * optimal_aspect_ratio("relu", 10)
    assert optimal_aspect_ratio("relu", 100) < optimal_aspect_ratio("relu", 1)


@pytest.mark.parametrize("n_out", [0, 1.5])
def test_errors(n_out):
    with pytest.raises(ValueError, match=f"n_out must be an integer >= 1; got {n_out}"):
        optimal_aspect_ratio("relu", n_out)
    with pytest.raises(ValueError, match="activation must have a critical point"):
        optimal_aspect_ratio("sigmoid", 1)
