import numpy as np
import pytest
import torch
from torch import nn

from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from overparam.training.snapshots import Snapshots

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
FIT = {"learning_rate": 0.05, "batch_size": 10}


def perceptron(d, k, seed):
    return MLP(d, k, (8,), seed=seed)


def normed(d, k, seed):
    return nn.Sequential(nn.Linear(d, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, k))


@pytest.mark.parametrize("factory", [perceptron, normed])
@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_what_is_restored_is_the_shorter_run(plan, factory):
    def made():
        return Ensemble(factory, [0, 1], 4, 2, plan=plan)

    ensemble = made()
    start = ensemble.predict_logits(X)
    kept = Snapshots(ensemble, (0, 1, 3))
    ensemble.fit(X, Y, epochs=5, callbacks=[kept], **FIT)
    end = ensemble.predict_logits(X)
    for epoch in (3, 0, 1):
        found = kept.restore(epoch).predict_logits(X)
        short = made()
        if epoch:
            short.fit(X, Y, epochs=epoch, **FIT)
        np.testing.assert_array_equal(found, short.predict_logits(X))
        assert np.abs(found - end).max() > 1e-3
    np.testing.assert_array_equal(kept.restore(0).predict_logits(X), start)


def test_training_does_not_touch_what_is_kept():
    ensemble = Ensemble(perceptron, [0], 4, 2)
    kept = Snapshots(ensemble, [0])
    before = kept.states[0].vector.clone()
    ensemble.fit(X, Y, epochs=1, **FIT)
    assert torch.equal(kept.states[0].vector, before)
    kept.restore(0).fit(X, Y, epochs=1, **FIT)
    assert torch.equal(kept.states[0].vector, before)


def test_an_epoch_that_was_not_kept_is_named():
    with pytest.raises(ValueError, match=r"epoch must be one of \[0\]; got 2"):
        Snapshots(Ensemble(perceptron, [0], 4, 2), [0, 2]).restore(2)
