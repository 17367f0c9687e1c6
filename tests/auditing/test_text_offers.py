"""What is offered is the model that was measured."""

import numpy as np
import pytest

from overparam.auditing.charges import Charges
from overparam.auditing.text_model import window_losses
from overparam.auditing.text_offers import counting, more_counting, more_text
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
    assert offer.title == "usual recipe on all 6,000 characters, 16 passes"
    assert offer.note.startswith("2.93 times the text")
    again = window_losses(offer.build(), trials.judging, CONTEXT)
    assert again == pytest.approx(offer.losses[0], abs=1e-5)
    assert offer.seconds == pytest.approx(
        trials.plan.run_seconds(32, 16) * 6000 / trials.plan.train
    )


def test_counts_of_more_text_are_the_best_order_of_all_of_it(trials):
    offer = more_counting(trials)
    assert offer.title == "counts of all 6,000 characters"
    losses = window_losses(offer.build(), trials.judging, CONTEXT)
    assert losses == pytest.approx(offer.losses[0])
    # A step of the walk is one of three: no model knows more than the last token.
    assert np.log(3) < offer.validation < min(o.validation for o in counting(trials))
    assert offer.note in ("runs of 2 tokens", "runs of 3 tokens")
