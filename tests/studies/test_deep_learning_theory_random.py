"""Pooled measurements beside the theory, and metrics by layer."""

import polars as pl
import pytest

from overparam.studies.deep_learning_theory_random import beside_theory, by_layer


def test_seeds_are_pooled_and_the_larger_tolerance_counts():
    table = pl.DataFrame(
        {
            "activation": ["relu", "relu", "tanh", "tanh"],
            "seed": [0, 1, 0, 1],
            "H": [2.2, 2.4, 1.01, 1.01],
            "H_error": [0.3, 0.4, 0.001, 0.001],
            "H_theory": [2.0, 2.0, 1.0, 1.0],
        }
    )
    relu, tanh = beside_theory(table, ["H"]).iter_rows(named=True)
    assert relu["measured"] == pytest.approx(2.3)
    assert relu["standard_error"] == pytest.approx(0.25)  # sqrt(0.3^2 + 0.4^2) / 2
    assert relu["of_tolerance"] == pytest.approx(0.3 / 0.75)
    assert tanh["of_tolerance"] == pytest.approx(0.01 / 0.03)


def test_metrics_get_a_row_for_each_layer():
    table = pl.DataFrame(
        {
            "activation": ["relu"],
            "width": [50],
            "seed": [0],
            "measured_2": [5.1],
            "theory_2": [5.0],
            "measured_6": [27.0],
            "theory_6": [30.0],
        }
    )
    long = by_layer(table, (2, 6))
    assert long["measured"].to_list() == [5.1, 27.0]
    assert long["theory"].to_list() == [5.0, 30.0]
    assert long["ratio"].to_list() == pytest.approx([1 / 50, 5 / 50])
