"""The classifier: plain training at alpha 0, its record, and scikit-learn's own checks."""

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import estimator_checks_generator
from torch import nn

from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP
from overparam.training.guided_classifier import GuidedClassifier
from overparam.training.minibatches import MinibatchStream


def perceptron(d, k, seed):
    return MLP(d, k, (16, 16), seed=seed)


def wide(d, k, seed):
    return MLP(d, k, (32,), seed=seed + 100)


def convnet(d, k, seed):
    return ConvNet((1, 8, 8), k, channels=(4, 6), seed=seed)


def check_name(value):
    return value.func.__name__ if hasattr(value, "func") else "GuidedClassifier"


def bright_halves(n=60):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    X = rng.normal(size=(n, 1, 8, 8)).astype(np.float32)
    X[y == 1, :, :4] += 1
    X[y == 2, :, 4:] += 1
    return X, y


CHECKS = list(
    estimator_checks_generator(
        GuidedClassifier(perceptron, wide, guidance_steps=20, epochs=60, learning_rate=0.01)
    )
)


# Named by the check alone: the name of a function holds its address, another in every process.
@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=lambda value: check_name(value))
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


def test_alpha_zero_is_a_plain_loop_bit_for_bit():
    X, y = bright_halves()
    model = GuidedClassifier(
        perceptron, convnet, alpha=0, epochs=3, batch_size=25, drop_every=2, random_state=4
    ).fit(X, y)
    net, x = perceptron(64, 3, 4), torch.as_tensor(X)
    stream = MinibatchStream(4, torch.arange(60))
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for step in range(9):
        optimizer.param_groups[0]["lr"] = 1e-3 if step < 6 else 1e-4
        rows = stream.take(25)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x[rows]), torch.as_tensor(y[rows])).backward()
        optimizer.step()
    for ours, plain in zip(model.target_.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-8)


def test_it_learns_from_images_and_keeps_a_record():
    X, y = bright_halves()
    options = {"alpha": 10, "guidance_steps": 30, "epochs": 20, "batch_size": 20}
    model = GuidedClassifier(perceptron, convnet, **options, learning_rate=0.01).fit(X, y)
    assert model.score(X, y) > 0.9
    history = model.history_
    assert set(history) == {"loss", "alignment", "accuracy"}
    assert all(len(curve) == 20 for curve in history.values())
    assert history["alignment"][9] < history["alignment"][0] - 0.5
    assert np.isnan(history["alignment"][10:]).all()
    assert history["accuracy"][-1] > 0.9
    pairs = [(entry["guide_layer"], entry["target_layer"]) for entry in model.cka_profile_]
    assert pairs == [("convolutions.0", "layers.0"), ("convolutions.1", "layers.1")]
    for entry in model.cka_profile_:
        assert 0 < entry["cka"] <= 1
        assert 0 < entry["debiased"] <= 1


def test_guidance_brings_layers_closer():
    X, y = bright_halves()
    guided, plain = (
        GuidedClassifier(perceptron, convnet, alpha=alpha, epochs=20, learning_rate=0.01)
        .fit(X, y)
        .cka_profile_
        for alpha in (10.0, 0.0)
    )
    for one, other in zip(guided, plain, strict=True):
        assert one["debiased"] > other["debiased"]


def test_same_seed_same_bits_and_the_guide_is_left_alone():
    X, y = bright_halves()
    guide = convnet(64, 3, 0).eval()
    before = {name: value.clone() for name, value in guide.state_dict().items()}
    runs = [GuidedClassifier(perceptron, guide, epochs=3).fit(X, y) for _ in range(2)]
    np.testing.assert_array_equal(*(run.predict_proba(X) for run in runs))
    assert all(torch.equal(before[name], value) for name, value in guide.state_dict().items())
    assert not any(m._forward_hooks for net in (guide, runs[0].target_) for m in net.modules())


@pytest.mark.parametrize("name", ["epochs", "batch_size", "drop_every"])
def test_bad_counts_are_named(name):
    with pytest.raises(ValueError, match=f"{name} must be an integer >= 1; got 0"):
        GuidedClassifier(perceptron, convnet, **{name: 0}).fit(*bright_halves())


def test_a_single_class_is_named():
    X, y = bright_halves()
    with pytest.raises(ValueError, match=r"y must hold at least 2 classes; got one class, .*1"):
        GuidedClassifier(perceptron, convnet).fit(X, np.ones_like(y))
