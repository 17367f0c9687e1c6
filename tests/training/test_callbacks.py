import numpy as np
import torch

from overparam.nets.mlp import MLP
from overparam.training.callbacks import Callback
from overparam.training.ensemble import Ensemble

X = np.random.default_rng(0).normal(size=(20, 3))
Y = (X[:, 0] > 0).astype(int)


class Recorder(Callback):
    def __init__(self):
        self.calls = []

    def before_update(self, stack):
        self.calls.append(("before", stack.step, stack.epoch, tuple(stack.members)))

    def after_update(self, stack):
        self.calls.append(("after", stack.step, stack.epoch, tuple(stack.members)))

    def after_epoch(self, stack):
        self.calls.append(("epoch", stack.step, stack.epoch, tuple(stack.members)))


class Frozen(Callback):
    """No gradient for the first layer, no weight above 0.1 in the last."""

    def before_update(self, stack):
        stack.gradients["layers.0.weight"].zero_()

    def after_update(self, stack):
        stack.parameters["layers.1.weight"].clamp_(-0.1, 0.1)


def small(plan):
    return Ensemble(lambda d, k, seed: MLP(d, k, (4,), seed=seed), [0, 1], 3, 2, plan=plan)


def test_hooks_come_in_order_with_their_counts():
    recorder = Recorder()
    small("stacked").fit(X, Y, epochs=2, batch_size=10, callbacks=[recorder])
    both = (0, 1)
    assert recorder.calls == [
        ("before", 0, 0, both),
        ("after", 1, 0, both),
        ("before", 1, 0, both),
        ("after", 2, 0, both),
        ("epoch", 2, 1, both),
        ("before", 2, 1, both),
        ("after", 3, 1, both),
        ("before", 3, 1, both),
        ("after", 4, 1, both),
        ("epoch", 4, 2, both),
    ]


def test_under_loop_members_come_one_after_the_other():
    recorder = Recorder()
    small("loop").fit(X, Y, steps=1, callbacks=[recorder])
    assert [call[3] for call in recorder.calls] == [(0,)] * 3 + [(1,)] * 3


def test_what_a_callback_writes_counts():
    ensemble = small("stacked")
    first = ensemble.state.parameters["layers.0.weight"].clone()
    ensemble.fit(X, Y, epochs=3, learning_rate=0.1, callbacks=[Frozen()])
    assert torch.equal(ensemble.state.parameters["layers.0.weight"], first)
    assert ensemble.state.parameters["layers.1.weight"].abs().max() <= 0.1


class Seen(Callback):
    def __init__(self):
        self.rows, self.hits = [], []

    def after_update(self, stack):
        self.rows.append(stack.rows.clone())
        self.hits.append(stack.hits.clone())


def test_the_minibatch_and_what_was_right_of_it_are_shown():
    seen, ensemble = Seen(), small("stacked")
    before = ensemble.predict_logits(X).argmax(-1) == Y
    history = ensemble.fit(X, Y, epochs=2, batch_size=10, callbacks=[seen])
    for member in range(2):
        epoch = torch.cat([rows[member] for rows in seen.rows[:2]])
        assert sorted(epoch.tolist()) == list(range(20))
        rows, hits = seen.rows[0][member], seen.hits[0][member]
        np.testing.assert_array_equal(hits.numpy(), before[member][rows.numpy()])
    right = torch.stack(seen.hits[2:]).float().mean((0, 2))
    np.testing.assert_allclose(right, history.accuracy[:, 1], rtol=1e-6)
