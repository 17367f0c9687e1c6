import pytest
import torch
from torch import nn

from overparam.nets.mlp import MLP

OPTIONS = [
    {},
    {"widths": ()},
    {"widths": (7,), "activation": "gelu"},
    {"layer_norm": True, "activation": "silu"},
    {"residual": True, "widths": (5, 9, 9, 4)},
    {"residual": True, "layer_norm": True, "widths": (9, 9, 9), "activation": "tanh"},
    {"residual": True, "layer_norm": True, "dropout": 0.4, "widths": (9, 9), "activation": "elu"},
    {"dropout": 0.3, "activation": torch.sin},
]


def members(options, count=3):
    return [MLP(5, 4, **{"widths": (8, 6), **options}, seed=s).double() for s in range(count)]


def stacked(nets):
    return {
        name: torch.stack([dict(net.named_parameters())[name].detach() for net in nets])
        for name, _ in nets[0].named_parameters()
    }


def masks_of(net, members, batch, generator):
    if not net.mask_units:
        return None
    keep = 1 - net.dropout
    shape = (members, batch, net.mask_units)
    return (torch.rand(shape, generator=generator, dtype=torch.float64) < keep).double() / keep


@pytest.mark.parametrize("options", OPTIONS)
def test_stacked_members_are_the_separate_networks(options):
    nets = members(options)
    x = torch.randn(3, 11, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours = nets[0].stacked_forward(stacked(nets), x)
    for i, net in enumerate(nets):
        torch.testing.assert_close(ours[i], net.eval()(x[i]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_hand_written_backward_pass_is_autograds(options):
    nets = members(options)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 11, 5, dtype=torch.float64, generator=generator)
    masks = masks_of(nets[0], 3, 11, generator)
    state = stacked(nets)
    leaves = {name: value.clone().requires_grad_() for name, value in state.items()}
    logits = nets[0].stacked_forward(leaves, x, masks)
    logits.exp().sum().backward()
    out = {name: torch.full_like(value, float("nan")) for name, value in state.items()}
    with torch.no_grad():
        ours = nets[0].stacked_gradients(state, out)(x, masks, torch.exp)
    torch.testing.assert_close(ours, logits)
    for name, leaf in leaves.items():
        torch.testing.assert_close(out[name], leaf.grad, rtol=1e-10, atol=1e-10)


def test_masks_act_where_dropout_acts():
    net = MLP(5, 2, widths=(6, 4), dropout=0.5, seed=0)
    state = {name: p.detach()[None] for name, p in net.named_parameters()}
    dropped = torch.ones(1, 3, 10)
    dropped[..., 6:] = 0.0  # every unit of the second layer: only the last bias is left
    logits = net.stacked_forward(state, torch.randn(1, 3, 5), dropped)
    torch.testing.assert_close(logits[0], net.layers[-1].bias.expand(3, 2))


def test_it_is_the_plain_network_that_everybody_writes():
    net = MLP(4, 3, widths=(7, 5), seed=0)
    plain = nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))
    plain.load_state_dict(dict(zip(plain.state_dict(), net.state_dict().values(), strict=True)))
    x = torch.randn(6, 4)
    assert torch.equal(net(x), plain(x))


def test_the_seed_alone_fixes_the_weights():
    torch.manual_seed(1)
    first = MLP(4, 3, seed=7).state_dict()
    torch.manual_seed(2)
    again = MLP(4, 3, seed=7).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(MLP(4, 3, seed=8).layers[0].weight, first["layers.0.weight"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"widths": (4, 0)}, r"widths must be integers >= 1; got 3, 2 and \(4, 0\)"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\); got 1.0"),
    ],
)
def test_mistakes_are_named(options, text):
    with pytest.raises(ValueError, match=text):
        MLP(3, 2, **options)
