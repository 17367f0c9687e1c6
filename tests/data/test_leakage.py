import numpy as np
import polars as pl
import pytest

from overparam.data.leakage import duplicates, leakage, single_columns
from overparam.data.loading import load

RNG = np.random.default_rng(0)


def frame(n=300, **columns):
    y = RNG.integers(0, 2, n)
    base = {"a": RNG.normal(size=n), "b": RNG.normal(size=n), "y": y}
    return pl.DataFrame({**base, **{name: make(y) for name, make in columns.items()}})


def test_clean_data_is_silent():
    data = load(frame(), "y")
    assert leakage(data) == []
    assert set(duplicates(data).values()) == {0}


def test_copies_are_counted_and_conflicting_labels_reported():
    rows = frame(300)
    copies = rows[:10].with_columns(
        y=pl.when(pl.int_range(10) < 4).then(1 - pl.col("y")).otherwise("y")
    )
    data = load(pl.concat([rows, copies]), "y")
    assert duplicates(data) == {
        "sets": 10, "rows": 20, "extra": 10, "conflicting_sets": 4, "conflicting_rows": 8,
    }  # fmt: skip
    (found,) = leakage(data)
    assert (found["kind"], found["value"]) == ("conflicting_duplicates", 8)
    assert found["sentence"].startswith("8 rows equal another row")


def test_rows_shared_with_a_given_test_part_are_reported():
    rows = frame(300)
    data = load(rows, "y", test=pl.concat([rows[:7], frame(20)]))
    (found,) = leakage(data)
    assert (found["kind"], found["value"]) == ("shared_with_test", 7)
    assert found["sentence"] == "7 of 27 test rows equal a row of the data."


@pytest.mark.parametrize(
    "make",
    [
        lambda y: y + RNG.normal(size=len(y)) / 100,
        lambda y: np.where(y, "yes", "no"),
        lambda y: np.where(RNG.random(len(y)) < 0.5, -y, y),
    ],
    ids=["number", "category", "of both signs"],
)
def test_a_column_that_tells_the_class_is_named_with_the_way_out(make):
    data = load(frame(tell=make), "y")
    (found,) = leakage(data)
    assert (found["kind"], found["name"]) == ("single_column", "tell")
    assert found["value"] >= 0.99
    assert found["sentence"].endswith("--drop tell")


def test_a_column_that_tells_a_number_is_found():
    rows = frame().with_columns(y=pl.Series(RNG.normal(size=300)))
    data = load(rows.with_columns(tell=pl.col("y") * 3 + 1), "y")
    assert list(single_columns(data)) == ["tell"]


def test_a_good_column_is_no_leak():
    data = load(frame(good=lambda y: y + RNG.normal(size=len(y)) / 2), "y")
    assert leakage(data) == []


@pytest.mark.parametrize("name", ["iris", "breast-cancer", "diabetes", "digits", "characters"])
def test_no_embedded_set_has_a_column_that_tells_all(name):
    assert single_columns(load(name)) == {}


def test_columns_of_a_matrix_are_named_by_index():
    y = np.arange(300) % 3
    data = load(np.stack([RNG.normal(size=300), y.astype(float)], axis=1), y)
    assert list(single_columns(data)) == ["x1"]
