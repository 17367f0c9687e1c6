import numpy as np
import torch

from overparam.nets.robust_scaling import SmoothRobustScaling


def test_median_goes_to_zero_and_a_quartile_to_its_share_of_the_spread():
    column = np.arange(101.0)[:, None]  # median 50, quartiles 25 and 75
    y = SmoothRobustScaling(1).fit(column)(torch.tensor([[50.0], [75.0]]))
    assert y[0] == 0.0
    assert torch.isclose(y[1], torch.tensor(0.5 / np.sqrt(1 + (0.5 / 3) ** 2)).float())


def test_an_outlier_is_bounded_moves_nothing_and_keeps_its_order():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(1001, 1))
    spoiled = clean.copy()
    spoiled[np.argmax(clean)] = 1e9
    a, b = SmoothRobustScaling(1).fit(clean), SmoothRobustScaling(1).fit(spoiled)
    assert torch.equal(a.center, b.center)
    assert torch.equal(a.spread, b.spread)
    y = b(torch.tensor([[5.0], [50.0], [5e3]]))
    assert y[0] < y[1] < y[2] <= 3.0


def test_constant_and_mostly_constant_columns_stay_finite():
    rare = np.zeros((100, 2))
    rare[:3, 1] = 8.0  # an indicator: both quartiles are 0
    y = SmoothRobustScaling(2).fit(rare)(torch.as_tensor(rare).float())
    assert torch.equal(y[:, 0], torch.zeros(100))
    assert 1.0 < y[0, 1] < 3.0
