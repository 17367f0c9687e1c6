"""The data's facts, counted directly."""

import numpy as np
import polars as pl
from tests.auditing.known_data import blobs
from tests.auditing.small_plan import small_plan

from overparam.auditing import facts
from overparam.data.loading import load


def described(*source, **options):
    dataset = load(*source, **options)
    return facts.describe(dataset, small_plan(dataset, metric="accuracy"))


def test_rows_classes_and_parts_are_counted():
    X, y = blobs(200, 4, classes=3, distance=2.0)
    data = described(X, y)
    assert data["rows"] == data["labelled"] == 200
    assert [c["rows"] for c in data["classes"]] == np.bincount(y).tolist()
    assert sum(data["split"].values()) == 200
    assert data["columns"] == 4
    assert not data["leakage"]


def test_dropped_columns_unlabelled_rows_and_copies_are_told():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "x": rng.normal(size=100),
            "same": ["a"] * 100,
            "y": [None if i < 7 else i % 2 for i in range(100)],
        }
    )
    frame = frame.vstack(frame[50:60])
    data = described(frame, "y")
    assert data["unlabelled"] == 7
    assert data["labelled"] == 103
    assert [d["name"] for d in data["dropped"] if d["kind"] == "column"] == ["same"]
    assert data["duplicates"]["extra"] == 10


def test_a_column_that_tells_the_label_is_a_leak_with_a_way_out():
    X, y = blobs(200, 3, distance=0.5)
    frame = pl.DataFrame({"a": X[:, 0], "code": y * 10 + 1.0, "y": y})
    [sign] = described(frame, "y")["leakage"]
    assert "--drop code" in sign["text"]


def test_imbalance_suggests_the_balanced_metric():
    X, _ = blobs(330, 3, distance=2.0)
    y = np.r_[np.zeros(300, int), np.ones(30, int)]
    assert any("balanced_accuracy" in note for note in described(X, y)["notes"])
    assert not any("balanced" in note for note in described(*blobs(200, 3, distance=1.0))["notes"])


def test_overparameterisation_is_parameters_a_row_and_output():
    dataset = load(*blobs(200, 4, classes=3, distance=2.0))
    plan = small_plan(dataset, metric="accuracy", baseline_parameters=3240)
    ratio = facts.describe(dataset, plan)["overparameterisation"]
    assert ratio["parameters_a_row_and_output"] == 3240 / (ratio["rows"] * 3)
