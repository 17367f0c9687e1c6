"""Sweeps of rates: what a row means, and how losses are laid out."""

import numpy as np
import polars as pl

from overparam.evidence import cells
from overparam.evidence.scale import SMOKE
from overparam.studies import deep_learning_theory_rates as rates


def test_losses_are_laid_out_by_depth_seed_and_rate_whatever_the_order_of_rows():
    rows = [
        {"activation": "tanh", "scheme": scheme, "layers": L, "seed": s, "rate": r}
        | {"train_loss": 100.0 * L + 10 * s + r + (scheme == "global") * 0.5}
        for r in (3.0, 1.0, 2.0)
        for s in (1, 0)
        for scheme in ("global", "layer-wise")
        for L in (20, 5)
    ]
    found = rates.losses_by_rate(pl.DataFrame(rows), "tanh", "layer-wise")
    assert found.shape == (2, 2, 3)
    np.testing.assert_array_equal(found[1, 0], [2001.0, 2002.0, 2003.0])
    np.testing.assert_array_equal(found[0, :, 0], [501.0, 511.0])


def test_a_sweep_has_a_row_for_each_rate_of_each_scheme(tmp_path):
    with cells.settings(store=tmp_path, backend="sequential", progress=False):
        table = rates.rate_sweeps(SMOKE)
    assert table.height == 2 * 2 * 2 * 6
    for scheme, expected in (("global", rates.GLOBAL), ("layer-wise", rates.LAYERWISE)):
        part = table.filter(scheme=scheme)
        assert part["rate"].unique().sort().to_list() == list(expected)
        tiny, best = part.filter(rate=expected[0]), part.group_by("layers", "seed").min()
        assert (best["train_loss"] <= tiny["train_loss"].max()).all()
