"""Each finding of a text fires where it must and stays silent where it must."""

import numpy as np
import pytest
from tests.auditing.planted_text import planted

from overparam.auditing.answers import NotAffordable, NotApplicable
from overparam.auditing.text_findings import (
    below_counting,
    over_reading,
    room_above,
    unread_text,
    weak_decay,
)
from overparam.auditing.text_plan import parameters


def test_a_text_that_is_over_read_is_an_issue():
    trials = planted(lambda d, decay, passes: 2.5 + 0.2 * np.log2(passes / 8))
    answer = over_reading(trials)
    assert answer.resolved_outcome == "issue"
    assert "more than 8 passes over the text hurt: loss " in answer.headline
    assert answer.evidence.statistic.value == pytest.approx(0.4, abs=0.03)


def test_a_loss_that_falls_with_every_pass_is_fine():
    trials = planted(lambda d, decay, passes: 2.5 - 0.2 * np.log2(passes / 8))
    answer = over_reading(trials)
    assert answer.resolved_outcome == "fine"
    assert answer.evidence.statistic.value == pytest.approx(-0.2, abs=0.03)


def test_a_decay_that_is_too_weak_is_an_issue():
    trials = planted(lambda d, decay, passes: 2.5 + 0.1 * np.log10(max(decay, 0.01) / 3) ** 2)
    answer = weak_decay(trials)
    assert answer.resolved_outcome == "issue"
    assert answer.extra["recipe"]["decay"] == 3
    assert answer.evidence.statistic.value == pytest.approx(0.1 * np.log10(30) ** 2, abs=0.02)
    assert "none of which is better" in answer.details[0]


def test_a_usual_decay_that_is_best_is_fine():
    trials = planted(lambda d, decay, passes: 2.5 + 0.1 * decay)
    answer = weak_decay(trials)
    assert answer.resolved_outcome == "fine"
    assert "will do" in answer.headline
    assert "its decay is" in answer.details[0]


def test_more_passes_are_not_taken_for_more_decay():
    trials = planted(lambda d, decay, passes: 2.5 + 0.1 * decay - 0.2 * np.log2(passes / 8))
    answer = weak_decay(trials)
    assert trials.usual.passes == trials.tuned.passes == 64
    assert answer.resolved_outcome == "fine"
    assert "will do, read 64 times" in answer.headline


def test_neighbours_that_were_not_tried_are_not_counted():
    trials = planted(lambda d, decay, passes: 3 - decay / 10, budget=0.01)
    details = weak_decay(trials).details[0]
    assert "0 of them neighbours" in details
    assert "4 more neighbours did not fit the budget" in details


def test_a_net_that_counts_beat_is_an_issue():
    repeated = np.tile(np.arange(30), 150)
    held = np.log(30)  # what the held-out random text costs the best count, and more
    worse = planted(lambda d, decay, passes: held + 8, text=repeated)
    assert below_counting(worse).resolved_outcome == "issue"
    better = planted(lambda d, decay, passes: 1.0)
    answer = below_counting(better)
    assert answer.resolved_outcome == "fine"
    assert answer.headline.startswith("The tuned net has learnt more than counts know")


def law(alpha, size):
    def loss(d, decay, passes):
        return 2.0 + size * parameters(30, d) ** -alpha

    return loss


def test_room_above_is_a_tip_where_the_law_tells_it():
    trials = planted(law(1.0, 4e4), spread=0.002)
    answer = room_above(trials)
    assert answer.resolved_outcome == "tip"
    assert answer.headline.startswith("Larger nets of this recipe would gain")
    assert answer.evidence.statistic.value == pytest.approx(4e4 / parameters(30, 64), rel=0.1)


def test_a_flat_law_leaves_no_room():
    answer = room_above(planted(lambda d, decay, passes: 2.0, spread=0.002))
    assert answer.resolved_outcome == "fine"


@pytest.mark.parametrize(
    "by_width", [{32: 2.0, 48: 2.1, 64: 2.3, 96: 2.4}, {32: 2.3, 48: 2.2, 64: 2.2, 96: 2.5}]
)
def test_wider_nets_that_are_worse_are_not_recommended(by_width):
    answer = room_above(planted(lambda d, decay, passes: by_width[d], spread=0.002))
    assert answer.resolved_outcome == "fine"
    assert answer.headline.startswith("Wider nets of this recipe do not do better")
    assert answer.action.startswith("Do not enlarge the net")


def test_the_interval_of_the_room_counts_the_luck_of_the_net_itself():
    rooms = []
    for seed in range(12):
        trials = planted(law(1.0, 4e4), spread=0.01, seed=seed)
        interval = room_above(trials).evidence.statistic.interval
        rooms.append(interval.low <= 4e4 / parameters(30, 64) <= interval.high)
    assert np.mean(rooms) > 0.7  # of three seeds: resampling them covers less than it says


def test_sizes_that_do_not_tell_the_asymptote_say_so():
    answer = room_above(planted(law(0.05, 3.0), spread=0.02))
    assert answer.resolved_outcome == "tip"
    assert answer.headline.startswith("These widths do not tell what larger nets would reach")


def test_without_time_the_law_is_not_fitted():
    trials = planted(lambda d, decay, passes: 2.0, budget=0.01)
    with pytest.raises(NotAffordable, match="needs nets of three further widths"):
        room_above(trials)


def test_unread_text_that_beats_all_tuning_is_an_issue():
    answer = unread_text(planted(lambda d, decay, passes: 2.5, whole=50_000, longer=-0.5))
    assert answer.resolved_outcome == "issue"
    assert answer.headline.startswith("12.2 times the text, read 16 times")
    assert "larger --budget" in answer.action


def test_more_text_that_gives_nothing_is_fine():
    answer = unread_text(planted(lambda d, decay, passes: 2.5, whole=50_000, longer=3.0))
    assert answer.resolved_outcome == "fine"


def test_where_all_is_read_more_text_is_no_question():
    with pytest.raises(NotApplicable, match="read most of the text"):
        unread_text(planted(lambda d, decay, passes: 2.5))


def test_where_time_is_out_more_text_is_not_read():
    trials = planted(lambda d, decay, passes: 2.5, whole=1_000_000, budget=50.0)
    trials.spent = 49.0
    with pytest.raises(NotAffordable, match="twice the text"):
        unread_text(trials)
