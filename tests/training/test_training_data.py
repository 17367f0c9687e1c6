import numpy as np
import pytest
import torch

from overparam.training.training_data import (
    as_counts,
    as_features,
    as_numbers,
    as_targets,
    as_weights,
)

CPU, F64 = torch.device("cpu"), torch.float64


def targets(y, *, n=4, members=2, k=3, loss="cross_entropy"):
    return as_targets(y, "y", n, members, k, loss, CPU, F64)


def test_targets_are_gathered_by_member_and_row():
    members, rows = torch.tensor([1, 0]), torch.tensor([[3, 0], [1, 1]])
    shared = targets([0, 1, 2, 0])
    assert shared.at(members, rows).tolist() == [[0, 0], [1, 1]]
    own = targets([[0, 1, 2, 0], [1, 1, 1, 2]])
    assert own.at(members, rows).tolist() == [[2, 1], [1, 1]]
    soft = targets(np.arange(24.0).reshape(2, 4, 3))
    assert soft.at(members, rows)[0, 0].tolist() == [21.0, 22.0, 23.0]


def test_labels_become_one_hot_where_the_loss_wants_numbers():
    assert targets([0, 1, 2, 0], loss="squared").values[1].tolist() == [0.0, 1.0, 0.0]
    one = targets([5, 7, 9, 0], k=1, loss="huber")
    assert one.values.shape == (4, 1)
    assert not one.labels


def test_weights_have_mean_one_over_the_rows_that_count():
    w = as_weights([[0, 1, 3, 0], [2, 2, 2, 2]], "weights", 4, 2, CPU, F64)
    assert w.tolist() == [[0.0, 0.5, 1.5, 0.0], [1.0] * 4]
    assert as_weights([1, 0, 1, 0], "weights", 4, 2, CPU, F64).shape == (2, 4)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: as_features([[0.0], [np.nan]], "X", CPU, F64),
            "X must be finite; got NaN or infinity, first in row 1",
        ),
        (
            lambda: as_features([1.0, 2.0], "X", CPU, F64),
            r"X must have shape \(n, ...\).*got \(2,\)",
        ),
        (
            lambda: as_features(np.zeros((2, 3)), "X", CPU, F64, torch.Size([4])),
            r"X must have rows of shape \(4,\), as in fit; got \(3,\)",
        ),
        (lambda: targets([0, 1, 2]), r"y must have one label per row, shape \(4,\).*got \(3,\)"),
        (lambda: targets([0, 1, 2, 3]), r"y must have labels in 0 .. 2 for n_outputs=3; got 3"),
        (lambda: targets([0, 1, -1, 2]), "y must have labels in 0 .. 2 .*; got -1"),
        (lambda: targets([0.5, 1, 1, 2]), "y must be integer labels or soft targets"),
        (lambda: targets(np.zeros((4, 2))), r"y must have shape \(4, 3\) or .*; got \(4, 2\)"),
        (
            lambda: targets([np.inf, 1.0, 1.0, 2.0], k=1, loss="squared"),
            "y must be finite; got NaN or infinity",
        ),
        (
            lambda: as_weights(np.ones((3, 4)), "weights", 4, 2, CPU, F64),
            r"weights must have shape \(2, 4\); got \(3, 4\)",
        ),
        (
            lambda: as_weights([1, 1, -2, 1], "weights", 4, 2, CPU, F64),
            "weights must be finite and >= 0; got -2",
        ),
        (
            lambda: as_weights([[1, 1, 1, 1], [0, 0, 0, 0]], "weights", 4, 2, CPU, F64),
            "weights must leave each member a row; got none for member 1",
        ),
        (
            lambda: as_numbers([1, 2, 3], "momentum", 2, 0, 1),
            r"momentum must be a number or 2 numbers, one a member; got shape \(3,\)",
        ),
        (
            lambda: as_numbers(1.5, "momentum", 2, 0, 1),
            r"momentum must be finite and in \[0, 1\]; got 1.5",
        ),
        (
            lambda: as_numbers([1, np.inf], "learning_rate", 2, 0, np.inf),
            "learning_rate must be finite and >= 0; got inf",
        ),
        (lambda: as_counts(epochs=0), "epochs must be an integer >= 1; got 0"),
        (lambda: as_counts(steps=1.5), "steps must be an integer >= 1; got 1.5"),
    ],
)
def test_mistakes_are_named(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_large_finite_features_pass():
    X = np.full((4, 2), 3e38, dtype=np.float32)  # their sum overflows, they do not
    assert as_features(X, "X", CPU, torch.float32).shape == (4, 2)


def tokens_in(X):
    return as_features(X, "X", torch.device("cpu"), torch.float32, tokens=True)


def test_tokens_stay_the_integers_that_they_are_and_are_not_copied():
    X = np.arange(12, dtype=np.uint8).reshape(3, 4)
    found = tokens_in(X)
    assert found.dtype == torch.uint8
    X[0, 0] = 9
    assert found[0, 0] == 9
    with pytest.raises(ValueError, match="X must hold tokens, which are integers; got"):
        tokens_in(np.zeros((3, 4)))


@pytest.mark.parametrize(
    ("shape", "per_member"), [((5,), False), ((2, 5), True), ((5, 4), False), ((2, 5, 4), True)]
)
def test_labels_may_stand_at_every_place_of_a_row(shape, per_member):
    y = np.arange(np.prod(shape)).reshape(shape) % 3
    device = torch.device("cpu")
    found = as_targets(y, "y", 5, 2, 3, "cross_entropy", device, torch.float32, (4,))
    assert found.per_member == per_member
    rows = torch.tensor([[1, 2], [0, 4]])
    taken = found.at(torch.arange(2), rows)
    for member in range(2):
        own = y[member] if per_member else y
        np.testing.assert_array_equal(taken[member], own[rows[member]])
    assert taken.dtype == torch.int64


def test_labels_at_other_places_are_named():
    with pytest.raises(ValueError, match=r"or one a token, \(5, 4\); got \(5, 3\)"):
        as_targets(
            np.zeros((5, 3), int), "y", 5, 2, 3, "cross_entropy", torch.device("cpu"),
            torch.float32, (4,),
        )  # fmt: skip


def test_targets_of_a_function_may_have_any_shape():
    args = ("y", 5, 2, 3, lambda z, t: z.sum(-1), torch.device("cpu"), torch.float32)
    assert not as_targets(np.zeros((5, 6)), *args).per_member
    assert as_targets(np.zeros((2, 5, 6)), *args).per_member
    with pytest.raises(ValueError, match=r"y must have shape \(5, 3\)"):
        as_targets(np.zeros((4, 6)), *args)
