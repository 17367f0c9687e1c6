import pytest
import torch
from torch import nn

from overparam.training.optimizers import (
    HyperParameters,
    StackedOptimizer,
    check_decay,
    resolve_optimizer,
)
from overparam.training.stacked_state import StackedState

RATES, DECAYS, MOMENTA = (0.1, 0.02, 0.1), (0.0, 0.3, 0.0), (0.9, 0.0, 0.9)


def torchs(name, row, i, factor):
    group = {"params": list(row), "lr": RATES[i] * factor, "weight_decay": DECAYS[i]}
    if name in ("sgd", "nesterov"):
        nesterov = name == "nesterov" and MOMENTA[i] > 0  # without momentum torch refuses
        return torch.optim.SGD([group], momentum=MOMENTA[i], nesterov=nesterov)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]([group])


def stack(count):
    torch.manual_seed(0)
    nets = [nn.Linear(3, 2).double() for _ in range(count)]
    return nets, StackedState.from_modules(nets, torch.device("cpu"), torch.float64)


@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 2]], ids=["different", "equal"])
@pytest.mark.parametrize("name", ["sgd", "nesterov", "adam", "adamw"])
def test_each_member_moves_as_under_torchs_optimizer(name, rows):
    nets, state = stack(len(rows))
    gradients = torch.zeros_like(state.vector)
    numbers = HyperParameters(RATES, DECAYS, MOMENTA).take(rows)
    ours = StackedOptimizer(name, state, gradients, numbers)
    theirs = [torchs(name, net.parameters(), i, 0.5) for net, i in zip(nets, rows, strict=True)]
    for _ in range(6):
        for block_name, block in state.layout.views(gradients, len(rows)).items():
            block.normal_()
            for net, g in zip(nets, block, strict=True):
                net.get_parameter(block_name).grad = g.clone()
        ours.step(0.5)
        for optimizer in theirs:
            optimizer.step()
    for i, net in enumerate(nets):
        for block_name, p in net.named_parameters():
            torch.testing.assert_close(
                state.parameters[block_name][i], p.detach(), rtol=1e-12, atol=1e-12
            )


@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 2]], ids=["different", "equal"])
@pytest.mark.parametrize("name", ["sgd", "nesterov", "adam", "adamw"])
def test_a_named_parameter_moves_at_its_own_rate(name, rows):
    """A gradient of ones: the first update is the rate (and the decay), parameter by parameter."""
    nets, state = stack(len(rows))
    numbers = HyperParameters(RATES, DECAYS, MOMENTA).take(rows)
    gradients = torch.ones_like(state.vector)
    ours = StackedOptimizer(name, state, gradients, numbers, {"weight": 0.25})
    ours.step(0.5)
    for i, net in zip(rows, nets, strict=True):
        for leaf, factor in (("weight", 0.25), ("bias", 1.0)):
            parameter = net.get_parameter(leaf)
            parameter.grad = torch.ones_like(parameter)
            torchs(name, [parameter], i, 0.5 * factor).step()
            torch.testing.assert_close(
                state.parameters[leaf][rows.index(i)], parameter.detach(), rtol=1e-12, atol=1e-12
            )


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_members_that_stay_keep_their_averages(name):
    numbers = HyperParameters(RATES, DECAYS, MOMENTA)
    (_, whole), (_, cut) = stack(3), stack(3)
    grads, cut_grads = torch.zeros_like(whole.vector), torch.zeros_like(cut.vector)
    alone = StackedOptimizer(name, whole, grads, numbers)
    leaving = StackedOptimizer(name, cut, cut_grads, numbers)
    for step in range(1, 6):
        if step == 3:
            cut = cut.take([0, 2])
            cut_grads = torch.zeros_like(cut.vector)
            leaving.keep([0, 2], cut, cut_grads)
        for name_, block in whole.layout.views(grads, 3).items():
            block.normal_()
            own = cut.layout.views(cut_grads, len(cut))[name_]
            own.copy_(block if len(cut) == 3 else block[[0, 2]])
        alone.step(1.0)
        leaving.step(1.0)
    for name_, block in cut.parameters.items():
        torch.testing.assert_close(block, whole.parameters[name_][[0, 2]])


@pytest.mark.parametrize("name", ["nesterov", "adamw"])
def test_a_named_parameter_decays_by_its_own_share(name):
    """No gradient: what moves, moves by decay."""
    _, state = stack(2)
    before = {leaf: value.clone() for leaf, value in state.parameters.items()}
    numbers = HyperParameters((0.1, 0.2), (0.3, 0.3), (0.0, 0.0))
    gradients = torch.zeros_like(state.vector)
    StackedOptimizer(name, state, gradients, numbers, decay_factors={"bias": 0.5}).step(1.0)
    for leaf, share in (("weight", 1.0), ("bias", 0.5)):
        for i, rate in enumerate((0.1, 0.2)):
            kept = 1 - rate * 0.3 * share
            torch.testing.assert_close(state.parameters[leaf][i], kept * before[leaf][i])


def test_an_unknown_name_is_named():
    with pytest.raises(
        ValueError, match=r"optimizer must be one of \['sgd', 'nesterov', 'adam', 'adamw'\]"
    ):
        resolve_optimizer("lion")


@pytest.mark.parametrize("decayed", ["all", "matrices"])
def test_without_gradients_matrices_shrink_by_the_rates_alone(decayed):
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    nn.init.normal_(module[1].weight)
    state = StackedState.from_modules([module], torch.device("cpu"), torch.float64)
    before = {name: value.clone() for name, value in state.parameters.items()}
    numbers = HyperParameters((3e-3,), (30.0,), (0.0,))
    optimizer = StackedOptimizer(
        "adamw", state, torch.zeros_like(state.vector), numbers, decayed=decayed
    )
    factors, shrunk = (1.0, 0.7, 0.2), 1.0
    for factor in factors:
        optimizer.step(factor)
        shrunk *= 1 - 3e-3 * factor * 30.0
    for name, value in state.parameters.items():
        kept = 1.0 if decayed == "matrices" and value.dim() == 2 else shrunk
        torch.testing.assert_close(value, kept * before[name])


def test_a_decay_that_turns_weights_around_is_refused():
    check_decay("adamw", [3e-2, 1e-3], [10.0, 30.0])
    check_decay("sgd", [1.0], [2.0])
    with pytest.raises(ValueError, match=r"learning_rate \* weight_decay must be below 1.*got 1.2"):
        check_decay("adamw", [3e-2], [40.0])
    with pytest.raises(ValueError, match=r"got 1\.2"):
        check_decay("adamw", [3e-2], [10.0], factor=4.0)
