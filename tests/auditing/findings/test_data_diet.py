"""Easy rows can be left out, needed ones cannot, and the hardest are named."""

from dataclasses import replace

import numpy as np
import pytest
from tests.auditing.known_data import blobs, flipped

from overparam.auditing.answers import NotAffordable, NotApplicable
from overparam.auditing.findings.data_diet import KEPT, SEEDS, data_diet
from overparam.auditing.findings.label_noise import label_noise

FEW = {"net": {"epochs": 15}}


def test_many_copies_of_easy_rows_can_be_left_out(make_context):
    context = make_context(*blobs(1200, 10, distance=8.0), **FEW)
    answer = data_diet(context)
    assert answer.resolved_outcome == "tip"
    assert answer.extra["droppable"] >= 0.5
    assert "carries all of it" in answer.headline
    assert answer.action.startswith("Search configurations on a part of the rows")


def test_rows_that_teach_something_new_are_needed(make_context):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 40)).astype(np.float32)
    y = (X @ rng.standard_normal(40) + 2 * rng.standard_normal(1000) > 0).astype(int)
    answer = data_diet(make_context(X, y, **FEW))
    assert answer.resolved_outcome == "fine"
    assert answer.extra["droppable"] == 0
    assert answer.headline.startswith("The rows are needed")


def test_the_hardest_rows_are_the_wrong_ones_and_are_left_out_where_they_are_known(make_context):
    X, y = blobs(1200, 10, distance=8.0)
    noisy, wrong = flipped(y, 0.1)
    context = make_context(X, noisy, **FEW)
    answer = data_diet(context)
    assert wrong[np.array(answer.extra["hardest"])].mean() > 0.9
    assert len(answer.details) == 2
    label_noise(context)
    after = data_diet(context)
    assert "since so many labels look wrong" in after.details[2]
    hardest = [
        table.filter((table["rows"] == "hardest") & (table["kept"] == 0.25))["accuracy"][0]
        for table in (answer.evidence.table, after.evidence.table)
    ]
    assert hardest[1] > hardest[0] + 0.05


def test_the_curve_has_both_kinds_of_rows_and_ends_at_all_of_them(make_context):
    table = data_diet(make_context(*blobs(400, 5, distance=3.0), **FEW)).evidence.table
    assert table.height == 2 * (len(KEPT) + 1)
    ends = table.filter(table["kept"] == 1.0)["accuracy"]
    assert ends[0] == ends[1]
    assert SEEDS >= 3


def test_numbers_and_few_rows_have_no_diet(make_context):
    X, y = blobs(400, 5, distance=3.0)
    with pytest.raises(NotApplicable, match="the target is a number"):
        data_diet(make_context(X, X[:, 0].astype(float)))
    with pytest.raises(NotApplicable, match="200 are needed"):
        data_diet(make_context(X[:300], y[:300]))


def test_a_short_budget_shortens_training_and_then_leaves_it_out(make_context):
    X, y = blobs(1200, 10, distance=6.0)
    context = make_context(X, y, net={"epochs": 40})
    context.plan = replace(context.plan, budget=30.0)
    shorter = data_diet(context)
    passes = int(shorter.details[1].split("Nets of ")[1].split()[0])
    assert 10 < passes < 40
    context.plan = replace(context.plan, budget=10.0)
    with pytest.raises(NotAffordable, match="more than 5 % of the budget"):
        data_diet(context)
