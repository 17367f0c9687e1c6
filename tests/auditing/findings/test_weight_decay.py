"""Where more decay is clearly better, where it does not matter."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.findings.weight_decay import chosen_decay, weight_decay
from overparam.data.bounded_cache import BoundedCache

FEW = {"decays": (1e-3, 1e-2, 1.0, 10.0), "net": {"epochs": 50}}


def noisy(n=1000, d=60):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)).astype(np.float32)
    return X, (X[:, 0] + 0.7 * rng.standard_normal(n) > 0).astype(int)


def test_many_noisy_features_want_more_decay(make_context):
    context = make_context(*noisy(), metric="log_loss", **FEW)
    answer = weight_decay(context)
    assert answer.resolved_outcome == "issue"
    assert answer.extra["chosen"] == chosen_decay(context) == 10.0
    assert answer.headline.startswith("A weight decay of 10 gains")
    assert answer.action == "Train with weight decay 10."


def test_clear_classes_do_not_care(make_context):
    answer = weight_decay(make_context(*blobs(1200, 10, distance=6.0), **FEW))
    assert answer.resolved_outcome == "fine"
    assert answer.action == "Leave the weight decay as it is."


def test_the_usual_decay_is_compared_with_itself_where_it_is_the_best(make_context):
    context = make_context(*noisy(300, 10), decays=(1e-2,))
    answer = weight_decay(context)
    assert answer.resolved_outcome == "fine"
    assert answer.evidence.statistic.value == 0
    assert answer.headline == "The usual weight decay of 0.01 is the best of the range."


@pytest.mark.parametrize("part", ["validation", "test"])
def test_the_decay_is_chosen_without_validation_or_test_labels(make_context, part, monkeypatch):
    monkeypatch.setattr("overparam.data.dataset._PARTS", BoundedCache(0, lambda parts: parts.size))
    X, y = noisy(300, 10)
    few = {"decays": (1e-3, 10.0), "net": {"epochs": 10}}
    context = make_context(X, y, metric="log_loss", **few)
    other = y.copy()
    rows = getattr(context.splits[0], part).rows
    other[rows] = 1 - other[rows]
    changed = make_context(X, other, metric="log_loss", **few)
    # The split is stratified by labels: the same parts are asked for again.
    changed.dataset.__dict__["layout"] = context.dataset.layout
    assert chosen_decay(changed) == chosen_decay(context)
    theirs, ours = (c.memory["decay_sweep"].held for c in (changed, context))
    np.testing.assert_array_equal(theirs, ours)
