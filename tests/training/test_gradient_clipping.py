"""Each member's gradient is clipped by its own norm, as PyTorch does it for one network."""

import numpy as np
import pytest
import torch

from overparam.training.callbacks import LiveStack
from overparam.training.gradient_clipping import ClipGradients


def stack_of(gradients):
    members = np.arange(len(next(iter(gradients.values()))))
    return LiveStack(members, {}, gradients, {}, 0, 0, torch.zeros(len(members)))


@pytest.mark.parametrize("members", [1, 3])
def test_members_are_clipped_alone(members):
    generator = torch.Generator().manual_seed(0)
    shapes = {"a": (4, 3), "b": (5,)}
    scale = torch.tensor([3.0, 0.01, 1.0])[:members]
    gradients = {
        name: torch.randn(members, *shape, generator=generator) * scale.view(-1, *[1] * len(shape))
        for name, shape in shapes.items()
    }
    expected = []
    for i in range(members):
        alone = [torch.zeros(shape) for shape in shapes.values()]
        for p, g in zip(alone, gradients.values(), strict=True):
            p.grad = g[i].clone()
        torch.nn.utils.clip_grad_norm_(alone, 1.0)
        expected.append([p.grad for p in alone])
    small = gradients["a"][-2].clone() if members > 1 else None
    ClipGradients(1.0).before_update(stack_of(gradients))
    for i in range(members):
        for found, wanted in zip(gradients.values(), expected[i], strict=True):
            torch.testing.assert_close(found[i], wanted, rtol=1e-5, atol=1e-7)
    if members > 1:
        assert torch.equal(gradients["a"][1], small)  # short ones stay to the bit


def test_a_gradient_of_zero_stays():
    gradients = {"a": torch.zeros(2, 3)}
    ClipGradients().before_update(stack_of(gradients))
    assert torch.equal(gradients["a"], torch.zeros(2, 3))


@pytest.mark.parametrize("norm", [0, -1, float("inf"), float("nan")])
def test_bad_norms_are_named(norm):
    with pytest.raises(ValueError, match="max_norm must be a number > 0; got"):
        ClipGradients(norm)
