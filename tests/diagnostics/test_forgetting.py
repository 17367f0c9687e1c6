from itertools import pairwise

import numpy as np
import pytest

from overparam.diagnostics.forgetting import ForgettingTracker
from overparam.nets.mlp import MLP
from overparam.training.callbacks import Callback
from overparam.training.ensemble import Ensemble

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5)).astype(np.float32)
Y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)


def counted(seen):
    """Events of one row by the definition, from its presentations in order."""
    return sum(a and not b for a, b in pairwise(seen)) if any(seen) else np.inf


def test_counts_are_those_of_the_definition():
    tracker = ForgettingTracker(50)
    shown = rng.random((12, 50)) < 0.3
    shown[:, 7] = False
    for presentation in shown:
        rows = rng.permutation(50)
        for part in np.split(rows, 5):
            tracker.update(part, presentation[part])
    expected = [counted(shown[:, row].tolist()) for row in range(50)]
    np.testing.assert_array_equal(tracker.counts_, expected)
    assert tracker.counts_[7] == np.inf
    np.testing.assert_array_equal(tracker.never_learnt_, np.isinf(expected))


def test_a_row_twice_in_a_batch_counts_once():
    tracker = ForgettingTracker(2)
    tracker.update([0, 0], [True, True])
    tracker.update([0, 0], [False, False])
    assert tracker.counts_.tolist() == [1, np.inf]


class Presentations(Callback):
    def __init__(self):
        self.seen = {}

    def after_update(self, stack):
        for member, rows, hits in zip(stack.members, stack.rows, stack.hits, strict=True):
            for row, hit in dict(zip(rows.tolist(), hits.tolist(), strict=True)).items():
                self.seen.setdefault((member, row), []).append(bool(hit))


@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_an_ensemble_is_counted_member_by_member(plan):
    tracker, plain = ForgettingTracker(60, 3), Presentations()
    ensemble = Ensemble(lambda d, k, s: MLP(d, k, (8,), seed=s), range(3), 5, 2, plan=plan)
    ensemble.fit(X, Y, learning_rate=0.05, epochs=8, batch_size=20, callbacks=[tracker, plain])
    expected = [[counted(plain.seen[member, row]) for row in range(60)] for member in range(3)]
    np.testing.assert_array_equal(tracker.counts_, expected)
    assert tracker.counts_[np.isfinite(tracker.counts_)].max() > 0
    events = tracker.history.curve("forgetting_events", "minibatches")
    assert events.steps.tolist() == [3 * epoch for epoch in range(1, 9)]
    finite = np.where(np.isfinite(tracker.counts_), tracker.counts_, 0)
    np.testing.assert_allclose(events.values[:, -1], finite.mean(1))
    ever = tracker.history.curve("ever_right", "minibatches")
    np.testing.assert_allclose(ever.values[:, -1], 1 - tracker.never_learnt_.mean(1))


def test_mistakes_are_named():
    tracker = ForgettingTracker(3)
    with pytest.raises(ValueError, match=r"one entry for each of indices, shape \(2,\); got"):
        tracker.update([0, 1], [True])
    with pytest.raises(ValueError, match=r"indices must be rows 0\.\.2; got values from 1 to 3"):
        tracker.update([1, 3], [True, True])
    with pytest.raises(ValueError, match="n must be an integer >= 1; got 0"):
        ForgettingTracker(0)
