"""As much text as can be read often enough within the budget, and a net that is large for it."""

from dataclasses import replace

import numpy as np
import pytest

from overparam.auditing.text_plan import (
    FEWEST,
    RATIO,
    USED,
    WIDTHS,
    expected_rounds,
    fitting_width,
    followed,
    make_text_plan,
    parameters,
    recorded_plan,
)
from overparam.evidence.errors import UserError
from overparam.nets.tiny_gpt import TinyGPT

TOKENS = np.random.default_rng(0).integers(0, 50, 100_000)


def planned(budget=300.0, tokens=TOKENS, seed=0):
    return make_text_plan(
        "a.txt", tokens, 50, start=4 * len(tokens) // 5, vocabulary=None, budget=budget,
        seed=seed, jobs=2,
    )  # fmt: skip


def test_more_time_reads_more_text_and_never_more_than_there_is():
    lengths = [planned(budget).train for budget in (60, 300, 1e6)]
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == 80_000
    plan = planned(300)
    assert plan.seconds <= USED * plan.working
    assert planned(10).train == FEWEST
    assert plan.held_out == 20_000


def test_parameters_are_those_of_the_net_and_many_for_the_text():
    assert parameters(50, 64) == sum(p.numel() for p in TinyGPT(50, 64).parameters())
    plan = planned()
    assert parameters(50, plan.d) >= RATIO * plan.train
    assert fitting_width(50, 10**9) == WIDTHS[-1]
    assert plan.widths == [plan.d // 2, 3 * plan.d // 4, plan.d, 3 * plan.d // 2]
    for d in WIDTHS:  # every width of the law has a net
        for share in (0.5, 0.75, 1.5):
            TinyGPT(50, int(share * d))


@pytest.mark.parametrize("jobs", [1, 2, 8, 64])
def test_processes_that_wait_are_not_counted_on(jobs):
    plan = make_text_plan(
        "a.txt", TOKENS, 50, start=80_000, vocabulary=None, budget=300, seed=0, jobs=jobs
    )
    rounds = expected_rounds(50, plan.train, plan.d, jobs)
    assert sum(rounds.values()) == pytest.approx(plan.seconds)
    assert plan.seconds <= USED * plan.working
    alone = expected_rounds(50, plan.train, plan.d, 1)
    assert rounds["search"] >= alone["search"] / 2 - 1e-9  # a step trains two nets


def test_a_vocabulary_that_no_budget_reaches_is_refused():
    with pytest.raises(UserError, match=r"budget must be at least \d+s for the usual recipe on a"):
        make_text_plan(
            "a.txt", TOKENS, 50_000, start=80_000, vocabulary=50_000, budget=10, seed=0, jobs=2
        )


def test_seeds_of_different_audits_differ():
    assert not set(planned(seed=0).seeds) & set(planned(seed=1).seeds)


def test_a_short_text_is_refused():
    with pytest.raises(UserError, match="data must have at least 2,560 tokens to learn from"):
        planned(tokens=TOKENS[:2000])


def test_a_folder_keeps_its_plan_and_refuses_another(tmp_path):
    plan = planned()
    assert followed(plan, tmp_path, fresh=False) == plan
    assert followed(replace(plan, jobs=7), tmp_path, fresh=False) == plan
    renamed = replace(plan, source="b.txt", jobs=7)
    assert followed(renamed, tmp_path, fresh=False) == replace(plan, source="b.txt")
    assert recorded_plan(tmp_path).source == "b.txt"
    with pytest.raises(UserError, match=r"out must not hold an audit of seed 0"):
        followed(planned(seed=3), tmp_path, fresh=False)
    with pytest.raises(UserError, match="out must not hold an audit of other data"):
        followed(planned(tokens=TOKENS[::-1]), tmp_path, fresh=False)
    other = planned(seed=3)
    assert followed(other, tmp_path, fresh=True) == other
    (tmp_path / "plan.json").write_text("[]")
    with pytest.raises(UserError, match="audit of another kind or by another version"):
        followed(plan, tmp_path, fresh=False)
