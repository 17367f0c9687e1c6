"""Cells of an audit: charged to the budget, refused where it does not reach, failing by name."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotAffordable
from overparam.auditing.charges import Charges
from overparam.auditing.context import StageFailed
from overparam.evidence.cells import CellFailure


def slow(seconds):
    import time

    time.sleep(seconds)
    return {"slept": seconds}


def broken(k):
    if k == 1:
        raise RuntimeError("no luck")
    return {"k": k}


@pytest.fixture
def context(make_context):
    return make_context(*blobs(90, 3, distance=2.0))


def test_a_second_run_is_charged_what_the_first_one_took(make_context, tmp_path):
    spent = []
    for _ in range(2):
        context = make_context(*blobs(90, 3, distance=2.0))
        context.charges = Charges(tmp_path / "charges.json")
        for _ in range(2):
            context.cells("nets", slow, [{"seconds": 0.05}], label="sleep")
        spent.append(context.ledger.spent["nets"])
    assert spent[0] == spent[1]
    assert spent[0] >= 0.05


def test_a_round_that_an_earlier_run_began_costs_at_least_its_cells(context):
    context.cells("nets", slow, [{"seconds": 0.2}], label="one")
    context.cells("nets", slow, [{"seconds": 0.2}], label="the same cell again")
    assert context.ledger.spent["nets"] >= 0.4


def test_what_the_share_cannot_pay_is_not_started(context):
    context.ledger.total = 20.0
    with pytest.raises(NotAffordable, match=r"needs about 50 s of the nets share .* 14 s left"):
        context.cells("nets", slow, [{"seconds": 0.0}], label="sleep", estimate=50.0)
    assert context.ledger.spent["nets"] == 0


def test_one_piece_of_work_is_not_divided_among_the_processes(context):
    context.ledger.total = 20.0
    context.plan = replace(context.plan, jobs=2)
    with pytest.raises(NotAffordable, match=r"needs about 20 s of the nets share"):
        context.cells("nets", slow, [{"seconds": 0.0}], label="one", estimate=20.0)
    two = [{"seconds": 0.0}, {"seconds": 0.01}]
    assert len(context.cells("nets", slow, two, label="two", estimate=20.0)) == 2


def test_a_failed_cell_names_its_stage_after_the_others_are_done(context):
    with pytest.raises(StageFailed, match="three: RuntimeError: no luck"):
        context.cells("nets", broken, [{"k": k} for k in (0, 1, 2)], label="three")
    outcomes = context.outcomes("nets", broken, [{"k": k} for k in (0, 1, 2)], label="three")
    assert [isinstance(o, CellFailure) for o in outcomes] == [False, True, False]


def test_probabilities_of_classes_and_predictions_of_numbers(context, make_context):
    logits = np.random.default_rng(0).normal(size=(2, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(context.probabilities(logits), softmax(logits, axis=-1), rtol=1e-5)
    X, _ = blobs(90, 3, distance=2.0)
    numbers = make_context(X, X[:, 0].astype(float))
    assert numbers.probabilities(logits[..., :1]) is not None
    np.testing.assert_array_equal(numbers.probabilities(logits[..., :1]), logits[..., :1])


def test_scores_are_gains_on_the_validation_rows(context):
    y = context.validation(0)
    right = np.eye(2)[y]
    [scores] = context.scores([np.stack([right, 1 - right])])
    np.testing.assert_array_equal(scores.mean(axis=1), [1.0, 0.0])
