import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image
from tests.data.mixed_table import ROLES, mixed_table

from overparam.data.loading import load, read_features
from overparam.evidence.errors import UserError


@pytest.fixture
def houses(tmp_path):
    rng = np.random.default_rng(0)
    table = mixed_table(120).with_columns(
        kind=pl.Series(rng.choice(["flat", "house", "villa"], 120)),
        price=pl.Series(rng.normal(size=120)),
        street=pl.Series(rng.integers(0, 30, 120)),
        year=pl.Series(np.arange(1900, 2020)),
        code=pl.Series([f"h-{i}" for i in range(120)]),
        empty=pl.lit(None, pl.String),
    )
    path = tmp_path / "houses.csv"
    table.write_csv(path)
    return path


def columns(dataset):
    return {d.name: d.reason for d in dataset.dropped if d.kind == "column"}


def test_a_file_becomes_a_data_set_and_nothing_is_dropped_in_silence(houses):
    data = load(houses, "kind", drop="price")
    assert (data.name, data.source, data.target) == ("houses", "houses.csv", "kind")
    assert (data.n, data.n_input_rows, data.kind) == (120, 120, "table")
    assert data.classes == ("flat", "house", "villa")
    assert dict(data.roles) == {**ROLES, "street": "number"}
    assert columns(data) == {
        "price": "left out as asked for",
        "year": "looks like an identifier",
        "code": "looks like an identifier",
        "empty": "empty",
    }


def test_group_and_time_are_no_features_and_rule_the_split(houses):
    data = load(houses, "kind", group="street")
    split = data.split(0)
    sides = [set(data.group[view.rows]) for view in (split.train, split.validation, split.test)]
    assert sum(map(len, sides)) == len(set.union(*sides))
    assert columns(data)["street"] == "the group column is no feature"
    data = load(houses, "kind", time="year")
    split = data.split(0)
    assert data.time[split.train.rows].max() < data.time[split.validation.rows].min()
    assert "year" not in data.roles


def test_rows_without_a_label_are_the_unlabelled_pool(houses):
    table = pl.read_csv(houses).with_columns(
        kind=pl.when(pl.int_range(120) % 4 == 1).then(None).otherwise("kind")
    )
    data = load(table, "kind", name="few")
    assert data.name == "few"
    assert data.row.tolist() == [i for i in range(120) if i % 4 != 1]
    assert data.unlabelled_row.tolist() == list(range(1, 120, 4))
    assert data.unlabelled.columns == data.frame.columns
    assert data.unlabelled["full"].to_list() == pytest.approx(table["full"].gather_every(4, 1))
    assert "30 rows without a label are the unlabelled pool" in data.notes


def test_blank_rows_are_counted_as_dropped(houses):
    text = houses.read_text().splitlines()
    houses.write_text("\n".join([*text[:50], "", *text[50:]]))
    data = load(houses, "kind")
    assert data.n_input_rows == 121
    assert len(data.unlabelled_row) == 0
    assert [(d.name, d.count) for d in data.dropped if d.kind == "row"] == [("blank rows", 1)]


def test_rows_without_a_time_or_group_are_counted(houses):
    table = pl.read_csv(houses).with_columns(
        year=pl.when(pl.int_range(120) < 3).then(None).otherwise("year"),
        street=pl.when(pl.int_range(120) > 110).then(None).otherwise("street"),
    )
    data = load(table, "kind", time="year")
    assert data.n == 117
    assert [(d.name, d.count) for d in data.dropped if d.kind == "row"] == [
        ("rows without a time", 3)
    ]
    data = load(table, "kind", group="street")
    assert len(set(data.group[-9:])) == 9
    assert "9 rows without a group are each a group of their own" in data.notes


def test_a_test_source_is_the_test_part(houses, tmp_path):
    table = pl.read_csv(houses)
    table[:40].with_columns(other=pl.lit(1)).write_csv(tmp_path / "later.csv")
    data = load(houses, "kind", test=tmp_path / "later.csv")
    assert (data.n, data.n_input_rows, data.test_source) == (160, 120, "later.csv")
    assert np.array_equal(data.test_rows, np.arange(120, 160))
    assert np.array_equal(data.row[120:], np.arange(40))
    assert data.frame[120:].equals(data.frame[:40])
    split = data.split(0)
    assert np.array_equal(split.test.rows, data.test_rows)
    assert [len(split.train), len(split.validation)] == [90, 30]
    grouped = load(houses, "kind", test=tmp_path / "later.csv", group="street")
    assert np.array_equal(grouped.split(0).test.rows, data.test_rows)
    assert grouped.group[120:].min() > grouped.group[:120].max()


def test_labels_of_the_test_source_that_are_missing_are_counted(houses):
    later = pl.read_csv(houses)[:40].with_columns(
        kind=pl.when(pl.int_range(40) < 5).then(None).otherwise("kind")
    )
    data = load(houses, "kind", test=later)
    assert len(data.test_rows) == 35
    assert [(d.name, d.count) for d in data.dropped if d.kind == "row"] == [
        ("rows of data frame", 5)
    ]


