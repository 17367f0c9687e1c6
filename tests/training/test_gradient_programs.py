import pytest
import torch
from torch import nn

from overparam.nets.companding import compand
from overparam.nets.mlp import MLP
from overparam.nets.tabular import TabularNet
from overparam.training.gradient_programs import (
    Differentiated,
    HandWritten,
    OneMember,
    build_program,
)
from overparam.training.stacked_state import StackedState


def foreign(seed):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 2))
    net[3].bias.requires_grad_(False)
    return net.double()


BUILDERS = {
    "mlp": (lambda seed: MLP(4, 2, (6,), seed=seed).double(), HandWritten),
    "tabular": (lambda seed: TabularNet(4, 2, width=8, seed=seed).double(), Differentiated),
    "vmapped": (foreign, Differentiated),
    "one": (foreign, OneMember),
    "companded mlp": (lambda seed: compand(MLP(4, 2, (6,), seed=seed)).double(), Differentiated),
    "companded tabular": (
        lambda seed: compand(TabularNet(4, 2, width=8, seed=seed)).double(),
        Differentiated,
    ),
    "companded vmapped": (lambda seed: compand(foreign(seed)), Differentiated),
}


@pytest.mark.parametrize("kind", BUILDERS)
def test_gradients_and_buffers_are_those_of_separate_modules(kind):
    build, expected = BUILDERS[kind]
    count = 1 if kind == "one" else 3
    nets = [build(seed) for seed in range(count)]
    state = StackedState.from_modules(nets, torch.device("cpu"), torch.float64)
    gradients = torch.full_like(state.vector, 9.0)
    program = build_program(build(0), state, gradients)
    assert type(program) is expected
    x = torch.randn(count, 8, 4, dtype=torch.float64)
    for _ in range(2):  # the second time shows whether the first left anything behind
        logits = program.gradients(x, None, lambda z: 2 * z)
    found = state.layout.views(gradients, count)
    for i, net in enumerate(nets):
        net.train()
        net(x[i])
        net.zero_grad()
        out = net(x[i])
        out.square().sum().backward()
        torch.testing.assert_close(logits[i], out.detach())
        for name in found:
            torch.testing.assert_close(found[name][i], net.get_parameter(name).grad)
        for name, value in net.named_buffers():
            torch.testing.assert_close(state.buffers[name][i], value)
        torch.testing.assert_close(program.logits(x)[i], net.eval()(x[i]).detach())
