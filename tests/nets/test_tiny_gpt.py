"""TinyGPT: its size, its start, causality, stacked and cached passes, its roles under muP."""

import math
from itertools import pairwise

import pytest
import torch

from overparam.nets.base_shapes import maximal_update_factors_
from overparam.nets.key_value_cache import KeyValueCache
from overparam.nets.stackable import HandDifferentiated, Stackable
from overparam.nets.tiny_gpt import TinyGPT

VOCAB = 96


def tokens(*shape, seed=0):
    return torch.randint(VOCAB, shape, generator=torch.Generator().manual_seed(seed))


def stacked(nets):
    return {
        name: torch.stack([net.get_parameter(name).detach() for net in nets])
        for name, _ in nets[0].named_parameters()
    }


@pytest.mark.parametrize(("d", "n"), [(32, 32_928), (64, 115_008), (128, 426_624)])
def test_numbers_of_parameters_are_the_papers_of_the_small_form(d, n):
    net = TinyGPT(VOCAB, d)
    assert sum(p.numel() for p in net.parameters()) == n
    assert n == 12 * 2 * d**2 + (2 * VOCAB + 64 + 2 * 2 + 1) * d
    assert net.heads == d // 32
    assert not any("bias" in name for name, _ in net.named_parameters())


@pytest.mark.parametrize("d", [32, 128])
def test_the_loss_starts_at_that_of_guessing(d):
    x = tokens(32, 64)
    loss = torch.nn.functional.cross_entropy(TinyGPT(VOCAB, d)(x).flatten(0, 1), x.flatten())
    assert float(loss.detach()) == pytest.approx(math.log(VOCAB), abs=0.1)


def test_initial_deviations_are_the_specified_ones():
    net = TinyGPT(VOCAB, 128, depth=3)
    layer = net.layers[1]
    for weight, deviation in (
        (net.tokens.weight, 0.02),
        (net.places.weight, 0.02),
        (net.head.weight, 0.02),
        (layer.qkv.weight, 128**-0.5),
        (layer.up.weight, 128**-0.5),
        (layer.out.weight, 128**-0.5 / math.sqrt(6)),
        (layer.down.weight, 512**-0.5 / math.sqrt(6)),
    ):
        assert float(weight.detach().std()) == pytest.approx(deviation, rel=0.05)
    assert torch.equal(net.norm.weight.detach(), torch.ones(128))


def test_seeds_alone_decide_the_start():
    first, again, other = TinyGPT(9, 32, seed=1), TinyGPT(9, 32, seed=1), TinyGPT(9, 32, seed=2)
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


@pytest.mark.parametrize("place", [0, 1, 17, 40])
def test_a_token_changes_no_logits_before_it(place):
    net, x = TinyGPT(VOCAB, 64), tokens(2, 41)
    changed = x.clone()
    changed[:, place] = (changed[:, place] + 1) % VOCAB
    before, after = net(x).detach(), net(changed).detach()
    assert torch.equal(before[:, :place], after[:, :place])
    assert not torch.allclose(before[:, place], after[:, place])
    state = stacked([net])
    one = net.stacked_forward(state, x[None])[0]
    two = net.stacked_forward(state, changed[None])[0]
    assert torch.equal(one[:, :place], two[:, :place])


def test_stacked_members_equal_the_modules():
    nets = [TinyGPT(VOCAB, 64, seed=s).double() for s in range(3)]
    for net in nets:
        torch.nn.init.normal_(net.norm.weight)  # gains of 1 would hide a mistake
        torch.nn.init.normal_(net.layers[1].norm_2.weight)
    x = tokens(3, 5, 20)
    alone = torch.stack([net(rows) for net, rows in zip(nets, x, strict=True)]).detach()
    torch.testing.assert_close(nets[0].stacked_forward(stacked(nets), x), alone)
    assert isinstance(nets[0], Stackable)
    assert not isinstance(nets[0], HandDifferentiated)


@pytest.mark.parametrize("cuts", [(0, 20), (0, 1, 2, 3, 20), (0, 7, 8, 15, 20)])
def test_a_cache_changes_nothing(cuts):
    nets = [TinyGPT(VOCAB, 64, seed=s).double() for s in range(2)]
    state, x = stacked(nets), tokens(2, 5, 20)
    cache = KeyValueCache(2, 64)
    parts = [nets[0].stacked_forward(state, x[:, :, a:b], cache=cache) for a, b in pairwise(cuts)]
    torch.testing.assert_close(torch.cat(parts, 2), nets[0].stacked_forward(state, x))


def test_maximal_update_knows_every_matrix():
    factors = maximal_update_factors_(TinyGPT(VOCAB, 128), TinyGPT(VOCAB, 32))
    hidden = {n: f for n, f in factors.items() if f != 1}
    assert set(hidden.values()) == {0.25}
    assert set(hidden) == {"head.weight"} | {
        f"layers.{i}.{name}.weight" for i in range(2) for name in ("qkv", "out", "up", "down")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocab": 0, "d": 32}, "vocab, d, depth, context and heads must be integers >= 1; got 0"),
        ({"vocab": 9, "d": 32, "heads": 5}, "heads must divide d; got heads=5 and d=32"),
    ],
)
def test_bad_sizes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        TinyGPT(**arguments)


def test_bad_tokens_are_named():
    net = TinyGPT(9, 32, context=4)
    with pytest.raises(ValueError, match=r"x must hold tokens \(integers\); got torch.float32"):
        net(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="at most 4 tokens a row, the context; got 5"):
        net(torch.zeros(1, 5, dtype=torch.long))
