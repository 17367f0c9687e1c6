"""The pictures: a line for each name, a point for each number of members."""

import polars as pl

from overparam.studies.infinite_compute_pictures import loss_curve, member_curve, over_members


def test_members_are_counted_up_to_all_of_them():
    table = over_members({"width 64": [3.0, 5.0, 2.0], "width 32": [1.0]})
    assert table.rows() == [("width 64", 1, 4.0), ("width 64", 2, 2.0), ("width 32", 1, 1.0)]
    assert member_curve(table)["layer"]


def test_losses_are_means_over_seeds():
    rows = [(epochs, seed, 2.0 + 0.1 * seed) for epochs in (16, 32) for seed in (0, 1)]
    table = pl.DataFrame(rows, schema=["epochs", "seed", "loss"], orient="row")
    drawn = loss_curve(table, "epochs", ["width 64"] * 4)
    values = next(iter(drawn["datasets"].values()))
    assert sorted(round(row["y"], 6) for row in values) == [2.05, 2.05]
