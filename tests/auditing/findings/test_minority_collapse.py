"""A class too small for the weight decay that suits the others is found; equal classes are not."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotApplicable
from overparam.auditing.findings.minority_collapse import (
    DECAYS,
    MOST_ROWS,
    collapses,
    minority_collapse_finding,
)
from overparam.data.loading import load
from overparam.diagnostics.small_classes import minority_collapse
from overparam.evidence.verdict import Verdict

SPLIT = {"seed": 0, "index": 0, "repeats": 1}


def one_small_class(n=1000, d=200, small=9):
    """Two large classes that overlap, so that weight decay helps, and a small one far from both."""
    X, y = blobs(n, d, distance=2.5)
    rng = np.random.default_rng(1)
    third = rng.standard_normal((small, d)).astype(np.float32)
    third[:, 2] += 3
    return np.vstack([X, third]), np.append(y, np.full(small, 2))


def test_a_class_switched_off_by_the_best_decay_is_an_issue(make_context):
    answer = minority_collapse_finding(make_context(*one_small_class()))
    assert answer.resolved_outcome == "issue"
    assert answer.evidence.verdict is Verdict.HOLDS
    assert answer.extra["collapsed"] == ["2"]
    assert "classes are switched off: 2 (5 rows)." in answer.headline
    assert answer.extra["lifting_decay"] < answer.extra["weight_decay"]
    assert set(answer.pictures) == {"layers", "before", "after"}


def test_the_decay_that_is_told_lifts_the_class():
    dataset = load(*one_small_class())
    found = collapses(dataset, SPLIT, MOST_ROWS, [DECAYS[-1]], [0])
    told = minority_collapse(found["outputs"][0, 0], found["sizes"], DECAYS[-1])
    lifted = collapses(dataset, SPLIT, MOST_ROWS, [told.lifting_decay], [0])
    assert found["outputs"][0, 0, 2] < 0.1
    assert lifted["outputs"][0, 0, 2] > 0.5


def test_equal_classes_are_fine(make_context):
    answer = minority_collapse_finding(make_context(*blobs(400, 20, classes=4, distance=6.0)))
    assert answer.resolved_outcome == "fine"
    assert answer.evidence.statistic.value > 0.5
    assert answer.extra["collapsed"] == answer.extra["at_risk"] == []
    assert answer.action == "Weight decay of this size needs no care for small classes."


def test_the_cell_measures_what_it_says():
    dataset = load(*blobs(300, 10, classes=3, distance=6.0))
    found = collapses(dataset, SPLIT, MOST_ROWS, [0.005, 0.06], [0, 1])
    assert found["outputs"].shape == found["recall"].shape == (2, 2, 3)
    assert (found["outputs"][0] > found["outputs"][1]).all()  # decay shrinks every class
    assert found["rows"] == found["sizes"].sum()
    assert (np.diff(found["nc1"][:, -1]) < 0).all()  # deeper layers have collapsed further
    off = ~np.eye(3, dtype=bool)
    assert found["frame_after"][off].max() < 0.5 < found["frame_before"][off].min()


def test_labels_that_nothing_fits_are_not_applicable(make_context):
    X, y = np.zeros((200, 3), dtype=np.float32), np.arange(200) % 2
    X[:, 0], X[:, 1] = np.arange(200) // 100, np.arange(200) % 7
    with pytest.raises(NotApplicable, match="does not fit its training labels"):
        minority_collapse_finding(make_context(X, y))


def test_numbers_and_few_rows_are_not_applicable(make_context):
    X, y = blobs(100, 3, distance=3.0)
    with pytest.raises(NotApplicable, match="only classes can be switched off"):
        minority_collapse_finding(make_context(X, y + np.linspace(0, 0.5, 100)))
    with pytest.raises(NotApplicable, match="too few training rows"):
        minority_collapse_finding(make_context(*blobs(60, 3, distance=3.0), net={"epochs": 2}))
