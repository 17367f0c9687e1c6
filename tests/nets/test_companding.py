"""Companding a network in place, and baking it."""

import copy

import pytest
import torch
from torch import nn

from overparam.nets.companding import (
    bake,
    compand,
    compander_rate_factors,
    companders,
    parameter_groups,
)
from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP
from overparam.nets.tabular import TabularNet

X = torch.randn(6, 16, generator=torch.Generator().manual_seed(0))
NETS = {
    "mlp": lambda: MLP(16, 3, (12, 12), layer_norm=True, seed=0),
    "convolutional": lambda: ConvNet((1, 4, 4), 3, channels=(4, 4), batch_norm=True, seed=0).eval(),
    "tabular": lambda: TabularNet(16, 3, (2,), (5,), width=8, seed=0).fit_scaling(X.numpy()),
}


@pytest.mark.parametrize("granularity", ["layer", "channel"])
@pytest.mark.parametrize("net", NETS)
def test_inverting_leaves_outputs_and_baking_keeps_them_to_the_bit(net, granularity):
    module = NETS[net]()
    before, names = module(X), list(module.state_dict())
    compand(module, init="inverse", granularity=granularity)
    torch.testing.assert_close(module(X), before, rtol=0, atol=1e-5)
    companded = module(X)
    assert len(list(companders(module))) == sum(
        isinstance(each, (nn.Linear, nn.Conv2d)) for each in module.modules()
    )
    assert bake(module) is module
    assert torch.equal(module(X), companded)
    assert list(companders(module)) == []
    assert type(next(module.children())[0] if net != "tabular" else module.head) in (
        nn.Linear,
        nn.Conv2d,
    )
    assert sorted(module.state_dict()) == sorted(names)


def test_baking_a_copy_leaves_the_original():
    module = compand(NETS["mlp"]())
    before = module(X)
    torch.testing.assert_close(bake(copy.deepcopy(module))(X), before, rtol=0, atol=0)
    assert len(list(companders(module))) == 3
    assert torch.equal(module(X), before)


def test_state_goes_round_with_what_was_learnt():
    trained = compand(NETS["mlp"](), init="rescale", b=0.7)
    with torch.no_grad():
        for p in trained.parameters():
            p.add_(0.1 * torch.randn_like(p))
    fresh = compand(MLP(16, 3, (12, 12), layer_norm=True, seed=5))
    fresh.load_state_dict(trained.state_dict())
    assert torch.equal(fresh(X), trained(X))
    assert torch.equal(copy.deepcopy(trained)(X), trained(X))


def test_it_works_under_functional_call_and_vmap():
    nets = [compand(MLP(16, 3, (12,), seed=seed)) for seed in range(3)]
    parameters, buffers = torch.func.stack_module_state(nets)

    def one(own, fixed, x):
        return torch.func.functional_call(nets[0], (own, fixed), (x,))

    found = torch.func.vmap(one, (0, 0, None))(parameters, buffers, X)
    expected = torch.stack([net(X) for net in nets])
    torch.testing.assert_close(found, expected)


@pytest.mark.slow
def test_it_compiles_without_a_break():
    net = compand(MLP(16, 3, (12,), seed=1))
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(X), net(X))
    compiled(X).square().sum().backward()
    slopes = [p.grad for p in net.parameters()]
    net.zero_grad(set_to_none=True)
    net(X).square().sum().backward()
    torch.testing.assert_close(slopes, [p.grad for p in net.parameters()])


@pytest.mark.parametrize("net", NETS)
def test_biases_and_norms_are_left_alone(net):
    module = NETS[net]()
    before = {name: p.clone() for name, p in module.named_parameters()}
    compand(module)
    after = dict(module.named_parameters())
    for name, value in before.items():
        if "bias" in name or "norm" in name or name.startswith("embedding"):
            assert torch.equal(after[name], value)
        else:
            assert name not in after or name == "categories"


@pytest.mark.parametrize(
    ("init", "options"), [("raw", {"a": 0.5, "b": 0.5}), ("rescale", {"b": 0.5})]
)
def test_raw_and_rescale_train_the_weights_that_were_there(init, options):
    module = NETS["mlp"]()
    before = module.layers[1].weight.detach().clone()
    compand(module, init=init, **options)
    chain = module.layers[1].parametrizations.weight
    assert torch.equal(chain.original, before)
    unit = before.square().mean().sqrt()
    torch.testing.assert_close(chain[0].b.detach(), 0.5 * unit)
    mean_square = module.layers[1].weight.square().mean()
    if init == "raw":
        torch.testing.assert_close(chain[0].a, 0.5 * unit)
        assert mean_square < 0.8 * unit**2
    else:
        torch.testing.assert_close(mean_square, unit**2)


