"""What is offered is the model that was measured."""

from dataclasses import replace

import numpy as np
import pytest

from overparam.auditing.charges import Charges
from overparam.auditing.comparison import crossed, unpaired
from overparam.auditing.text_model import window_losses
from overparam.auditing.text_offers import (
    Offer,
    counting,
    gain,
    more_counting,
    more_text,
    over_ensemble,
)
from overparam.auditing.text_plan import CONTEXT, TextPlan
from overparam.auditing.text_trials import Trials
from overparam.evidence.cells import settings

VOCAB = 12


@pytest.fixture(scope="module")
def trials():
    """A walk around a circle, of which the plan reads a third."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.integers(0, 3, 6000 + 30 * CONTEXT)) % VOCAB
    held = walk[6000:].reshape(3, 10 * CONTEXT)
    plan = TextPlan("a.txt", "x", None, 60.0, 0, 1, VOCAB, len(walk), 2048, 640, 32, 1.0)
    return Trials(plan, walk[:6000], *held, Charges())


def test_the_net_of_more_text_is_the_one_that_was_measured(trials, tmp_path):
    with settings(store=tmp_path, backend="sequential", jobs=1, progress=False):
        offer = more_text(trials)
    passes = trials.longer.passes
    assert offer.title == f"usual recipe on 6,000 characters, {passes} passes"
    assert offer.note.startswith("2.93 times the text")
    again = window_losses(offer.build(), trials.judging, CONTEXT)
    assert again == pytest.approx(offer.losses[0], abs=1e-5)
    assert offer.seconds == pytest.approx(
        trials.plan.run_seconds(32, passes) * 6000 / trials.plan.train
    )


def test_counts_of_more_text_are_the_best_order_of_all_of_it(trials):
    offer = more_counting(trials)
    assert offer.title == "counts of 6,000 characters"
    losses = window_losses(offer.build(), trials.judging, CONTEXT)
    assert losses == pytest.approx(offer.losses[0])
    # A step of the walk is one of three: no model knows more than the last token.
    assert np.log(3) < offer.validation < min(o.validation for o in counting(trials))
    assert offer.note in ("runs of 2 tokens", "runs of 3 tokens")


def subset_losses(members):
    """Losses (2^M - 1, w) where an ensemble has the mean loss (M, w) of its members."""
    count = len(members)
    chosen = [[k for k in range(count) if i >> k & 1] for i in range(1, 2**count)]
    return np.stack([members[rows].mean(axis=0) for rows in chosen])


def test_the_ensembles_own_luck_counts_where_nets_are_held_against_it():
    windows = np.random.default_rng(0).normal(0, 0.05, 50)
    levels = np.array([0.1, 0.3, -0.2, 0.4])
    losses = subset_losses(2.5 + levels[:, None] + windows)
    found = 2.4 + np.array([[0.01], [-0.01]]) + windows
    ahead = over_ensemble(found, losses)
    assert ahead.value == pytest.approx(0.1 + levels.mean())
    nets = crossed(losses[-1] - found)
    assert ahead.error**2 == pytest.approx(nets.error**2 + levels.var(ddof=1) / 4)
    assert ahead.freedom == pytest.approx(3, abs=0.1)  # of four members, whose luck is the larger


def test_intervals_of_nets_against_an_ensemble_cover_the_truth():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        losses = subset_losses(2.5 + rng.normal(0, 0.1, (4, 1)) + np.zeros(20))
        low, high = over_ensemble(
            2.4 + rng.normal(0, 0.03, (2, 1)) + np.zeros(20), losses
        ).interval()
        covered += low < 0.1 < high
    assert 930 <= covered <= 990


def test_of_a_net_with_fewer_seeds_all_seeds_of_the_baseline_count(trials):
    rng = np.random.default_rng(0)
    base, offer = (
        Offer(name, name, rng.normal(2.5, 0.1, (seeds, 10)), lambda: None, 1.0)
        for name, seeds in (("usual-recipe", 4), ("more-text", 2))
    )
    assert gain(trials, base, offer) == unpaired(base.losses, offer.losses)
    even = replace(offer, losses=base.losses + 0.1)
    assert gain(trials, base, even) == crossed(base.losses - even.losses)
