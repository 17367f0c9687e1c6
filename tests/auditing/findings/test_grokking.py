"""It fires where nets grok, tells late harm by wrong labels, and is silent on an easy table."""

import numpy as np
import polars as pl
import pytest
from tests.auditing.known_data import blobs, flipped

from overparam.auditing.answers import NotAffordable, NotApplicable
from overparam.auditing.findings import grokking
from overparam.auditing.findings.grokking import (
    GAIN,
    MOST_STEPS,
    PASSES,
    SECONDS,
    TRAINING,
    late_curves,
    still_memorising,
)
from overparam.data.loading import load
from overparam.evidence.verdict import Verdict

SPLIT = {"seed": 0, "index": 0, "repeats": 1}
RECIPE = {"net": "perceptron", "width": 16, "rows": 60, "epochs": 5, "batch_size": 32}


def parity(n=700, d=40):
    """Signs whose first two decide by their product: memorised first, understood later."""
    rng = np.random.default_rng(0)
    X = rng.choice([-1.0, 1.0], (n, d)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def wrong_labels(n=2000):
    X, y = blobs(n, 10, distance=4.0)
    return X, flipped(y, 0.2)[0]


@pytest.fixture
def shorter(monkeypatch):
    """Enough for small nets."""
    monkeypatch.setattr(grokking, "SECONDS", 3.3)


def test_late_generalisation_is_an_issue(make_context, shorter):
    answer = still_memorising(make_context(*parity(), net={"width": 64}))
    assert answer.resolved_outcome == "issue"
    assert answer.evidence.verdict is Verdict.HOLDS
    assert answer.evidence.statistic.value > 0.1
    assert answer.headline.startswith("Still at memorisation: validation accuracy has been rising")
    assert answer.action.startswith("Train on: at least ")
    assert 30 < answer.extra["fit_step"] < 500
    assert answer.evidence.table["step"].max() > 2 * answer.extra["fit_step"]


def test_wrong_labels_are_learnt_late_and_do_harm(make_context):
    answer = still_memorising(make_context(*wrong_labels(), net={"width": 128}))
    assert answer.headline.startswith("Late harm: generalised first, now memorises noise, stop at ")
    assert answer.resolved_outcome == "tip"
    assert answer.evidence.verdict is not Verdict.HOLDS
    assert answer.extra["best_step"] < answer.extra["fit_step"] / 3
    assert answer.evidence.statistic.value < GAIN
    assert answer.action == "Stop early on held-out rows, or raise the weight decay."


def test_an_easy_table_is_fine(make_context, shorter):
    answer = still_memorising(make_context(*blobs(500, 6, distance=5.0)))
    assert answer.resolved_outcome == "fine"
    assert answer.evidence.statistic.interval.high < GAIN
    assert answer.headline.startswith("No late generalisation seen: after the fit")


def rows_right(levels, n=10_000):
    """Curves (S, T) of accuracy as rows that are right, (S, T, n)."""
    return np.arange(n) < np.round(np.asarray(levels) * n)[..., None]


def test_the_words_follow_the_verdict():
    """Three nets that gain 4, 6 and 8 points: whether more than 5 is not clear."""
    steps = np.array([0, 1, 10, 20, 40, 80])
    train = np.tile([0.5, 0.7, 1.0, 1.0, 1.0, 1.0], (3, 1))
    held = np.tile([0.5, 0.6, 0.8, 0.8, 0.8, 0.8], (3, 1))
    held[:, -1] += [0.04, 0.06, 0.08]
    late = grokking._late({"steps": steps, "train": train, "right": rows_right(held)})
    interval = late.statistic.interval
    assert late.statistic.value == pytest.approx(0.06)
    assert (interval.low, interval.high) == pytest.approx((0.06 - 0.0497, 0.06 + 0.0497), abs=3e-3)
    headline, action = grokking._words(late, Verdict.INCONCLUSIVE)
    assert headline.startswith("Whether it generalises late is not clear: validation accuracy has ")
    assert action.startswith("Train one net several times longer")


def test_curves_are_those_of_the_recipes_nets():
    X, y = blobs(200, 4, distance=3.0)
    found = late_curves(load(X, y), SPLIT, RECIPE, [0, 5], 60, 90, 16)
    again = late_curves(load(X, y), SPLIT, RECIPE, [5], 60, 90, 16)
    assert found["train"].shape == (2, len(found["steps"]))
    assert found["right"].shape == (2, len(found["steps"]), 40)
    assert found["steps"][[0, 1, -1]].tolist() == [0, 1, 90]
    assert found["rows"] == 60
    assert found["right"][:, -1].mean() > 0.85
    assert found["right"][:, -1].mean() > found["right"][:, 0].mean() + 0.2
    np.testing.assert_allclose(found["train"][1], again["train"][0], atol=0.02)
    whole = np.round(found["train"] * 60)
    np.testing.assert_allclose(found["train"] * 60, whole, atol=1e-9)


def test_the_run_takes_the_seconds_that_are_said(make_context):
    """A net of ten times the cost has fewer updates, and then fewer rows."""
    context = make_context(*blobs(4000, 5, distance=2.0))
    cheap = grokking._plan(context, 1500)
    assert (cheap["batch_size"], cheap["rows"]) == (16, cheap["steps"] * 16 // PASSES)
    context.plan.seconds["one_net"] = 50.0
    dear = grokking._plan(context, 1500)
    assert dear["steps"] < cheap["steps"] <= MOST_STEPS
    assert dear["rows"] < cheap["rows"]
    a_row = 50.0 / (context.recipe.rows * context.recipe.epochs)
    assert dear["steps"] * 3 * 16 * a_row == pytest.approx(TRAINING * SECONDS, rel=0.2)


def test_where_the_question_makes_no_sense(make_context, monkeypatch):
    X, y = blobs(200, 4, distance=3.0)
    with pytest.raises(NotApplicable, match="a matter of classes, not of numbers"):
        still_memorising(make_context(X, X[:, 0].astype(float)))
    with pytest.raises(NotApplicable, match="too few training rows to tell memorising from"):
        still_memorising(make_context(*blobs(50, 3, distance=3.0)))
    monkeypatch.setattr(grokking, "SECONDS", 0.05)
    hard = X, np.random.default_rng(0).integers(0, 2, len(y))
    with pytest.raises(NotApplicable, match=r"do not fit their labels within \d+ updates"):
        still_memorising(make_context(*hard))


def test_a_fit_at_the_end_tells_nothing():
    steps, right = np.array([0, 1, 10, 15]), rows_right(np.full((3, 4), 0.7))
    train = np.tile([0.5, 0.6, 1.0, 1.0], (3, 1))
    found = {"steps": steps, "train": train, "right": right}
    with pytest.raises(NotApplicable, match="fit their labels at update 10 of 15 only"):
        grokking._late(found)


def test_a_small_budget_says_what_it_would_take(make_context):
    context = make_context(*blobs(200, 4, distance=3.0))
    context.ledger.total = 5.0
    with pytest.raises(NotAffordable, match="needs about 5 s of the nets share"):
        still_memorising(context)


def test_the_figure_marks_the_fit_and_the_best_step():
    steps = np.array([0, 1, 10, 100, 1000])
    found = {
        "steps": steps,
        "train": np.tile([0.5, 0.7, 0.9, 1.0, 1.0], (3, 1)),
        "right": rows_right(np.tile([0.5, 0.8, 0.9, 0.7, 0.7], (3, 1))),
    }
    late = grokking._late(found)
    assert late.watch.verdict == "late harm"
    text = str(grokking._figure(found, late.watch))
    assert "labels fit" in text
    assert "'best'" in text
    table = grokking._table(found)
    assert table.height == 2 * 3 * 5
    assert table.filter(pl.col("part") == "training labels")["accuracy"].max() == 1.0
