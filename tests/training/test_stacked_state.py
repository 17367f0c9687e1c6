import pytest
import torch
from torch import nn

from overparam.training.stacked_state import StackedState

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


def test_parameters_are_contiguous_aligned_views_of_one_vector():
    state = StackedState.from_modules(modules(), CPU, torch.float32)
    assert list(state.parameters) == ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight"]
    starts = [(p.data_ptr() - state.vector.data_ptr()) // 4 for p in state.parameters.values()]
    assert starts == [0, 48, 64, 80, 96]  # 45 weights and 15 biases, padded to 16s
    assert all(p.is_contiguous() for p in state.parameters.values())
    state.vector[48 + 5] = 7.0
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


def test_take_copies_and_put_writes_back_by_member():
    state = StackedState.from_modules(modules(), CPU, torch.float32)
    before = {name: value.clone() for name, value in state.tensors().items()}
    part = state.take([2, 0])
    for name, value in part.tensors().items():
        assert torch.equal(value, before[name][[2, 0]])
        value.zero_()
    assert all(torch.equal(value, before[name]) for name, value in state.tensors().items())
    state.put([2, 0], part)
    for name, value in state.tensors().items():
        assert torch.equal(value[1], before[name][1])
        assert not value[[0, 2]].any()


def test_a_parameter_without_dimensions_is_one_number_a_member():
    nets = modules()
    for i, net in enumerate(nets):
        net.register_parameter("gain", nn.Parameter(torch.tensor(float(i))))
    state = StackedState.from_modules(nets, CPU, torch.float32)
    assert state.parameters["gain"].tolist() == [0.0, 1.0, 2.0]
    assert state.take([2, 1]).parameters["gain"].tolist() == [2.0, 1.0]
    state.parameters["gain"][1] = torch.nan
    assert state.finite().tolist() == [True, False, True]


def test_finite_finds_the_member_that_is_not():
    state = StackedState.from_modules(modules(), CPU, torch.float32)
    state.parameters["1.weight"][1, 3] = float("inf")
    assert state.finite().tolist() == [True, False, True]


def test_two_architectures_are_refused():
    with pytest.raises(ValueError, match="one architecture; got other parameters for member 1"):
        StackedState.from_modules([nn.Linear(3, 2), nn.Linear(4, 2)], CPU, torch.float32)


def test_a_module_without_parameters_is_refused():
    with pytest.raises(ValueError, match="a module with trainable parameters"):
        StackedState.from_modules([nn.ReLU()], CPU, torch.float32)
