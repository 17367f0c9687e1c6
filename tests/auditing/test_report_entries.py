"""Words and entries of the report."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing import registry, report_entries
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.measurements import replicas

RECOMMENDED = {
    "name": "ensemble",
    "title": "ensemble of 8 nets",
    "metric": "accuracy",
    "test": 0.9,
    "interval": [0.85, 0.95],
    "test_rows": 200,
    "best_baseline": "logistic-regression",
    "best_baseline_title": "logistic regression",
    "difference": 0.05,
    "difference_interval": [0.02, 0.08],
}


def line(**changes):
    return report_entries.verdict_line({"recommendation": {**RECOMMENDED, **changes}})


def test_the_verdict_says_what_to_use_how_sure_and_what_it_gains():
    assert line() == (
        "Use ensemble of 8 nets: 90.0 % right on 200 test rows (85.0 to 95.0 %), 5.0 points better "
        "than logistic regression, the best baseline."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"difference_interval": [-0.01, 0.1]}, "as good within the noise"),
        ({"difference": -0.04, "difference_interval": [-0.06, -0.02]}, "4.0 points worse than"),
        ({"name": "logistic-regression"}, "no net did better on validation rows"),
        ({"metric": "r2", "test": 0.5, "interval": [0.4, 0.6]}, "R² 0.5 on 200 test rows"),
    ],
)
def test_the_verdict_is_honest_where_nothing_is_gained(changes, words):
    assert words in line(**changes)


@pytest.fixture
def context(make_context):
    return make_context(*blobs(200, 4, distance=1.5), net={"width": 8, "epochs": 4})


def candidate(name, predictions):
    return Candidate(name, name, Build(), predictions, seconds=1.0)


def test_the_baseline_net_differs_from_itself_by_nothing(context):
    p = [context.probabilities(logits) for logits in replicas(context).validation]
    difference = report_entries.difference_to_baseline(context, candidate("same", p))
    assert difference.value == 0
    assert difference.p_value == 1


def test_a_treatment_of_fewer_seeds_is_paired_with_the_first_replicas(context):
    [logits] = replicas(context).validation
    y = context.validation(0)
    better = np.stack([np.eye(2)[y]] * 2)
    difference = report_entries.difference_to_baseline(context, candidate("right", [better]))
    wrong = (context.probabilities(logits)[:2].argmax(-1) != y).mean()
    assert difference.value == pytest.approx(wrong)


def test_intervals_are_widened_for_their_number(context):
    registry.load_all()
    y = context.validation(0)
    rng = np.random.default_rng(0)
    coin = [np.where(rng.random((1, len(y), 1)) < 0.5, [[0.9, 0.1]], [[0.1, 0.9]])]
    entry = registry.TREATMENTS["OT001"]
    replicas(context)
    [alone] = report_entries.treatment_entries(context, [(entry, candidate("a", coin))], None)
    many = report_entries.treatment_entries(
        context, [(entry, candidate(n, coin)) for n in "abcd"], None
    )
    width = alone["interval"][1] - alone["interval"][0]
    assert alone["level"] == pytest.approx(0.95)
    assert many[0]["interval"][1] - many[0]["interval"][0] > width


def test_a_question_that_was_not_answered_says_why():
    registry.load_all()
    entry = report_entries.finding_entry(
        registry.FINDINGS["OP004"], "not_applicable", "no classes."
    )
    assert entry["outcome"] == "not_applicable"
    assert entry["headline"] == "No classes."
    assert entry["verdict"] is None