def test_ten_steps_with_a_wide_scale_are_plain_training():
    plain, wide = MLP(16, 3, (12,), seed=0), MLP(16, 3, (12,), seed=0)
    compand(wide, a=1e4, b=1e4, learnable=False)
    for module in (plain, wide):
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
        for _ in range(10):
            optimizer.zero_grad()
            module(X).square().sum().backward()
            optimizer.step()
    for a, b in zip(plain.layers, wide.layers, strict=True):
        torch.testing.assert_close(a.weight, b.weight, rtol=0, atol=1e-5)


def test_the_last_layers_shape_stays_fixed_unless_asked_for():
    assert set(compander_rate_factors(compand(MLP(4, 2, (8,)), lr_scale=0.2))) == {
        f"layers.0.parametrizations.weight.0.{name}" for name in ("log_a", "log_b")
    }
    learnt = compander_rate_factors(compand(MLP(4, 2, (8,)), learn_last=True, lr_scale=0.2))
    assert len(learnt) == 4
    assert set(learnt.values()) == {0.2}
    assert compander_rate_factors(compand(MLP(4, 2, (8,)), learnable=False)) == {}


def test_groups_give_the_shape_its_own_rate_and_no_decay():
    module = compand(MLP(4, 2, (8,)))
    rest, own = parameter_groups(module, lr=0.1, weight_decay=0.3)
    assert (rest["lr"], rest["weight_decay"]) == (0.1, 0.3)
    assert (own["lr"], own["weight_decay"]) == (pytest.approx(0.01), 0.0)
    compander = module.layers[0].parametrizations.weight[0]
    assert [id(p) for p in own["params"]] == [id(compander.log_a), id(compander.log_b)]
    assert len(rest["params"]) + 2 == len(list(module.parameters()))
    (only,) = parameter_groups(MLP(4, 2, (8,)), lr=0.1)
    assert len(only["params"]) == 4
    torch.optim.SGD([rest, own]).step()


def test_where_and_exclude_choose():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2), nn.Linear(2, 2))
    compand(net, where=nn.Linear, exclude=("bias", "3."))
    assert [name for name, _ in companders(net)] == ["2.parametrizations.weight.0"]
    compand(net[0], exclude=())
    assert len(list(companders(net))) == 3  # its bias too


@pytest.mark.parametrize(
    ("module", "options", "error", "text"),
    [
        (
            nn.ReLU(),
            {},
            ValueError,
            r"weights of Linear, .*; got ReLU without any",
        ),
        (nn.Linear(2, 2), {"init": "he"}, ValueError, "init must be one of .*; got 'he'"),
        (
            nn.Linear(2, 2),
            {"b": 0},
            ValueError,
            r"b must be a .* > 0; got 0\. \(of weight",
        ),
        (
            nn.Linear(2, 2),
            {"init": "rescale", "a": 2.0},
            ValueError,
            "a must be left out for init='rescale', which sets it; got 2.0",
        ),
    ],
)
def test_what_cannot_be_companded_is_named(module, options, error, text):
    with pytest.raises(error, match=text):
        compand(module, **options)


def test_too_small_a_height_names_the_layer_and_the_least_that_will_do():
    module = MLP(4, 2, (8,))
    with torch.no_grad():
        module.layers[1].weight.fill_(0.1)
        module.layers[1].weight[0, 0] = 0.4
    before = copy.deepcopy(module.state_dict())
    unit = module.layers[1].weight.square().mean().sqrt().item()
    least = 0.4 / unit / (torch.pi / 2)
    with pytest.raises(
        ValueError,
        match=rf"a must exceed {least:.4g} for init='inverse', .* layers.1.weight .*; got 1.5",
    ):
        compand(module, a=1.5)
    for name, value in module.state_dict().items():  # nothing was begun
        assert torch.equal(value, before[name])
    compand(module)
    shape = module.layers[1].parametrizations.weight[0]
    assert shape.log_a.exp().item() == pytest.approx(1.5 * least, rel=1e-5)
    assert shape.log_b.item() == shape.log_a.item()


def test_weights_at_the_bound_are_counted():
    layer = nn.Linear(10, 10)
    weight = layer.weight.detach()
    least = float(weight.abs().max() / weight.square().mean().sqrt()) * 2 / torch.pi
    with pytest.warns(UserWarning, match="1 of 100 weights of weight lie at the bound"):
        compand(layer, a=1.0001 * least)


def test_a_weight_is_companded_once():
    module = compand(MLP(4, 2, (8,)))
    with pytest.raises(ValueError, match=r"layers.0.weight is parametrised already. Call bake"):
        compand(module)


def test_shared_and_integer_weights_are_refused():
    tied = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
    tied[1].weight = tied[0].weight
    with pytest.raises(ValueError, match=r"share the weights that are companded; 0\.weight is"):
        compand(tied)
    whole = nn.Linear(2, 2)
    whole.weight = nn.Parameter(torch.ones(2, 2, dtype=torch.int8), requires_grad=False)
    with pytest.raises(TypeError, match=r"got torch.int8. \(of weight\)"):
        compand(whole)
