import datetime as dt

import numpy as np
import polars as pl
import pytest

from overparam.data.roles import assign_roles, conform, sortable
from overparam.evidence.errors import UserError

N = 120
WORDS = [f"word{i % 50} thing" for i in range(N)]


def role(values, dtype=None):
    return assign_roles(pl.DataFrame({"c": pl.Series(values, dtype=dtype)}))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([i / 7 for i in range(N)], "number"),
        ([i % 5 for i in range(N)], "number"),
        ([" 1.5", "2 "] * 60, "number"),
        ([dt.timedelta(seconds=i) for i in range(N)], "number"),
        ([True, None, False] * 40, "boolean"),
        (["a", "b", None] * 40, "category"),
        (WORDS, "text"),
        ([dt.date(2020, 1, 1 + i % 30) for i in range(N)], "date"),
        ([dt.datetime(2020, 1, 1, i % 24, tzinfo=dt.UTC) for i in range(N)], "date"),
        ([f"2020-01-{1 + i % 30:02}" for i in range(N)], "date"),
        ([f"{1 + i % 30}/01/2020" for i in range(N)], "date"),
    ],
)
def test_each_kind_of_column_has_its_role(values, expected):
    columns = role(values)
    assert columns.roles == {"c": expected}
    assert columns.dropped == ()
    assert columns.frame["c"].null_count() == sum(v is None for v in values)


def test_categories_of_other_libraries_are_categories():
    assert role(["a", "b"] * 60, pl.Categorical).roles == {"c": "category"}
    assert role(["a", "b"] * 60, pl.Enum(["a", "b"])).roles == {"c": "category"}


def test_dates_written_as_text_are_read_and_how_is_said():
    columns = role(["13/02/2021", "01/03/2021"] * 60)
    assert columns.frame["c"][0] == dt.datetime(2021, 2, 13)
    assert columns.formats == {"c": "%d/%m/%Y"}
    assert columns.notes == ("'c' was read as dates written %d/%m/%Y",)


def test_a_column_that_is_dates_only_at_first_stays_text():
    assert role(["2020-01-02"] * 1100 + ["soon"]).roles == {"c": "category"}


def test_infinite_values_count_as_missing_and_are_counted():
    columns = role([1.0, float("inf"), float("nan")] * 40)
    assert columns.frame["c"].null_count() == 80
    assert columns.notes == ("40 infinite values in 'c' count as missing",)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([None] * N, "empty"),
        (["", " "] * 60, "empty"),
        ([float("nan")] * N, "empty"),
        (["x"] * N, "constant"),
        ([3] * N, "constant"),
        ([f"id-{i:04}" for i in range(N)], "looks like an identifier"),
        (range(1, N + 1), "looks like an identifier"),
        ([[1], [2]] * 60, "values of type List(Int64) are not supported"),
    ],
)
def test_columns_of_no_use_are_dropped_with_the_reason(values, reason):
    columns = role(list(values))
    assert columns.roles == {}
    assert [(d.kind, d.name, d.count, d.reason) for d in columns.dropped] == [
        ("column", "c", N, reason)
    ]


def test_whole_numbers_called_id_are_an_identifier_and_others_are_not():
    values = np.random.default_rng(0).permutation(10 * N)[:N]
    columns = assign_roles(pl.DataFrame({"customer_id": values, "height": values}))
    assert list(columns.roles) == ["height"]


def test_a_value_beside_missing_ones_tells_something():
    assert role(["x", None] * 60).roles == {"c": "category"}


def test_long_texts_that_all_differ_are_no_identifier():
    assert role([f"a letter about {i} things" for i in range(N)]).roles == {"c": "text"}


ROLES = {"n": "number", "c": "category", "b": "boolean", "d": "date"}


def new(**changes):
    rows = {"n": [1.5, 2], "c": ["x", "y"], "b": [True, False], "d": ["02/01/2020", None]}
    return conform(pl.DataFrame({**rows, **changes}), ROLES, {"d": "%d/%m/%Y"}, "new.csv")


def test_new_rows_take_the_form_of_the_old():
    frame = new(other=["ignored", "too"])
    assert frame.columns == list(ROLES)
    assert frame["d"][0] == dt.datetime(2020, 1, 2)
    assert frame.dtypes == [pl.Float64, pl.String, pl.Boolean, pl.Datetime("us")]


def test_other_types_that_say_the_same_are_taken():
    frame = new(n=["1", None], c=[1, 2], b=["True", "false"], d=[dt.date(2020, 1, 1), None])
    assert frame.row(0) == (1.0, "1", True, dt.datetime(2020, 1, 1))
    assert new(c=[1.0, None])["c"].to_list() == ["1", None]
    assert new(c=["01", "2"])["c"].to_list() == ["01", "2"]


def test_a_missing_column_is_named():
    with pytest.raises(
        UserError, match=r"^new\.csv must have the columns .* got none called 'n'\.$"
    ):
        conform(pl.DataFrame({"c": ["x"], "b": [True], "d": [None]}), ROLES, {}, "new.csv")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"n": ["1", "many"]}, "must hold a number in column 'n'; got 'many' in row 1"),
        ({"d": ["02/01/2020", "2020-01-02"]}, "must hold a date in column 'd'; got '2020-01-02'"),
        ({"b": ["true", "perhaps"]}, "must hold a boolean in column 'b'; got 'perhaps' in row 1"),
    ],
)
def test_a_value_that_does_not_fit_is_named(change, text):
    with pytest.raises(UserError, match=rf"^new\.csv {text}"):
        new(**change)


def test_times_sort_from_past_to_future():
    dates = sortable(pl.Series("t", ["2021-01-01", None, "2020-06-01"]), "time")
    assert dates[2] < dates[0]
    assert np.isnan(dates[1])
    assert sortable(pl.Series("t", [3, 1, 2]), "time").tolist() == [3, 1, 2]
    with pytest.raises(UserError, match=r"^time must be a column of dates or numbers; got 't'"):
        sortable(pl.Series("t", ["soon", "later"]), "time")
