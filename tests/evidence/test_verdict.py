import math

import polars as pl
import pytest

from overparam.evidence.intervals import Interval, Statistic, exact_statistic, t_statistic
from overparam.evidence.regions import at_most, less_than, more_than
from overparam.evidence.verdict import Evidence, Verdict, combine, judged

TABLE = pl.DataFrame({"seed": [0, 1], "rise": [0.1, 0.2]})


def evidence(low, high, region=None, value=None):
    value = (low + high) / 2 if value is None else value
    return Evidence(TABLE, Statistic(value, Interval(low, high), "rise", 2), region or at_most(1.0))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.0, 0.5, "holds"),
        (0.5, 1.0, "holds"),  # the threshold belongs to "at most"
        (0.5, 1.1, "inconclusive"),
        (1.0, 1.5, "inconclusive"),
        (1.1, 1.5, "fails"),
        (math.nan, math.nan, "inconclusive"),
        (-math.inf, math.inf, "inconclusive"),
    ],
)
def test_the_interval_decides(low, high, verdict):
    assert evidence(low, high, value=0.7).verdict == verdict


def test_an_open_threshold_does_not_hold_at_its_edge():
    assert evidence(0.5, 1.0, less_than(1.0)).verdict == "inconclusive"
    assert evidence(1.0, 1.5, less_than(1.0)).verdict == "fails"


def test_a_statistic_that_is_not_a_number_is_inconclusive():
    assert evidence(0.0, 0.5, value=math.nan).verdict == "inconclusive"
    exact = Evidence(TABLE, Statistic(math.nan, None, "rise", 1), at_most(1.0), exact=True)
    assert exact.verdict == "inconclusive"


def test_an_exact_claim_is_decided_by_its_value():
    for value, verdict in [(1.0, "holds"), (math.nextafter(1.0, 2.0), "fails")]:
        exact = Evidence(TABLE, Statistic(value, None, "rise", 1), at_most(1.0), exact=True)
        assert exact.verdict == verdict


def test_without_interval_a_claim_must_be_declared_exact():
    with pytest.raises(ValueError, match=r"statistic must carry an interval; got none for 'rise'"):
        Evidence(TABLE, Statistic(0.5, None, "rise", 1), at_most(1.0))


def test_parts_combine_to_one_verdict():
    holds, fails, open_ = evidence(0, 0.5), evidence(2, 3), evidence(0, 3)
    assert combine({"a": holds, "b": holds}) is Verdict.HOLDS
    assert combine({"a": holds, "b": open_}) is Verdict.INCONCLUSIVE
    assert combine({"a": holds, "b": open_, "c": fails}) is Verdict.FAILS
    with pytest.raises(ValueError, match="at least one Evidence"):
        combine({})


def test_plain_data_carries_all_that_a_report_prints():
    assert evidence(0.0, 0.5).to_dict() == {
        "statistic": 0.25,
        "label": "rise",
        "n": 2,
        "interval": [0.0, 0.5],
        "level": 0.95,
        "method": "t",
        "region": "at most 1",
        "verdict": "holds",
        "exact": False,
        "note": "",
    }


def test_table_and_figure_stand_with_the_first_part():
    sampled = (t_statistic([1.0, 1.1], "a"), more_than(0), "why")
    computed = (exact_statistic(-1.0, "b"), more_than(0), "")
    given = {"sampled": sampled, "computed": computed}
    parts = judged(TABLE, {"mark": "point"}, given, exact=None)
    assert [part.exact for part in parts.values()] == [False, True]
    assert [part.figure for part in parts.values()] == [{"mark": "point"}, None]
    assert [part.table.height for part in parts.values()] == [2, 0]
    assert parts["sampled"].note == "why"
    assert parts["computed"].verdict is Verdict.FAILS
    with pytest.raises(ValueError, match="must carry an interval; got none for 'b'"):
        judged(TABLE, None, given)
