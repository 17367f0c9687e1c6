"""Guidance: mappings, the term, what stays untouched, the cache, and every error."""

import copy
import warnings

import pytest
import torch
from torch import nn

from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP
from overparam.training.guidance import Guidance, layer_pairs, uniform_mapping
from overparam.training.similarity import linear_cka, rsa


def images(n=24, seed=5):
    return torch.randn(n, 64, generator=torch.Generator().manual_seed(seed))


def convnet(**options):
    return ConvNet((1, 8, 8), 3, channels=(4, 5, 6), seed=1, **options).eval()


def perceptron(depth=3, width=12):
    return MLP(64, 3, (width,) * depth, seed=0)


def batch_normed():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(64, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.2), nn.Linear(9, 3)
    )


@pytest.mark.parametrize(
    ("guide", "target", "expected"),
    [
        (7, 40, [0, 6, 13, 20, 26, 32, 39]),
        (7, 3, [0, 0, 1, 1, 1, 2, 2]),
        (3, 6, [0, 2, 5]),
        (1, 5, [0]),
        (4, 1, [0, 0, 0, 0]),
    ],
)
def test_the_uniform_mapping(guide, target, expected):
    assert uniform_mapping(guide, target) == expected


def test_of_guide_layers_that_meet_all_count_or_the_last():
    pairs = layer_pairs("uniform", "abcdefg", "xyz")
    assert [t for _, t in pairs] == list("xxyyyzz")
    assert layer_pairs("uniform", "abcdefg", "xyz", "last") == [("b", "x"), ("e", "y"), ("g", "z")]
    assert layer_pairs([("a", "y")], "abc", "xyz") == [("a", "y")]