def test_regression_keeps_its_numbers(houses):
    data = load(houses, "price")
    assert data.task == "regression"
    assert data.y.tolist() == pytest.approx(pl.read_csv(houses)["price"].to_list())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"target": "prise"},
            r"^--target must be a column of houses\.csv; got 'prise'\. Did you mean 'price'\?$",
        ),
        ({}, r"^--target must be a column of houses\.csv; got none\. It has size, full, colour, "),
        ({"target": "kind", "group": "stret"}, r"^--group must .* Did you mean 'street'\?$"),
        ({"target": "kind", "time": "colour"}, "^time must be a column of dates .* got 'colour'"),
        ({"target": "kind", "drop": ["kind"]}, "^--drop must not name the target; got 'kind'"),
        ({"target": "kind", "drop": "kidn"}, "^--drop must be a column of "),
        ({"target": "code"}, "^target must repeat its values; got 'code' with 120 distinct values"),
        ({"target": "empty"}, "^target must have labels; got 'empty' without a single one"),
        ({"target": [1, 0]}, "^target must be the name of a column when data is a file"),
        (
            {"target": "kind", "drop": ["street", *ROLES, "price"]},
            "^houses.csv must have a feature column beside 'kind'; got none",
        ),
    ],
)
def test_options_that_do_not_fit_are_named(houses, options, text):
    with pytest.raises(UserError, match=text) as caught:
        load(houses, **options)
    assert "\n" not in str(caught.value)


def test_fewer_than_50_rows_are_refused(houses):
    table = pl.read_csv(houses)[:49]
    with pytest.raises(
        UserError, match=r"^data frame must have at least 50 labelled rows; got 49\.$"
    ):
        load(table, "kind")
    assert load(pl.read_csv(houses)[:50], "kind").n == 50


def test_arrays_frames_and_pairs_are_sources():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 3)), rng.integers(0, 2, 80)
    by_arrays, by_pair = load(X, y), load((X, y))
    assert by_arrays.kind == "array"
    assert by_arrays.fingerprint == by_pair.fingerprint
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    assert load(frame, y).n_columns == 3
    labels = [None if i < 20 else "ab"[v] for i, v in enumerate(y)]
    assert load(X, labels).unlabelled.shape == (20, 3)
    with pytest.raises(UserError, match=r"^y must hold the labels of arrays; got none\.$"):
        load(X)
    with pytest.raises(UserError, match=r"^--target must be left out: arrays has no named columns"):
        load((X, y), target="b")


def test_new_rows_are_read_without_the_target_and_in_their_order(houses):
    data = load(houses, "kind")
    again = read_features(houses, data.schema)
    assert again.equals(data.frame)
    new = pl.read_csv(houses)[[5, 3]].drop("kind", "code").with_columns(colour=pl.lit("pink"))
    features = read_features(new, data.schema)
    assert features["full"].to_list() == data.frame["full"][[5, 3]].to_list()
    X = data.split(0).preprocessor.transform(features)
    assert X[:, data.split(0).preprocessor.categorical].tolist() == [[0], [0]]
    with pytest.raises(
        UserError, match=r"^data frame must have the columns .* got none called 'size'"
    ):
        read_features(new.drop("size"), data.schema)


def test_new_arrays_and_images_must_have_the_shape(tmp_path):
    data = load("digits")
    assert np.array_equal(read_features(data.array[:3], data.schema), data.array[:3])
    with pytest.raises(
        UserError, match=r"must hold an array of shape \(n, 8, 8\); got \(3, 8, 4\)"
    ):
        read_features(data.array[:3, :, :4], data.schema)
    (tmp_path / "new").mkdir()
    Image.fromarray(data.array[0]).save(tmp_path / "new" / "x.png")
    assert np.array_equal(read_features(tmp_path / "new", data.schema), data.array[:1])
    with pytest.raises(UserError, match="must be a table, like iris; got an array"):
        read_features(data.array, load("iris").schema)


def test_a_table_of_numbers_serves_a_model_of_a_matrix():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 3)), rng.integers(0, 2, 80)
    schema = load(X, y).schema
    frame = pl.DataFrame(X, schema=["a", "b", "c"])
    assert np.array_equal(read_features(frame, schema), X)
    with pytest.raises(UserError, match=r"must hold an array of shape \(n, 3\); got a table"):
        read_features(frame.drop("a"), schema)


@pytest.mark.slow
def test_a_million_rows_load_and_split_within_memory(tmp_path):
    import subprocess
    import sys

    rng = np.random.default_rng(0)
    n = 1_000_000
    numbers = {f"x{i}": rng.normal(size=n).round(3) for i in range(12)}
    words = {f"c{i}": rng.choice(["red", "green", "blue"], n) for i in range(6)}
    text = {"t": np.char.add("word ", rng.integers(0, 9_999, n).astype(str))}
    table = pl.DataFrame({**numbers, **words, **text, "y": rng.choice(["a", "b"], n)})
    table.write_csv(tmp_path / "big.csv")
    code = f"""
import resource
from overparam.data.loading import load
split = load({str(tmp_path / "big.csv")!r}, "y").split(0)
assert len(split.train) == 600_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(ran.stdout) < 4e6  # kilobytes
