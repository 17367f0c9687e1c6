"""Scores come from nets that have just begun; parts of the rows are members of one ensemble."""

import numpy as np
from tests.auditing.known_data import blobs, flipped

from overparam.auditing.diet_cells import early_scores, pruned_nets
from overparam.auditing.net_cells import SplitKey, views
from overparam.auditing.recipes import Recipe
from overparam.data.loading import load

RECIPE = Recipe("perceptron", 16, rows=10_000, epochs=20, batch_size=32, learning_rate=1e-2)
SPLIT = SplitKey(0).as_dict()


def test_wrong_labels_have_the_highest_scores():
    X, y = blobs(600, 5, distance=7.0)
    noisy, wrong = flipped(y, 0.1)
    found = early_scores(
        load(X, noisy), SPLIT, RECIPE.but(epochs=3, schedule="constant").as_dict(), [0, 1]
    )
    assert found["el2n"].shape == found["rows"].shape
    assert ((found["el2n"] >= 0) & (found["el2n"] <= np.sqrt(2))).all()
    count = int(wrong[found["rows"]].sum())
    hardest = found["rows"][np.argsort(-found["el2n"])[:count]]
    assert wrong[hardest].mean() > 0.9


def test_parts_are_trained_alone_and_all_rows_last():
    X, y = blobs(400, 5, distance=7.0)
    dataset = load(X, y)
    fitted, _, validation = views(dataset, SplitKey(0), RECIPE.rows)
    # The "hardest" quarter is of one class only: its net knows nothing else.
    scores = (fitted.y == 1) + 0.0
    found = pruned_nets(dataset, SPLIT, RECIPE.as_dict(), scores, [0.25], 0.0, 0)["right"]
    assert found.shape == (3, len(validation))
    np.testing.assert_array_equal(found[0], validation.y == 1)
    assert (found[1:].mean(axis=1) > 0.95).all()


def test_the_very_hardest_are_left_out_where_asked():
    X, y = blobs(400, 5, distance=7.0)
    dataset = load(X, y)
    fitted, _, validation = views(dataset, SplitKey(0), RECIPE.rows)
    scores = (fitted.y == 1) + 0.0  # half of the rows
    found = pruned_nets(dataset, SPLIT, RECIPE.as_dict(), scores, [0.25], 0.55, 0)["right"]
    np.testing.assert_array_equal(found[0], validation.y == 0)
