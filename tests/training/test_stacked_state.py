import pytest
import torch
from torch import nn

from overparam.training.stacked_state import Layout, StackedState

CPU = torch.device("cpu")


def modules(count=3):
    torch.manual_seed(0)
    nets = [
        nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, 2)) for _ in range(count)
    ]
    for net in nets:
        net[2].bias.requires_grad_(False)
        net[1].running_mean.normal_()
    return nets


def test_parameters_are_aligned_views_of_rows():
    layout = Layout.of(modules(1)[0])
    assert {name: start for name, (start, _) in layout.slots.items()} == {
        "0.weight": 0,
        "0.bias": 16,
        "1.weight": 32,
        "1.bias": 48,
        "2.weight": 64,
    }
    state = StackedState.from_modules(modules(), CPU, torch.float32)
    state.matrix[1, 16] = 7.0
    assert state.parameters["0.bias"][1, 0] == 7.0


def test_members_go_in_and_out_unchanged():
    nets = modules()
    state = StackedState.from_modules(nets, CPU, torch.float32)
    assert set(state.buffers) == {
        "2.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
    }
    fresh = modules(1)[0]
    state.load_into(fresh, 2)
    for name, value in nets[2].state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value)


def test_take_copies_and_put_writes_back_by_row():
    state = StackedState.from_modules(modules(), CPU, torch.float32)
    before = state.matrix.clone()
    part = state.take([2, 0])
    part.matrix.zero_()
    part.buffers["1.running_mean"].zero_()
    assert torch.equal(state.matrix, before)
    state.put([2, 0], part)
    assert torch.equal(state.matrix[1], before[1])
    assert not state.matrix[[0, 2]].any()
    assert not state.buffers["1.running_mean"][[0, 2]].any()
    assert state.buffers["1.running_mean"][1].any()


def test_two_architectures_are_refused():
    with pytest.raises(ValueError, match="one architecture; got other parameters for member 1"):
        StackedState.from_modules([nn.Linear(3, 2), nn.Linear(4, 2)], CPU, torch.float32)


def test_a_module_without_parameters_is_refused():
    with pytest.raises(ValueError, match="a module with trainable parameters"):
        StackedState.from_modules([nn.ReLU()], CPU, torch.float32)
