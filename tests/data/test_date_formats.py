import datetime as dt

import polars as pl
import pytest

from overparam.data.date_formats import find_format, parse_dates

DAY = dt.datetime(2021, 3, 24)
NOON = DAY.replace(hour=12, minute=5, second=6)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2021-03-24", DAY),
        ("2021/03/24", DAY),
        ("24/03/2021", DAY),
        ("03/24/2021", DAY),
        ("24.03.2021", DAY),
        ("24 Mar 2021", DAY),
        ("March 24, 2021", DAY),
        ("2021-03-24 12:05:06", NOON),
        ("2021-03-24T12:05:06.250", NOON.replace(microsecond=250_000)),
        ("2021-03-24T12:05:06Z", NOON),
        ("2021-03-24 14:05:06+02:00", NOON),
        ("24/03/2021 12:05", NOON.replace(second=0)),
    ],
)
def test_each_way_of_writing_is_found(text, moment):
    texts = pl.Series([text, None, text])
    found = find_format(texts)
    assert not found.ambiguous
    assert parse_dates(texts, found.written).to_list() == [moment, None, moment]


def test_one_day_beyond_12_settles_the_order():
    assert find_format(pl.Series(["01/02/2021", "01/13/2021"])).written == "%m/%d/%Y"
    assert find_format(pl.Series(["01/02/2021", "13/01/2021"])).written == "%d/%m/%Y"


def test_an_order_that_nothing_settles_is_said_to_be_ambiguous():
    found = find_format(pl.Series(["01/02/2021", "03/04/2021"]))
    assert found == ("%d/%m/%Y", True)


@pytest.mark.parametrize(
    "texts", [["soon"], ["2021-03-24", "soon"], ["2021"], ["12:30"], ["room 2021"], [None]]
)
def test_other_texts_are_no_dates(texts):
    assert find_format(pl.Series(texts, dtype=pl.String)) is None
