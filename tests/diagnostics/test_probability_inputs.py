"""The input convention of the metrics."""

import numpy as np
import pytest
import torch

from overparam.diagnostics.probability_inputs import (
    as_array,
    check_labels,
    check_probabilities,
    check_scores,
)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.2, 0.8], r"shape \(n, k\); got shape \(2,\). For two classes stack \[1 - p, p\]"),
        ([[1.0], [1.0]], "at least 2 classes; got 1"),
        ([[0.5, 0.5]], "at least 2 rows; got 1"),
        ([[0.5, 0.5], [np.nan, 1.0]], "must be finite; got .* in row 1"),
    ],
)
def test_scores_outside_the_convention_are_named(scores, message):
    with pytest.raises(ValueError, match=message):
        check_scores(scores)


def test_rows_must_be_distributions():
    with pytest.raises(ValueError, match=r"sum to 1 in every row; got 1\.2 in row 1"):
        check_probabilities([[0.5, 0.5], [0.6, 0.6]])
    with pytest.raises(ValueError, match=r"must not be negative; got -0\.1"):
        check_probabilities([[0.5, 0.5], [-0.1, 1.1]])
    check_probabilities([[0.5, 0.5], [0.50004, 0.5]])  # within the tolerance


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"shape \(3,\)"),
        ([0, 1, 2], "labels 0..1; got values from 0 to 2"),
        ([-1, 0, 1], "got values from -1 to 1"),
        ([0.5, 0.0, 1.0], "integer labels 0..1"),
    ],
)
def test_labels_outside_the_classes_are_named(labels, message):
    with pytest.raises(ValueError, match=message):
        check_labels(labels, 3, 2)


def test_whole_floats_are_labels():
    assert check_labels(np.array([0.0, 1.0]), 2, 2).dtype == np.int64


def test_tensors_are_read_with_their_gradient_left_alone():
    tensor = torch.tensor([[0.25, 0.75]], requires_grad=True)
    np.testing.assert_array_equal(as_array(tensor), [[0.25, 0.75]])
