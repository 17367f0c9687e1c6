"""Guided members of an ensemble train as a loop with `Guidance` does, each for itself."""

import numpy as np
import pytest
import torch
from torch import nn

from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from overparam.training.frozen_guide import FrozenGuide
from overparam.training.guidance import Guidance
from overparam.training.guided_members import GuidedMembers
from overparam.training.minibatches import MinibatchStream

N, STEPS, SIZE = 48, 12, 16
RECIPE = {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": SIZE, "steps": STEPS}


def rows():
    X = np.random.default_rng(0).normal(size=(N, 64)).astype(np.float32)
    return X, np.arange(N) % 3


def perceptron(d, k, seed):
    return MLP(d, k, (10, 10, 10), seed=seed)


def batch_normed(d, k, seed):
    return nn.Sequential(nn.Linear(d, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, k))


def convolutional(d, k, seed):
    return ConvNet((1, 8, 8), k, channels=(3, 4, 5), seed=seed)


def convnet(seed):
    return ConvNet((1, 8, 8), 3, channels=(4, 5), seed=seed).eval()


def loop(factory, seed, guide, limit=None):
    """The same training by `Guidance`."""
    X, y = rows()
    x, labels = torch.as_tensor(X), torch.as_tensor(y)
    ensemble = Ensemble(factory, [seed], 64, 3)
    net = ensemble.member(0).train()
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    stream = MinibatchStream(seed, torch.arange(N))
    with Guidance(guide, net, steps=limit) as guidance:
        for step in range(STEPS):
            batch = stream.take(SIZE)
            loss = nn.functional.cross_entropy(net(x[batch]), labels[batch])
            if guidance.active(step):
                loss = loss + guidance.loss(x[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


@pytest.mark.parametrize("factory", [perceptron, batch_normed, convolutional])
@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_members_train_as_single_networks_do(factory, plan):
    X, y = rows()
    seeds, guides = [3, 4, 5], [convnet(7), None, convnet(8)]
    frozen = [FrozenGuide(guides[0]), None, FrozenGuide(guides[2])]
    frozen[2].remember(torch.as_tensor(X))
    ensemble = Ensemble(factory, seeds, 64, 3, plan=plan)
    guided = GuidedMembers(factory(64, 3, 0), X, frozen, steps=[None, None, 5])
    ensemble.fit(X, y, callbacks=[guided], **RECIPE)
    assert set(guided.distances_) == {0, 2}
    for i, limit in ((0, None), (2, 5)):
        expected = loop(factory, seeds[i], guides[i], limit)
        x = torch.as_tensor(X)
        with torch.no_grad():
            torch.testing.assert_close(ensemble.member(i)(x), expected(x), rtol=1e-4, atol=1e-4)


def test_a_member_without_a_guide_is_the_plain_network():
    X, y = rows()
    plain = Ensemble(perceptron, [0, 1], 64, 3, plan="loop")
    plain.fit(X, y, **RECIPE)
    mixed = Ensemble(perceptron, [0, 1], 64, 3, plan="loop")
    callback = GuidedMembers(perceptron(64, 3, 0), X, [None, FrozenGuide(convnet(0))])
    mixed.fit(X, y, callbacks=[callback], **RECIPE)
    a, b = plain.predict_logits(X), mixed.predict_logits(X)
    np.testing.assert_array_equal(a[0], b[0])
    assert np.abs(a[1] - b[1]).max() > 1e-3
    zero = Ensemble(perceptron, [0, 1], 64, 3, plan="loop")
    callback = GuidedMembers(perceptron(64, 3, 0), X, [FrozenGuide(convnet(0))] * 2, alpha=0.0)
    zero.fit(X, y, callbacks=[callback], **RECIPE)
    np.testing.assert_array_equal(zero.predict_logits(X), a)


def test_running_statistics_are_updated_once_a_step():
    X, y = rows()
    ensemble = Ensemble(batch_normed, [0, 1], 64, 3)
    callback = GuidedMembers(batch_normed(64, 3, 0), X, [FrozenGuide(convnet(0))] * 2)
    ensemble.fit(X, y, callbacks=[callback], **RECIPE)
    assert ensemble.member(1)[1].num_batches_tracked == STEPS


def test_members_of_one_guide_and_one_minibatch_share_its_matrices(monkeypatch):
    X, y = rows()
    guide = FrozenGuide(convnet(0)).remember(torch.as_tensor(X))
    calls = []
    original = guide.similarities
    monkeypatch.setattr(
        guide, "similarities", lambda x, index=None: calls.append(1) or original(x, index)
    )
    ensemble = Ensemble(perceptron, [0, 1, 2], 64, 3, plan="stacked")
    callback = GuidedMembers(perceptron(64, 3, 0), X, [guide] * 3)
    ensemble.fit(X, y, callbacks=[callback], minibatches="shared", **RECIPE)
    assert len(calls) == STEPS


def test_bad_arguments_are_named():
    X, _ = rows()
    guide = FrozenGuide(convnet(0))
    with pytest.raises(ValueError, match="steps must have one entry a member, 1; got 2"):
        GuidedMembers(perceptron(64, 3, 0), X, [guide], steps=[1, 2])
    with pytest.raises(ValueError, match="alpha must be a number >= 0; got -1"):
        GuidedMembers(perceptron(64, 3, 0), X, [guide], alpha=-1)
    dropping = nn.Sequential(nn.Linear(64, 4), nn.Dropout(0.5), nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"module must not draw random numbers.*got Dropout"):
        GuidedMembers(dropping, X, [guide])
    with pytest.raises(ValueError, match=r"module must not draw random numbers.*got dropout"):
        GuidedMembers(MLP(64, 3, (4,), dropout=0.1), X, [guide])
