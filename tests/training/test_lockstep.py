"""Members that leave a group early: divergence, early stopping, and who is left."""

import numpy as np
import pytest
import torch

from overparam.nets.mlp import MLP
from overparam.training.callbacks import Callback
from overparam.training.ensemble import Ensemble

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 5))
Y = (X[:, 0] + 0.5 * RNG.normal(size=80) > 0).astype(int)
X_HELD, Y_HELD = RNG.normal(size=(40, 5)), RNG.integers(0, 2, 40)


def ensemble(seeds, plan="stacked"):
    return Ensemble(
        lambda d, k, seed: MLP(d, k, (8,), dropout=0.2, seed=seed),
        seeds,
        5,
        2,
        plan=plan,
        dtype=torch.float64,
    )


@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_a_diverging_member_is_marked_frozen_and_alone_in_it(plan):
    three = ensemble([1, 2, 3], plan)
    history = three.fit(
        X, Y, optimizer="sgd", learning_rate=[0.1, 1e200, 0.1], epochs=4, batch_size=20
    )
    assert three.diverged.tolist() == [False, True, False]
    assert np.isnan(history.loss[1]).all()
    assert np.isfinite(history.loss[[0, 2]]).all()
    assert history.stopped_epoch.tolist() == [4, 0, 4]
    two = ensemble([1, 3], plan)
    two.fit(X, Y, optimizer="sgd", learning_rate=0.1, epochs=4, batch_size=20)
    np.testing.assert_allclose(
        three.predict_logits(X)[[0, 2]], two.predict_logits(X), rtol=1e-10, atol=1e-12
    )


def test_all_members_may_diverge():
    two = ensemble([1, 2])
    two.fit(X, Y, optimizer="sgd", learning_rate=1e200, epochs=4, batch_size=20)
    assert two.diverged.all()


def test_weights_that_break_in_the_last_step_are_marked():
    two = ensemble([1, 2])
    two.fit(X, Y, optimizer="sgd", learning_rate=[0.1, 1e308], weight_decay=1e5, steps=1)
    assert two.diverged.tolist() == [False, True]


class Weights(Callback):
    """Every member's weights after every epoch."""

    def __init__(self):
        self.seen = {}

    def after_epoch(self, stack):
        for i, member in enumerate(stack.members):
            copy = {name: value[i].clone() for name, value in stack.parameters.items()}
            self.seen.setdefault(int(member), []).append(copy)


@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_early_stopping_keeps_each_members_best_epoch(plan):
    free, record = ensemble(range(5), plan), Weights()
    rates = [0.003, 0.01, 0.03, 0.1, 0.3]
    options = {"learning_rate": rates, "batch_size": 20, "epochs": 30}
    held = (X_HELD, Y_HELD)
    whole = free.fit(X, Y, validation=held, callbacks=[record], **options)
    stopped = ensemble(range(5), plan)
    history = stopped.fit(X, Y, validation=held, patience=3, **options)
    assert len(set(history.best_epoch)) > 2
    for i in range(5):
        curve = whole.validation_loss[i]
        best = next(e for e in range(30) if curve[e] <= curve[: min(30, e + 4)].min())
        end = min(30, best + 4)
        assert history.best_epoch[i] == best
        assert history.stopped_epoch[i] == end
        np.testing.assert_allclose(history.validation_loss[i, :end], curve[:end], rtol=1e-9)
        assert np.isnan(history.validation_loss[i, end:]).all()
        assert np.isnan(history.loss[i, end:]).all()
        for name, value in stopped.member(i).named_parameters():
            torch.testing.assert_close(value.detach(), record.seen[i][best][name])


def test_validation_figures_are_those_of_the_kept_network():
    two = ensemble([0, 1])
    history = two.fit(X, Y, epochs=2, validation=(X_HELD, Y_HELD))
    logits = torch.as_tensor(two.predict_logits(X_HELD))
    for i in range(2):
        loss = torch.nn.functional.cross_entropy(logits[i], torch.as_tensor(Y_HELD))
        assert history.validation_loss[i, -1] == pytest.approx(float(loss), rel=1e-10)
        hits = (logits[i].argmax(1).numpy() == Y_HELD).mean()
        assert history.validation_accuracy[i, -1] == pytest.approx(hits)


def test_validation_weights_tell_members_apart():
    two = ensemble([0, 0])
    own = np.zeros((2, 40))
    own[0, :10] = own[1, 10:] = 1.0
    history = two.fit(X, Y, epochs=1, validation=(X_HELD, Y_HELD, own))
    for i, rows in enumerate([slice(0, 10), slice(10, 40)]):
        logits = torch.as_tensor(two.predict_logits(X_HELD[rows])[i])
        loss = torch.nn.functional.cross_entropy(logits, torch.as_tensor(Y_HELD[rows]))
        assert history.validation_loss[i, 0] == pytest.approx(float(loss), rel=1e-10)


class Sizes(Callback):
    """Who was in the stack at every update."""

    def __init__(self):
        self.seen = []

    def after_update(self, stack):
        self.seen.append(tuple(stack.members))
        assert len(stack.loss) == len(stack.parameters["layers.0.bias"]) == len(stack.members)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([0.0, 0.01, 0.0, 0.01], [(0, 1, 2, 3)] * 3 + [(1, 3)] * 9),
        ([0.0, 0.01, 0.01, 0.01], [(0, 1, 2, 3)] * 12),  # one alone is not worth a copy of three
        ([0.0, 0.0, 0.0, 0.0], [(0, 1, 2, 3)] * 3),
    ],
)
def test_members_that_stand_still_stop_and_leave_when_they_are_half(rates, expected):
    sizes = Sizes()
    history = ensemble(range(4)).fit(
        X,
        Y,
        learning_rate=rates,
        epochs=12,
        batch_size=80,
        validation=(X, Y),
        patience=2,
        callbacks=[sizes],
    )
    assert sizes.seen == expected
    assert history.stopped_epoch.tolist() == [3 if rate == 0 else 12 for rate in rates]
