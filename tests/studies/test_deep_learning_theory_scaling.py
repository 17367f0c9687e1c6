"""Exponents and shares: planted power laws, the theory's equal shares."""

import numpy as np
import polars as pl
import pytest

from overparam.studies.deep_learning_theory_scaling import exponents, share_spread


def test_exponents_are_those_of_a_planted_law_for_each_seed():
    rows = [
        {"seed": seed, "layers": L, "width": n, "change": 3.0 * L ** (1 + seed / 10) * n**-0.8}
        for L in (2, 4, 8)
        for n in (32, 128)
        for seed in (2, 0, 1)
    ]
    found = exponents(pl.DataFrame(rows), "change")
    np.testing.assert_allclose(found[:, 0], [1.0, 1.1, 1.2])
    np.testing.assert_allclose(found[:, 1], -0.8)


@pytest.mark.parametrize(("depth", "spread"), [(20, 0.018), (40, 0.021), (80, 0.020)])
def test_layers_share_the_kernel_evenly(depth, spread):
    assert share_spread("tanh", depth) == pytest.approx(spread, abs=1e-3)
    assert share_spread("relu", depth) == pytest.approx(0, abs=1e-12)
