"""The overlap of a split's classes is that of its training rows."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.net_cells import SplitKey
from overparam.auditing.overlap_cell import overlap
from overparam.data.loading import load
from overparam.diagnostics.neighbour_overlap import nearest_disagreement


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_it_is_twice_the_disagreement_of_neighbours_in_training(noise):
    dataset = load(*blobs(200, 3, distance=1.0))
    key = SplitKey(0)
    found = overlap(dataset, key.as_dict(), noise, seed=0)
    train = key.of(dataset).train
    differs = nearest_disagreement(train.flat, train.y)
    assert found["value"] == pytest.approx(2 * np.mean(differs) - 2 * noise)
    assert found["low"] < found["value"] < found["high"]
