"""Fires under the usual parametrisation, stays silent under muP."""

import numpy as np
import polars as pl
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotAffordable, NotApplicable
from overparam.auditing.findings.rate_transfer import EXPLODES, largest_exponent, rate_transfer
from overparam.evidence.verdict import Verdict

WIDE = {"width": 64, "epochs": 2, "learning_rate": 3e-3}


def test_the_usual_parametrisation_at_a_large_rate_is_a_tip(make_context):
    answer = rate_transfer(make_context(*blobs(300, 10, distance=3.0), net=WIDE))
    assert answer.evidence.verdict is Verdict.HOLDS
    assert answer.resolved_outcome == "tip"
    assert answer.evidence.statistic.interval.low > EXPLODES
    assert answer.headline.startswith("A wider net needs another learning rate")
    assert "width 16 under muP" in answer.action
    assert answer.extra["exponent_under_mup"] < EXPLODES < answer.extra["exponent"]


def test_under_mup_it_is_silent(make_context):
    context = make_context(*blobs(300, 10, distance=3.0), net={**WIDE, "base_width": 16})
    answer = rate_transfer(context)
    assert answer.resolved_outcome == "fine"
    assert answer.evidence.verdict is Verdict.FAILS
    assert answer.evidence.statistic.interval.high <= EXPLODES


@pytest.mark.parametrize("net", ["tabular", "perceptron"])
def test_every_layer_is_watched_at_every_width(make_context, net):
    X, _ = blobs(200, 4, distance=1.0)
    context = make_context(X, X[:, 0] + X[:, 1], net={**WIDE, "net": net})
    table = rate_transfer(context).evidence.table
    layers = {"tabular": 6, "perceptron": 3}[net]
    assert table.height == layers * 4 * 2
    assert set(table["width"]) == {16, 32, 64, 128}
    assert (table["change"] > 0).all()


def test_the_layer_that_grows_most_decides():
    rows = [
        {"layer": layer, "width": w, "seed": s, "change": (1 + 0.1 * s) * w**power}
        for layer, power in (("a", 0.1), ("b", 0.5), ("c", -1.0))
        for w in (8, 4, 16)
        for s in (0, 1, 2)
    ]
    found = largest_exponent(pl.DataFrame(rows))
    assert found.label == "layer b"
    np.testing.assert_allclose([found.value, found.interval.high], 0.5, rtol=1e-9)


def test_seeds_whose_layer_is_dead_do_not_count():
    rows = [
        {"layer": "a", "width": w, "seed": s, "change": 0.0 if s == 1 else w**0.5}
        for w in (4, 8)
        for s in (0, 1, 2)
    ]
    found = largest_exponent(pl.DataFrame(rows))
    assert (found.n, round(found.value, 9)) == (2, 0.5)
    with pytest.raises(NotApplicable, match="training changes no layer"):
        largest_exponent(pl.DataFrame(rows).with_columns(change=0.0))


def test_a_narrow_net_cannot_be_varied(make_context):
    context = make_context(*blobs(120, 4, distance=3.0), net={"width": 15, "epochs": 2})
    with pytest.raises(NotApplicable, match="has width 15: too narrow to vary"):
        rate_transfer(context)


def test_it_is_left_out_where_the_budget_is_spent(make_context):
    context = make_context(*blobs(120, 4, distance=3.0), net=WIDE)
    context.ledger.total = 1e-3
    with pytest.raises(NotAffordable, match="needs about 2 s of the nets share"):
        rate_transfer(context)
