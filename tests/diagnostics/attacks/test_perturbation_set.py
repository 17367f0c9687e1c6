"""Ball and bounds together."""

import pytest
import torch

from overparam.diagnostics.attacks.perturbation_set import PerturbationSet
from overparam.training.attack_steps import row_norms


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    "box", [None, (0.0, 1.0), (torch.zeros(5), torch.ones(5)), (0.0, torch.ones(5))]
)
def test_whatever_comes_in_both_hold(norm, box):
    g = torch.Generator().manual_seed(0)
    x = torch.rand(40, 5, generator=g, dtype=torch.float64)
    allowed = PerturbationSet(x, norm, 0.3, box)
    for at in (x + torch.randn(x.shape, generator=g), allowed.random_point(g)):
        near = allowed.nearest(at)
        assert row_norms(near - x, norm).max() <= 0.3 * (1 + 1e-12)
        assert box is None or 0 <= near.min() <= near.max() <= 1
        torch.testing.assert_close(allowed.nearest(near), near)
        kept = torch.arange(40) % 3 == 0
        assert torch.equal(allowed.only(kept).nearest(at[kept]), near[kept])
    assert torch.equal(PerturbationSet(x, norm, 0.0, box).nearest(x + 1), x)
