"""Durations and the ledger."""

import pytest

from overparam.auditing.budget import SHARES, Ledger, makespan, parse_duration, working_seconds
from overparam.evidence.errors import UserError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h30m", 5400), ("0.5m", 30), (45, 45), ("120", 120)],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["soon", "5 parsecs", "", "-5m", "m5", True])
def test_what_is_no_duration_is_named(text):
    with pytest.raises(UserError, match="budget must be a time such as 90s, 5m or 1h30m; got"):
        parse_duration(text)


def test_a_budget_too_small_for_anything_is_refused():
    with pytest.raises(UserError, match="at least 10s; got '3s'"):
        parse_duration("3s")


def test_shares_are_the_whole():
    assert sum(SHARES.values()) == pytest.approx(1)


def test_what_a_stage_leaves_goes_to_the_next():
    ledger = Ledger(100)
    assert ledger.allowance("baselines") == pytest.approx(25)
    ledger.charge("baselines", 5)
    assert ledger.allowance("nets") == pytest.approx(65)
    ledger.charge("nets", 80)
    assert ledger.allowance("treatments") == pytest.approx(0)
    assert not ledger.affords("treatments", 1)
    assert ledger.affords("reserve", 14)


@pytest.mark.parametrize(("jobs", "seconds"), [(1, 17.0), (2, 10.0), (3, 10.0)])
def test_one_long_piece_of_work_keeps_the_others_waiting(jobs, seconds):
    assert makespan([10, 1, 2, 4], jobs) == seconds
    assert makespan([], jobs) == 0


def test_starting_and_writing_are_kept_free():
    assert working_seconds(300, 0) == 280
    assert working_seconds(300, 1_000_000) == 245
    assert working_seconds(30, 100) == 18
