"""Statistics of C9 on planted losses."""

import numpy as np
import polars as pl
import pytest

from overparam.evidence import cells
from overparam.evidence.scale import SMOKE
from overparam.studies import deep_learning_theory_aspect as aspect


def table(loss):
    return pl.DataFrame(
        [
            {"form": form, "width": n, "layers": L, "seed": 0, "loss": loss(form, n, L)}
            for form in ("relu", "relu, skips", "tanh")
            for n in (16, 64)
            for L in (2, 3, 9, 17)
        ]
    )


def test_losses_that_follow_the_ratio_correlate_with_it_more_than_with_depth():
    by_ratio, by_depth = aspect.rank_correlations(table(lambda form, n, L: L / n))
    assert by_ratio == pytest.approx(1)
    assert 0 < by_depth < 0.9
    assert aspect.rank_correlations(table(lambda form, n, L: L))[1] == pytest.approx(1)


def test_best_depths_count_hidden_layers_of_the_form_asked_for():
    losses = table(lambda form, n, L: abs(L - (3 if n == 16 else 9)) + (form != "tanh") * -L)
    np.testing.assert_array_equal(aspect.best_depths(losses, "tanh"), [2, 8])


def test_the_price_of_depth_is_a_ratio_of_differences():
    losses = table(lambda form, n, L: 1 + L * (0.01 if form == "relu, skips" else 0.04 * n / 16))
    np.testing.assert_allclose(aspect.price_of_depth(losses), [0.25, 0.0625])


def test_tables_name_the_form_of_each_net(tmp_path):
    with cells.settings(store=tmp_path, backend="sequential", progress=False):
        losses = aspect.digit_losses(SMOKE)
    assert losses["form"].unique(maintain_order=True).to_list() == ["relu", "tanh", "relu, skips"]
    assert losses.height == 3 * 2 * 2 * 2
    assert len(aspect.seeds_of(losses)) == 2
