"""The search goes to the best recipe, trains nothing twice, and stops at the budget."""

from dataclasses import replace

import numpy as np
import pytest
from tests.auditing.planted_text import planted

from overparam.auditing.text_plan import MEMBERS
from overparam.auditing.text_trials import Recipe
from overparam.training.language_model import LanguageModel


def bowl(d, decay, passes):
    """Best at a decay of 3 and 32 passes."""
    return 2.5 + 0.1 * np.log10(max(decay, 0.01) / 3) ** 2 + 0.05 * np.log2(passes / 32) ** 2


def test_the_search_finds_the_best_recipe_with_its_certificate():
    trials = planted(bowl)
    assert trials.tuned == Recipe(64, 3.0, 32)
    assert len(trials.search.neighbours) == 4
    assert trials.search.at_edge == ()
    assert trials.skipped == []


def test_the_usual_recipe_has_its_best_number_of_passes():
    trials = planted(lambda d, decay, passes: 2.5 + 0.1 * abs(np.log2(passes / 16)))
    assert trials.usual == Recipe(64, 0.1, 16)
    assert sorted(trials.usual_runs) == [8, 16, 32]


def test_the_usual_recipe_may_read_as_often_as_what_it_is_held_against():
    trials = planted(lambda d, decay, passes: 2.5 - 0.1 * np.log2(passes))
    assert sorted(trials.usual_runs) == [8, 16, 32, 64]
    assert trials.usual.passes == 64


def test_a_search_that_ends_above_the_usual_recipe_gives_the_usual_recipe():
    """A wall between the start and the usual recipe: the search cannot pass it."""
    wall = {0.1: 2.0, 0.3: 3.0, 1.0: 2.5, 3.0: 2.6, 10.0: 2.6}
    trials = planted(lambda d, decay, passes: wall[decay] + 0.1 * abs(np.log2(passes / 16)))
    assert trials.search.configuration["decay"] == 1.0
    assert trials.tuned == trials.usual == Recipe(64, 0.1, 16)


def test_nothing_is_trained_twice():
    trials = planted(bowl)
    trials.members(trials.tuned)
    trained = sum(count for _, count in trials.asked)
    trials.members(trials.tuned)
    assert sum(count for _, count in trials.asked) == trained
    assert ("members", MEMBERS - 2) in trials.asked


def test_a_small_budget_ends_the_search_but_not_before_its_start():
    trials = planted(lambda d, decay, passes: 3 - decay / 10, budget=0.01)
    assert trials.tuned == Recipe(64, 1.0, 16)
    assert trials.skipped
    assert trials.students is None
    assert trials.by_width is None


def test_students_and_widths_follow_the_tuned_recipe():
    trials = planted(bowl)
    assert len(trials.students) == 3
    assert sorted(trials.by_width) == [32, 48, 64, 96]
    assert all(found.shape == (3, 100) for found in trials.by_width.values())


def test_a_student_takes_half_the_passes_and_the_next_smaller_decay():
    assert planted(bowl).student_recipe == Recipe(64, 1.0, 16)
    weak = planted(lambda d, decay, passes: 2 + decay + 0.1 * passes)
    assert weak.student_recipe == Recipe(64, 0.1, 8)


def test_updates_are_those_of_the_engine():
    train = np.random.default_rng(0).integers(0, 30, 4096)
    model = LanguageModel(30, 32, epochs=3).fit(train)
    assert planted(bowl, text=train).plan.updates(3) == model.ensemble_.history.steps


def test_a_text_that_is_read_leaves_nothing_to_read():
    trials = planted(bowl, whole=8000)  # less than twice what was read
    assert not trials.unread
    assert trials.longer is None
    assert trials.counted_longer is None
    assert trials.read == []


def falling(passes):
    """A loss that falls with every pass."""
    return 2 - 0.1 * np.log2(passes)


def test_time_that_is_left_reads_the_whole_text_as_often_as_is_good():
    trials = planted(bowl, whole=50_000, longer=lambda passes: abs(np.log2(passes / 32)))
    assert (trials.longer.tokens, trials.longer.passes) == (50_000, 32)
    assert [passes for _, passes in trials.read] == [16, 16, 32, 32, 64, 64]  # two seeds each
    assert len(trials.longer.models) == 2
    assert planted(bowl, whole=50_000, longer=falling).longer.passes == 64  # and no more often


def test_more_passes_must_fit_too():
    trials = planted(bowl, whole=50_000, longer=falling)
    one = trials.plan.run_seconds(64, 1) * 50_000 / trials.plan.train
    trials.plan = replace(trials.plan, budget=20 + 30 * one)
    assert trials.longer.passes == 16


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_what_more_text_is_planned_to_take_fits_what_is_left(share):
    trials = planted(bowl, whole=1_000_000)
    one = trials.plan.run_seconds(64, 1)  # of a pass over the short text
    trials.plan = replace(trials.plan, budget=40.0 + 600 * one * share)
    longer = trials.longer
    took = one * longer.passes * longer.tokens / trials.plan.train
    assert longer.passes >= 4
    assert 0.4 < took / trials.plan.working < 1


def test_machines_that_are_slower_than_planned_read_less():
    trials = planted(bowl, whole=1_000_000, budget=100.0)
    fast = trials.longer
    slow = planted(bowl, whole=1_000_000, budget=100.0)
    slow.expected, slow.trained = 1.0, 3.0
    assert slow.longer.tokens * slow.longer.passes < 0.5 * fast.tokens * fast.passes


def test_counts_of_more_text_are_of_more_text(monkeypatch):
    monkeypatch.setattr("overparam.auditing.text_trials.MOST_COUNTED", 8000)
    trials = planted(bowl, whole=50_000)  # of which nets read 4096
    assert trials.unread
    assert trials.counted_longer is None
    monkeypatch.setattr("overparam.auditing.text_trials.MOST_COUNTED", 8192)
    assert planted(bowl, whole=50_000).counted_longer[0] == 8192


def test_without_time_the_rest_stays_unread():
    trials = planted(bowl, whole=1_000_000, budget=100.0)
    trials.spent = trials.plan.working - 0.1
    assert trials.longer is None
    assert trials.unread
    tokens, order, _ = trials.counted_longer  # costs nothing
    assert tokens == 1_000_000
    assert order == 1  # the tokens are independent
