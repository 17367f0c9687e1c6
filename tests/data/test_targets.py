import datetime as dt

import numpy as np
import polars as pl
import pytest

from overparam.data.targets import MERGED, encode_target, nearest, read_target
from overparam.evidence.errors import UserError


def read(values, **options):
    return read_target(pl.Series("y", values), "y", **options)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["b", "a"] * 30, ("a", "b")),
        ([True, False] * 30, ("False", "True")),
        ([10, 9, 2] * 20, ("2", "9", "10")),
        ([1.0, 0.0, None] * 20, ("0", "1")),
        ([" a ", "a", "b"] * 20, ("a", "b")),
        (list(range(20)) * 5, tuple(map(str, range(20)))),
    ],
    ids=["text", "booleans", "integers", "whole floats", "blanks around", "20 integers"],
)
def test_these_are_classes(values, classes):
    target = read(values)
    assert target.task == "classification"
    assert target.classes == classes
    assert target.y.dtype == np.int64
    known = [(v, c) for v, c in zip(values, target.y, strict=True) if v is not None]
    named = {(classes[c], str(v).strip().removesuffix(".0")) for v, c in known}
    assert all(a == b for a, b in named)


@pytest.mark.parametrize(
    "values", [[0.5, 1.0, 2.0] * 20, list(range(21)) * 5, [1e9 + i for i in range(60)]]
)
def test_these_are_numbers(values):
    target = read(values)
    assert target.task == "regression"
    assert target.y.tolist() == values
    assert target.classes == ()


def test_the_choice_is_said_and_can_be_overridden():
    assert read([1, 2, 3] * 20).notes == ("classification: 'y' holds 3 distinct whole numbers",)
    forced = read([1, 2, 3] * 20, task="regression")
    assert forced.task == "regression"
    assert forced.notes == ("regression, as asked for",)
    assert read([0.5, 1.5] * 30, task="classification").classes == ("0.5", "1.5")


def test_missing_labels_are_marked():
    text = read(["a", "b", None, "", " "] * 12)
    assert text.missing.tolist() == [False, False, True, True, True] * 12
    assert text.y[:5].tolist() == [0, 1, -1, -1, -1]
    numbers = read([0.5, float("nan"), None, 2.5] * 12)
    assert numbers.missing[:4].tolist() == [False, True, True, False]
    assert np.isnan(numbers.y[1:3]).all()


RARE = ["a"] * 30 + ["b"] * 30 + ["c"] * 4 + ["d"]


def test_rare_classes_are_named_with_the_way_out():
    text = (
        r"at least 5 rows in each class; got 'c' \(4\), 'd' \(1\)\. Use --rare drop .*--rare merge"
    )
    with pytest.raises(UserError, match=text):
        read(RARE)


def test_rare_classes_are_dropped_and_counted():
    target = read(RARE, rare="drop")
    assert target.classes == ("a", "b")
    assert [(d.kind, d.name, d.count) for d in target.dropped] == [
        ("class", "c", 4),
        ("class", "d", 1),
    ]
    assert target.rare.tolist() == [False] * 60 + [True] * 5
    assert not target.missing.any()


def test_rare_classes_are_merged_and_said_so():
    target = read(RARE, rare="merge")
    assert target.classes == ("a", "b", MERGED)
    assert target.y.tolist() == [0] * 30 + [1] * 30 + [2] * 5
    assert target.notes[1] == f"2 classes with 5 rows in all became the class {MERGED}"
    assert not target.rare.any()


def test_merging_too_few_rows_drops_them():
    target = read(RARE[:-1], rare="merge")
    assert target.classes == ("a", "b")
    assert target.dropped[0].count == 4


@pytest.mark.parametrize(
    ("values", "options", "text"),
    [
        (["a"] * 60, {}, r"^target must have at least two classes; got only 'a' in 'y'\.$"),
        ([2.5] * 60, {}, r"^target must vary; got 'y' with the single value 2\.5\.$"),
        ([None] * 60, {}, r"^target must have labels; got 'y' without a single one\.$"),
        (
            [f"p{i}" for i in range(60)],
            {},
            r"^target must repeat its values; got 'y' with 60 distinct values in 60 rows, which "
            r"looks like an identifier\.$",
        ),
        ([1.5, float("inf")] * 30, {}, r"^target must be finite; got inf in 'y', row 1\.$"),
        (
            [dt.date(2020, 1, 1)] * 60,
            {},
            r"^target must hold text, booleans or numbers; got dates in 'y'\.$",
        ),
        (
            ["a", "b"] * 30,
            {"task": "regression"},
            r"^task must be 'classification' for the text in 'y'; got 'regression'\.$",
        ),
        (["a", "b"] * 30, {"task": "rank"}, r"^task must be 'classification' or .*; got 'rank'\.$"),
        (["a", "b"] * 30, {"rare": "keep"}, r"^rare must be 'drop' or 'merge'; got 'keep'\.$"),
        (
            ["a"] * 60 + ["b"] * 2,
            {"rare": "drop"},
            r"^target must have two classes with at least 5 rows; got 1 in 'y' without the rare",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_line(values, options, text):
    with pytest.raises(UserError, match=text) as caught:
        read(values, **options)
    assert "\n" not in str(caught.value)


def test_labels_of_a_test_source_get_the_same_codes():
    like = read(["a", "b", "c"] * 20)
    assert encode_target(pl.Series(["c", None, "a"]), "y", like).tolist() == [2, -1, 0]
    with pytest.raises(UserError, match=r"^test must have the classes of .* got 'z' too\.$"):
        encode_target(pl.Series(["a", "z"]), "y", like)


def test_rare_classes_of_a_test_source_follow_the_choice_made():
    dropped, merged = read(RARE, rare="drop"), read(RARE, rare="merge")
    assert encode_target(pl.Series(["d", "b"]), "y", dropped).tolist() == [-1, 1]
    assert encode_target(pl.Series(["d", "b"]), "y", merged).tolist() == [2, 1]


def test_a_whole_float_in_a_test_source_is_the_integer_class():
    assert encode_target(pl.Series([2.0, 1.0]), "y", read([1, 2] * 30)).tolist() == [1, 0]


def test_near_names_are_offered_and_else_the_first():
    assert nearest("prize", ["price", "size"]) == "Did you mean 'price' or 'size'?"
    assert nearest("PRICE", ["price", "rooms"]) == "Did you mean 'price'?"
    assert nearest("zzz", ["price", "rooms"]) == "It has price, rooms."
