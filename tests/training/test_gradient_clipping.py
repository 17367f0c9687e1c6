"""Each member's gradient is clipped by its own norm, as PyTorch does it for one network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from overparam.training.ensemble import Ensemble
from overparam.training.gradient_clipping import ClipGradients


class Recorded(ClipGradients):
    """Clips what it is shown in place of the gradients of a run."""

    def __init__(self, max_norm, shown):
        super().__init__(max_norm)
        self.shown = shown

    def before_update(self, stack):
        super().before_update(replace(stack, gradients=self.shown))


def clip(gradients, max_norm=1.0):
    """Clip gradients (members, ...) inside a step of an ensemble of as many members."""
    members = len(next(iter(gradients.values())))
    ensemble = Ensemble(lambda d, k, seed: nn.Linear(d, k), range(members), 2, 2, plan="stacked")
    callback = Recorded(max_norm, gradients)
    ensemble.fit(np.zeros((4, 2)), np.zeros(4, int), steps=1, callbacks=[callback])


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
    clip(gradients)
    for i in range(members):
        for found, wanted in zip(gradients.values(), expected[i], strict=True):
            torch.testing.assert_close(found[i], wanted, rtol=1e-5, atol=1e-7)
    if members > 1:
        assert torch.equal(gradients["a"][1], small)  # short ones stay to the bit


def test_a_gradient_of_zero_stays():
    gradients = {"a": torch.zeros(2, 3)}
    clip(gradients)
    assert torch.equal(gradients["a"], torch.zeros(2, 3))


@pytest.mark.parametrize("norm", [0, -1, float("inf"), float("nan")])
def test_bad_norms_are_named(norm):
    with pytest.raises(ValueError, match="max_norm must be a number > 0; got"):
        ClipGradients(norm)
