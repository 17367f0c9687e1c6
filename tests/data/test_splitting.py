import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overparam.data.splitting import Layout, draw, folds, strata
from overparam.evidence.errors import UserError


@st.composite
def layouts(draw_, groups=False, times=False):
    n = draw_(st.integers(50, 300))
    rng = np.random.default_rng(draw_(st.integers(0, 2**32 - 1)))
    equal = rng.integers(0, draw_(st.integers(n // 2, 4 * n)), n)
    return Layout(
        stratum=rng.integers(0, draw_(st.integers(1, 6)), n),
        equal=equal,
        group=rng.integers(0, draw_(st.integers(10, n)), n) if groups else None,
        time=rng.integers(0, 200, n).astype(float) if times else None,
    )


def sides(parts):
    side = np.full(sum(map(len, (parts.train, parts.validation, parts.test, parts.unused))), -1)
    for i, rows in enumerate((parts.train, parts.validation, parts.test, parts.unused)):
        assert (side[rows] == -1).all(), "a row on two sides"
        side[rows] = i
    return side


def sides_a_unit(unit, side):
    used = side < 3
    return len(np.unique(np.stack([unit[used], side[used]]), axis=1).T) - len(np.unique(unit[used]))


@settings(max_examples=60, deadline=None)
@given(layouts(), st.integers(0, 100))
def test_parts_are_disjoint_cover_all_and_keep_equal_rows_together(layout, seed):
    side = sides(draw(layout, seed))
    assert (side >= 0).all()
    assert (side < 3).all()
    assert sides_a_unit(layout.equal, side) == 0


@settings(max_examples=40, deadline=None)
@given(layouts(groups=True), st.integers(0, 100))
def test_groups_and_equal_rows_stay_together(layout, seed):
    try:
        side = sides(draw(layout, seed))
    except UserError as error:  # everything hangs together
        assert "single set" in str(error)  # noqa: PT017
        return
    assert sides_a_unit(layout.group, side) == 0
    assert sides_a_unit(layout.equal, side) == 0


@settings(max_examples=40, deadline=None)
@given(layouts(times=True), st.integers(0, 100), st.integers(0, 4))
def test_the_past_trains_and_the_future_tests(layout, seed, repeat):
    parts = draw(layout, seed, repeat=repeat, repeats=5)
    sides(parts)
    assert layout.time[parts.train].max() < layout.time[parts.validation].min()
    assert layout.time[parts.validation].max() < layout.time[parts.test].min()


def test_with_times_a_copy_of_a_later_row_is_left_unused():
    equal = np.arange(100)
    equal[3] = equal[95]
    parts = draw(Layout(np.zeros(100, int), equal, time=np.arange(100.0)), 0)
    assert parts.unused.tolist() == [3]
    assert 95 in parts.test


def test_with_times_and_few_distinct_rows_equal_rows_stay():
    parts = draw(Layout(np.zeros(100, int), np.arange(100) % 4, time=np.arange(100.0)), 0)
    assert len(parts.unused) == 0
    assert len(parts.train) == 60


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_shares_are_exact_and_a_class_of_five_reaches_all_parts(seed):
    stratum = np.repeat([0, 1, 2], [5, 45, 150])
    parts = draw(Layout(stratum, np.arange(200)), seed)
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [120, 40, 40]
    for rows, few in ((parts.train, 3), (parts.validation, 1), (parts.test, 1)):
        assert (stratum[rows] == 0).sum() == few


def test_same_seed_same_split_and_another_seed_another():
    layout = Layout(np.arange(100) % 3, np.arange(100))
    a, b, c = draw(layout, 7), draw(layout, 7), draw(layout, 8)
    assert np.array_equal(a.test, b.test)
    assert np.array_equal(a.train, b.train)
    assert not np.array_equal(a.test, c.test)


def test_repeats_share_the_test_part_only():
    layout = Layout(np.arange(100) % 3, np.arange(100))
    first, second = (draw(layout, 1, repeat=i, repeats=2) for i in (0, 1))
    assert np.array_equal(first.test, second.test)
    assert not np.array_equal(first.validation, second.validation)


def test_a_given_test_part_is_kept_and_the_ratio_of_the_others_too():
    given_rows = np.arange(80, 100)
    parts = draw(Layout(np.zeros(100, int), np.arange(100)), 0, test_rows=given_rows)
    assert np.array_equal(parts.test, given_rows)
    assert [len(parts.train), len(parts.validation)] == [60, 20]


def test_few_large_groups_still_fill_every_part():
    group = np.repeat(np.arange(3), 30)
    parts = draw(Layout(np.zeros(90, int), np.arange(90), group), 0)
    assert min(len(parts.train), len(parts.validation), len(parts.test)) == 30


def test_large_and_small_groups_are_spread_evenly():
    group = np.repeat(np.arange(105), [40] * 5 + [2] * 100)
    for seed in range(20):
        parts = draw(Layout(np.zeros(400, int), np.arange(400), group), seed)
        assert [len(parts.train), len(parts.validation), len(parts.test)] == [240, 80, 80]


def test_the_bulk_of_equal_rows_trains():
    equal = np.concatenate([np.zeros(80, int), np.arange(1, 21)])
    for seed in range(20):
        parts = draw(Layout(np.zeros(100, int), equal), seed)
        assert (equal[parts.train] == 0).sum() == 80


def test_one_group_cannot_be_divided():
    layout = Layout(np.zeros(60, int), np.arange(60), np.zeros(60, int))
    with pytest.raises(UserError, match=r"^group must differ enough .*; got a single set"):
        draw(layout, 0)


def test_one_time_cannot_be_divided():
    layout = Layout(np.zeros(60, int), np.arange(60), time=np.zeros(60))
    with pytest.raises(UserError, match=r"^time must have at least three distinct values"):
        draw(layout, 0)


def test_groups_that_reach_into_the_future_are_named():
    layout = Layout(np.zeros(60, int), np.arange(60), np.arange(60) % 2, np.arange(60.0))
    with pytest.raises(UserError, match=r"^group must have groups that end before"):
        draw(layout, 0)


@pytest.mark.parametrize(
    ("shares", "text"),
    [
        ({"test": 0}, "test must be a share between 0 and 1; got 0"),
        ({"validation": 1.5}, "validation must be a share between 0 and 1; got 1.5"),
        ({"test": 0.6, "validation": 0.4}, r"test \+ validation must be below 1; got 0.6 \+ 0.4"),
    ],
)
def test_impossible_shares_are_named(shares, text):
    with pytest.raises(UserError, match=text):
        draw(Layout(np.zeros(60, int), np.arange(60)), 0, **shares)


@settings(max_examples=30, deadline=None)
@given(layouts(), st.integers(2, 6))
def test_folds_hold_each_row_once_and_keep_equal_rows_together(layout, k):
    rows = np.arange(0, len(layout.equal), 2)
    pairs = folds(layout, rows, k, 0)
    held = np.concatenate([h for _, h in pairs])
    assert len(pairs) == k
    assert np.array_equal(np.sort(held), rows)
    for train, part in pairs:
        assert np.array_equal(np.sort(np.concatenate([train, part])), rows)
        assert not np.isin(layout.equal[part], layout.equal[train]).any()


def test_folds_are_stratified():
    stratum = np.random.default_rng(0).permutation(np.repeat([0, 1], [90, 10]))
    for _, held in folds(Layout(stratum, np.arange(100)), np.arange(100), 5, 3):
        assert (stratum[held] == 1).sum() == 2


def test_folds_in_time_train_on_what_is_older():
    layout = Layout(np.zeros(60, int), np.arange(60), time=np.random.default_rng(0).random(60))
    pairs = folds(layout, np.arange(60), 4, 0)
    assert len(pairs) == 4
    for train, held in pairs:
        assert layout.time[train].max() < layout.time[held].min()
    assert sum(len(held) for _, held in pairs) == 48


def test_more_folds_than_groups_are_refused():
    layout = Layout(np.zeros(60, int), np.arange(60), np.arange(60) % 3)
    with pytest.raises(UserError, match=r"^folds must have at least one group .* got 3 of these"):
        folds(layout, np.arange(60), 5, 0)


def test_numeric_targets_are_stratified_by_tenths():
    codes = strata(np.random.default_rng(0).permutation(1000).astype(float), "regression")
    assert np.bincount(codes).tolist() == [100] * 10
