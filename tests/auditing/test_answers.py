"""The outcome follows from the evidence."""

import polars as pl
import pytest

from overparam.auditing.answers import Answer
from overparam.evidence.intervals import Interval, Statistic
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence


def answer(low, high, outcome=None):
    statistic = Statistic((low + high) / 2, Interval(low, high), "loss", 3)
    evidence = Evidence(pl.DataFrame({"x": [1]}), statistic, more_than(0.0))
    return Answer(evidence, "headline", "action", outcome=outcome)


@pytest.mark.parametrize(
    ("low", "high", "outcome"), [(1, 2, "issue"), (-1, 1, "tip"), (-2, -1, "fine")]
)
def test_holds_means_that_the_problem_is_there(low, high, outcome):
    assert answer(low, high).resolved_outcome == outcome


def test_a_finding_may_depart_where_its_page_says_so():
    assert answer(-1, 1, outcome="fine").resolved_outcome == "fine"


def test_there_is_no_afterword_unless_given():
    assert list(answer(1, 2).afterword()) == []
