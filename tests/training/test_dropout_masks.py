import numpy as np
import pytest
import torch

from overparam.training.dropout_masks import DropoutMasks

LIKE = torch.zeros(0, dtype=torch.float64)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_units_are_kept_at_the_rate_and_scaled_to_mean_one(rate):
    masks = DropoutMasks([0], 500, rate).draw(400, LIKE)
    assert masks.unique().tolist() == pytest.approx([0.0, 1 / (1 - rate)], rel=1e-4)
    error = np.sqrt(rate / (1 - rate) / masks.numel())  # standard error of the mean
    assert abs(float(masks.mean()) - 1) < 4 * error


def test_members_draw_alone_and_keep_their_streams():
    both, second = DropoutMasks([3, 8], 6, 0.5), DropoutMasks([8], 6, 0.5)
    assert torch.equal(both.draw(9, LIKE)[1], second.draw(9, LIKE)[0])
    both.keep([1])
    assert torch.equal(both.draw(9, LIKE), second.draw(9, LIKE))
