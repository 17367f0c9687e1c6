"""The rows drawn, labels made wrong, and what the cells of trained nets give."""

import numpy as np
import pytest
import torch

from overparam.studies import weight_compander_cells as cells

SMALL = {"source": "digits", "n": 100, "held": 50, "test": 200, "widths": (16, 16)}
SMALL |= {"weight_decay": 5e-4, "dropout": 0.0}


def test_a_seeds_rows_are_its_own_and_no_test_rows():
    rows = cells.rows_of((0, 3), "digits", 100, 50, 200, 0.0)
    again = cells.rows_of((3,), "digits", 100, 50, 200, 0.0)
    assert rows.X.shape == (300, 64)
    assert rows.X_test.shape == (200, 64)
    np.testing.assert_array_equal(rows.X[rows.train[1]], again.X[again.train[0]])
    np.testing.assert_array_equal(rows.y[1, rows.validation[1]], again.y[0, again.validation[0]])
    assert not np.array_equal(rows.X[rows.train[0]], rows.X[rows.train[1]])
    tested = {row.tobytes() for row in rows.X_test}
    assert not tested & {row.tobytes() for row in rows.X}
    assert not {*rows.train[0]} & {*rows.validation[0]}
    assert rows.X.std() == pytest.approx(1, abs=0.02)


def test_a_share_of_the_labels_is_drawn_anew():
    right, noisy = (cells.rows_of((0, 1), "digits", 800, 200, 100, noise) for noise in (0.0, 0.2))
    for own in (0, 1):
        places = np.r_[noisy.train[own], noisy.validation[own]]
        wrong = (right.y[own, places] != noisy.y[own, places]).mean()
        assert wrong == pytest.approx(0.18, abs=0.04)  # a tenth comes out right by chance
    np.testing.assert_array_equal(right.y_test, noisy.y_test)


def test_trained_nets_know_digits_and_batching_changes_nothing():
    axes = {**SMALL, "arm": "a=b=0.5", "learning_rate": 0.05, "noise": 0.0, "epochs": 60}
    both = cells.trained([0, 1], **axes)
    alone = cells.trained([1], **axes)
    assert min(both["accuracy"]) > 0.75
    assert min(both["train_accuracy"]) > 0.95
    assert max(both["nll"]) < 1
    for name in ("nll", "validation_nll", "kurtosis@1", "start_near_zero@2", "a@3"):
        assert alone[name][0] == pytest.approx(both[name][1], rel=1e-3)
    assert both["kept@0.5"][0] < both["accuracy"][0]
    assert both["largest@1"][0] < both["start_largest@1"][0] + 0.2


def test_learnt_shapes_move_and_fixed_ones_stay():
    axes = {**SMALL, "learning_rate": 0.05, "noise": 0.2, "epochs": 5}
    learnt = cells.trained([0], arm="learnt from 1", **axes)
    assert learnt["a@1"] != learnt["start_a@1"]
    assert learnt["a@3"] == learnt["start_a@3"]
    fixed = cells.trained([0], arm="a=b=1", **axes)
    assert fixed["b@1"] == fixed["start_b@1"]
    assert "a@1" not in cells.trained([0], arm="plain", **axes)


def test_nets_that_diverged_have_no_score():
    net = torch.nn.Linear(2, 2)
    net.weight.data.fill_(torch.nan)
    found = cells.scores(net, np.ones((3, 2), np.float32), np.zeros(3, int))
    assert np.isnan([found["accuracy"], found["nll"]]).all()


@pytest.mark.parametrize(("source", "loss"), [("diabetes", 0.9), ("breast-cancer", 0.3)])
def test_whole_data_sets_take_the_rate_of_the_validation_rows(source, loss):
    axes = {"source": source, "arm": "a=b=0.5", "widths": (16,), "epochs": 10}
    found = cells.real_data(0, rates=(1e-6, 0.01), **axes)
    assert found["rate"] == 0.01
    assert found["loss"] < loss
    if source == "diabetes":
        assert found["accuracy"] == pytest.approx(1 - found["loss"])