@pytest.mark.parametrize("distance", ["cka", "rsa"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_term_is_the_distance_of_preactivations(distance, reduction):
    guide, target, x = convnet(), perceptron(), images()
    with Guidance(guide, target, alpha=0.7, distance=distance, reduction=reduction) as guidance:
        target(x)
        term = guidance.loss(x)
    pixels = x.view(-1, 1, 8, 8)
    first = guide.convolutions[0](pixels)
    second = guide.convolutions[1](guide.pools[0](first).relu())
    third = guide.convolutions[2](guide.pools[1](second).relu())
    hidden = [target.layers[0](x)]
    for layer in target.layers[1:3]:
        hidden.append(layer(hidden[-1].relu()))
    similarity = linear_cka if distance == "cka" else rsa
    each = torch.stack(
        [1 - similarity(h, g) for h, g in zip(hidden, (first, second, third), strict=True)]
    )
    expected = 0.7 * (each.sum() if reduction == "sum" else each.mean())
    torch.testing.assert_close(term, expected, rtol=1e-5, atol=1e-6)
    names = [(f"convolutions.{i}", f"layers.{i}") for i in range(3)]
    assert guidance.pairs_ == names
    torch.testing.assert_close(
        torch.tensor([guidance.distances_[pair] for pair in names]), each, rtol=1e-5, atol=1e-6
    )


def test_the_networks_own_copy_has_distance_zero():
    target = perceptron()
    with Guidance(copy.deepcopy(target).eval(), target) as guidance:
        target(images())
        assert float(guidance(images()).detach()) == pytest.approx(0, abs=2e-6)


def test_gradients_flow_into_the_target_only():
    guide, target, x = convnet(), perceptron(), images()
    with Guidance(guide, target) as guidance:
        target(x)
        guidance.loss(x).backward()
    assert all(p.grad is None for p in guide.parameters())
    assert all(p.grad is not None for p in target.layers[:3].parameters())
    assert target.layers[3].weight.grad is None  # the logits are not aligned


def trained(guidance_of, steps=5, guide=None):
    """A run of BatchNorm and dropout; `guidance_of` makes the guidance of a target, or None."""
    target, x = batch_normed(), images()
    y = torch.arange(len(x)) % 3
    optimizer = torch.optim.Adam(target.parameters(), 1e-2)
    guidance = guidance_of(target)
    torch.manual_seed(1)
    for _ in range(steps):
        loss = nn.functional.cross_entropy(target(x), y)
        if guidance is not None:
            loss = loss + guidance.loss(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if guidance is not None:
        guidance.close()
    return target.state_dict()


def test_alpha_zero_is_plain_training_bit_for_bit():
    plain = trained(lambda target: None)
    zero = trained(lambda target: Guidance(convnet(), target, alpha=0.0))
    one = trained(lambda target: Guidance(convnet(), target))
    assert all(torch.equal(plain[name], zero[name]) for name in plain)
    assert not torch.equal(plain["0.weight"], one["0.weight"])


def test_at_alpha_zero_the_guide_does_not_run():
    guide, target, x = convnet(), perceptron(), images()
    guide.register_forward_hook(lambda *_: pytest.fail("the guide ran"))
    with Guidance(guide, target, alpha=0.0) as guidance:
        target(x)
        term = guidance.loss(x)
    assert float(term) == 0
    assert not term.requires_grad
    assert guidance.distances_ == {}


def test_the_target_runs_once_a_step():
    found = trained(lambda target: Guidance(convnet(), target), steps=7)
    assert found["1.num_batches_tracked"] == 7


def test_the_guide_does_not_change():
    guide = convnet(batch_norm=True)
    before = copy.deepcopy(guide.state_dict())
    trained(lambda target: Guidance(guide, target))
    assert all(torch.equal(before[name], value) for name, value in guide.state_dict().items())


def test_closing_removes_the_hooks():
    guide, target = convnet(), perceptron()
    with Guidance(guide, target):
        assert any(m._forward_hooks for m in target.modules())
    for net in (guide, target):
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


@pytest.mark.parametrize("distance", ["cka", "rsa"])
def test_remembered_rows_give_the_loss_of_a_guide_that_runs(distance):
    guide, target, X = convnet(), perceptron(), images(60)
    rows = torch.tensor([3, 50, 7, 8, 21, 30, 44])
    target(X[rows])
    terms = []
    for cache in ("gram", "auto", None):
        with Guidance(guide, target, distance=distance, cache=cache) as guidance:
            guidance.remember(X)
            target(X[rows])
            terms.append(guidance.loss(X[rows], rows))
            if cache is not None:
                terms.append(guidance.loss(None, rows))
    for term in terms[1:]:
        torch.testing.assert_close(term, terms[0], rtol=1e-5, atol=1e-5)


def test_given_pairs_and_layers():
    guide, target, x = convnet(), perceptron(), images()
    pairs = [("convolutions.2", "layers.0"), ("head", "layers.3"), ("convolutions.2", "layers.1")]
    with Guidance(guide, target, mapping=pairs) as guidance:
        target(x)
        guidance.loss(x)
        assert list(guidance.distances_) == pairs
    with Guidance(guide, target, ["convolutions.1"], ["layers.2", "layers.0"]) as guidance:
        target(x)
        guidance.loss(x)
        assert guidance.pairs_ == [("convolutions.1", "layers.2")]


def test_guidance_ends_after_its_steps():
    with Guidance(convnet(), perceptron(), steps=3) as guidance:
        assert [guidance.active(step) for step in range(5)] == [True] * 3 + [False] * 2
    with Guidance(convnet(), perceptron()) as guidance:
        assert guidance.active(10**9)


def test_a_guide_in_training_mode_is_switched_and_told():
    guide = convnet().train()
    with pytest.warns(UserWarning, match="guide is in training mode: switched to evaluation"):
        Guidance(guide, perceptron()).close()
    assert not guide.training


def test_noise_is_what_the_guide_sees():
    guide, target, x = convnet(), perceptron(), images()
    with Guidance(guide, target, noise=True) as guidance:
        target(x)
        first, second = (float(guidance.loss(x).detach()) for _ in range(2))
    assert first != second  # drawn anew
    with Guidance(guide, target) as guidance:
        target(x)
        assert float(guidance.loss(x).detach()) < min(first, second)


def test_constant_layers_are_told_once():
    target, x = perceptron(), images()
    nn.init.zeros_(target.layers[1].weight)
    with Guidance(convnet(), target) as guidance:
        target(x)
        with pytest.warns(RuntimeWarning, match="do not vary over the inputs"):
            guidance.loss(x)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            guidance.loss(x)
        assert guidance.distances_["convolutions.1", "layers.1"] == 1


def test_recurrent_and_attention_layers_give_their_first_output():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(4, 6, batch_first=True)
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
            self.norm = nn.LayerNorm(6)
            self.head = nn.Linear(6, 3)

        def forward(self, x):
            h, _ = self.rnn(x)
            h, _ = self.attention(h, h, h)
            return self.head(self.norm(h)[:, -1])

    torch.manual_seed(0)
    x = torch.randn(9, 5, 4)
    target = Reader()
    with Guidance(Reader().eval(), target) as guidance:
        target(x)
        guidance.loss(x).backward()
        assert guidance.pairs_ == [(name, name) for name in ("rnn", "attention", "norm")]
    assert target.rnn.weight_hh_l0.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -0.1}, "alpha must be a number >= 0; got -0.1"),
        ({"mapping": "even"}, "mapping must be 'uniform' or a list of pairs; got 'even'"),
        ({"mapping": []}, r"mapping must be 'uniform' or a list of \(guide layer, target layer\)"),
        ({"mapping": [("head",)]}, r"list of \(guide layer, target layer\); got \[\('head',\)\]"),
        ({"distance": "cca"}, "distance must be 'cka' or 'rsa'; got 'cca'"),
        ({"steps": -1}, "steps must be None or an integer >= 0; got -1"),
        ({"reduction": "max"}, "reduction must be 'sum' or 'mean'; got 'max'"),
        ({"cache": "disk"}, "cache must be 'auto', 'gram' or None; got 'disk'"),
        ({"duplicates": "first"}, "duplicates must be 'all' or 'last'; got 'first'"),
        (
            {"target_layers": ["layers.9"]},
            r"target_layers must be some of \['layers.0', 'layers.1', .*\]; got \['layers.9'\]",
        ),
        (
            {"guide_layers": ["head", "stem"]},
            r"guide_layers must be some of \['convolutions.0', .*'head'\]; got \['stem'\]",
        ),
        ({"mapping": [("stem", "layers.0")]}, r"guide_layers must be some of .*got \['stem'\]"),
        ({"target_layers": []}, "target_layers must name at least one layer of the net; got none"),
    ],
)
def test_bad_arguments_are_named_and_leave_no_hooks(options, message):
    guide, target = convnet(), perceptron()
    with pytest.raises(ValueError, match=message):
        Guidance(guide, target, **options)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in target.modules())


