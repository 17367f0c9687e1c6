"""The schedule in slices, and what the cells of trained networks give."""

import numpy as np
import pytest

from overparam.studies import data_diet_cells as cells
from overparam.training.schedules import cosine


def test_networks_start_with_hes_weights_and_no_biases():
    net = cells.he((400, 300))(100, 10, 0)
    weights = [p for p in net.parameters() if p.dim() == 2]
    biases = [p for p in net.parameters() if p.dim() == 1]
    for weight in weights[:2]:
        assert weight.std().item() == pytest.approx(np.sqrt(2 / weight.shape[1]), rel=0.05)
    assert all((bias == 0).all() for bias in biases)


def test_a_slice_of_the_schedule_is_the_schedule():
    late = cells.slice_of_cosine(2, 5, 7)
    assert [late(step, 3) for step in range(4)] == [cosine(14 + step, 35) for step in range(4)]


def test_training_in_two_slices_fits_as_training_at_once():
    data = cells.images("digits", 200, 0)
    whole, halves = (cells.fresh(data, (16,), [3]) for _ in range(2))
    cells.train(whole, data, 20, length=40)
    cells.train(halves, data, 10, length=40)
    cells.train(halves, data, 10, length=40, first=10)
    # The order of the rows differs, and momentum starts anew; both end where the rows are fitted.
    for net in (whole, halves):
        logits = net.predict_logits(data.X)
        assert logits.shape == (1, 200, 10)
        assert (logits[0].argmax(axis=1) == data.y).mean() > 0.9


def test_repetitions_share_no_member():
    seeds = [cells.members_of(seed, 10, stream) for seed in range(3) for stream in range(2)]
    assert len(set(np.ravel(seeds))) == 60
