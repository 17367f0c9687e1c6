"""The cells of the finding: pairs, draws, the span of the rows, a net in its own units."""

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from tests.auditing.known_data import blobs, mixed_rows
from tests.auditing.small_plan import small_plan

from overparam.auditing.boundary_cells import (
    balanced,
    c_levels,
    confused_pair,
    flat_share,
    linear_tilt,
    net_boundary,
    row_space,
)
from overparam.data.loading import load
from overparam.diagnostics.deviation_angle import boundary_tilt

SPLIT = {"seed": 0, "index": 0, "repeats": 1}


def test_levels_rise_to_the_default_from_a_tenth_over_the_rows():
    levels = c_levels(600)
    assert levels[-1] == 1
    assert 0.1 <= 600 * levels[0] < 0.1 * 10**0.5
    np.testing.assert_allclose(np.diff(np.log10(levels)), 0.5)


def test_the_confused_pair_is_that_of_the_nearest_centroids():
    X, y = load_digits(return_X_y=True)
    means = np.stack([X[y == k].mean(axis=0) for k in range(10)])
    said = ((X[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    table = np.zeros((10, 10), dtype=int)
    np.add.at(table, (y, said), 1)
    table += table.T
    np.fill_diagonal(table, 0)
    i, j = confused_pair(X, y, 15)
    assert table[i, j] == table.max()


def test_rare_and_equal_classes_are_no_pair():
    X, y = blobs(100, 3, classes=2, distance=1.0)
    assert confused_pair(X, y, 51) is None
    same = np.tile(X[:20], (2, 1))
    assert confused_pair(same, np.repeat([0, 1], 20), 5) is None
    assert confused_pair(np.tile(X[:20], (3, 1)) + np.repeat([0, 0, 3], 20)[:, None],
                         np.repeat([0, 1, 2], 20), 5) == (0, 2)  # fmt: skip


def test_in_the_span_of_the_rows_a_linear_model_is_the_same():
    rng = np.random.default_rng(0)
    X, Z = rng.standard_normal((30, 200)), rng.standard_normal((50, 200))
    X[5] = X[4]  # a rank below the number of rows
    y = np.arange(30) % 2
    A, B = row_space(X, Z)
    assert A.shape == (30, 29)
    np.testing.assert_allclose(A @ A.T, X @ X.T, atol=1e-9)
    whole, small = (LogisticRegression(C=0.1, tol=1e-8).fit(part, y) for part in (X, A))
    np.testing.assert_allclose(whole.decision_function(Z), small.decision_function(B), atol=1e-5)
    angles = [boundary_tilt(m, part, y).deviation_angle for m, part in ((whole, X), (small, A))]
    assert angles[0] == pytest.approx(angles[1], abs=1e-4)
    tall = rng.standard_normal((30, 4)), Z[:, :4]
    assert row_space(*tall)[0] is tall[0]


def test_draws_hold_as_many_rows_of_either_class():
    X, y = blobs(300, 3, classes=3, distance=1.0)
    keep = (y != 2) | (np.cumsum(y == 2) <= 40)
    view = load(X[keep], y[keep]).split(0).train
    for most in (30, 1000):
        drawn = balanced(view, (1, 2), most, 0)
        counts = np.bincount(drawn.y, minlength=3)
        assert counts[0] == 0
        assert counts[1] == counts[2] == min(most // 2, (view.y == 2).sum())


def test_the_flat_share_is_that_of_the_last_hundredth_of_the_variance():
    rng = np.random.default_rng(0)
    y = np.arange(2000) % 2
    X = rng.standard_normal((2000, 3)) * [1.0, 1.0, 0.05]
    model = LogisticRegression().fit(X, y)
    model.coef_ = np.array([[3.0, 0.0, 4.0]])
    assert flat_share(model, X + np.outer(y, [1, 0, 0]), y) == pytest.approx(0.64, abs=0.02)


def test_the_cell_fits_what_a_plain_loop_fits():
    X, y = blobs(400, 6, distance=2.0)
    found = linear_tilt(load(X, y), SPLIT, 100, 15, 2)
    assert found["angle"].shape == found["error"].shape == (2, len(found["c"]))
    assert found["rows"] == 100
    assert found["pair"] == [0, 1]
    split = load(X, y).split(0)
    model = LogisticRegression().fit(split.train.flat, split.train.y)
    held = balanced(split.validation, (0, 1), 2000, 0)
    assert found["validation_rows"] == len(held)
    assert found["error"][:, -1].mean() == pytest.approx(
        1 - model.score(held.flat, held.y), abs=0.05
    )
    # Few rows turn the boundary by the noise of their means.
    assert 0 < found["angle"][:, -1].mean() < 45
    assert 0 <= found["flat"] <= 1


@pytest.mark.parametrize("kind", ["perceptron", "tabular", "convolutional"])
def test_a_nets_boundary_lies_between_the_means(kind):
    if kind == "convolutional":
        digits = load_digits()
        rows = np.isin(digits.target, (0, 1))
        dataset = load(digits.images[rows].astype(np.uint8) * 15, digits.target[rows])
        net = {"net": kind, "width": 4, "epochs": 20}
    else:
        X, y = blobs(400, 4, distance=4.0)
        X *= [1e4, 1e-3, 1.0, 50.0]  # units must not matter
        dataset, net = load(X, y), {"net": kind, "width": 16, "epochs": 30}
    recipe = small_plan(dataset, metric="accuracy", net=net).baseline
    found = net_boundary(dataset, SPLIT, recipe.as_dict(), 60)
    assert found["crossed"] > 40
    assert 0.2 < found["distance"] < 2.5
    assert 0 < found["angle"] < 90


def test_categories_are_left_as_they_are():
    dataset = load(mixed_rows(), "kind")
    recipe = small_plan(dataset, metric="accuracy", net={"net": "tabular", "width": 8}).baseline
    found = net_boundary(dataset, SPLIT, recipe.as_dict(), 40)
    assert found["crossed"] > 0
    assert np.isfinite(found["distance"])
    # A category that goes with the class does not count as a distance of the means.
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    weight = 4.0 * y + rng.standard_normal(400)
    letter = np.array(list("abcdefghijkl"))[rng.integers(0, 6, 400) + 6 * (rng.random(400) < y)]
    beside = load(pl.DataFrame({"weight": weight, "letter": letter, "kind": y.astype(str)}), "kind")
    recipe = small_plan(beside, metric="accuracy", net={"net": "tabular", "width": 16}).baseline
    found = net_boundary(beside, SPLIT, recipe.as_dict(), 60)
    assert found["angle"] == pytest.approx(0, abs=1e-3)
    assert found["distance"] > 0.5
    letters = {name: rng.choice(list("abcdefghijkl"), 300) for name in ("first", "second", "third")}
    kind = np.where(letters["first"] < "g", "low", "high")
    only = load(pl.DataFrame(letters | {"kind": kind}), "kind")
    recipe = small_plan(only, metric="accuracy", net={"net": "tabular", "width": 8}).baseline
    assert net_boundary(only, SPLIT, recipe.as_dict(), 40)["crossed"] == 0