def test_bad_batches_are_named():
    guide, target, x = convnet(), perceptron(), images()
    with Guidance(guide, target) as guidance:
        with pytest.raises(ValueError, match="target_layers must run in a forward pass before"):
            guidance.loss(x)
        target(x)
        with pytest.raises(ValueError, match="that the target has just seen, 24; got 20"):
            guidance.loss(x[:20])
        with pytest.raises(ValueError, match="x must be the minibatch unless index gives its rows"):
            guidance.loss(None)
        with pytest.raises(ValueError, match=r"index needs remembered rows: call remember\(X\)"):
            guidance.loss(x, torch.arange(24))
        target(x[:3])
        with pytest.raises(ValueError, match="a batch of at least 4 rows; got 3"):
            guidance.loss(x[:3])
    with Guidance(guide, target, cache=None) as guidance:
        target(x)
        with pytest.raises(ValueError, match="x must be the minibatch unless its rows are rem"):
            guidance.loss(None, torch.arange(24))
    with pytest.raises(ValueError, match="n_guide and n_target must be integers >= 1; got 0 and 2"):
        uniform_mapping(0, 2)


def test_layers_that_cannot_be_compared_are_named():
    torch.manual_seed(0)
    x = images()
    inplace = nn.Sequential(nn.Linear(64, 8), nn.ReLU(inplace=True), nn.Linear(8, 3))
    with Guidance(convnet(), inplace) as guidance:
        inplace(x)
        with pytest.raises(ValueError, match=r"'0' was changed in place afterwards \(a ReLU"):
            guidance.loss(x)

    class TimeFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(8, 6)
            self.head = nn.Linear(6, 3)

        def forward(self, x):
            return self.head(self.rnn(x.view(-1, 8, 8).transpose(0, 1))[0][-1])

    target = TimeFirst()
    with Guidance(convnet(), target) as guidance:
        target(x)
        with pytest.raises(
            ValueError, match=r"have the batch of 24 as their first axis; 'rnn' has shape \(8, 24"
        ):
            guidance.loss(x)
