import numpy as np
import pytest
from sklearn.datasets import load_digits

from overparam.diagnostics import pruning_curve as module
from overparam.diagnostics.pruning_curve import PruningCurve, pruning_curve
from overparam.nets.mlp import MLP

X, Y = load_digits(return_X_y=True)
X = ((X - X.mean()) / X.std()).astype(np.float32)


def small(d, k, seed):
    return MLP(d, k, (32,), seed=seed)


def test_random_rows_beat_rows_of_two_classes():
    """Scores that keep two classes only: the curve must show what that costs."""
    scores = np.isin(Y, (0, 1)) + 1e-6 * np.arange(len(Y))
    curve = pruning_curve(
        small, X[:1200], Y[:1200], scores[:1200], (X[1200:], Y[1200:]), kept=(0.2,), steps=150
    )
    np.testing.assert_array_equal(curve.kept, [0.2, 1.0])
    assert curve.scored.shape == curve.random.shape == (2, 3)
    assert (curve.scored[0] < 0.45).all()
    assert (curve.random[0] > 0.7).all()
    np.testing.assert_array_equal(curve.scored[1], curve.random[1])
    assert curve.droppable == 0


def test_members_train_on_their_rows_for_equal_steps(monkeypatch):
    seen = {}

    def caught(factory, X, y, subsets, seeds, held_out, k, *, steps, **recipe):
        seen.update(subsets=subsets, seeds=seeds, steps=steps, recipe=recipe)
        return np.arange(len(seeds), dtype=float)

    monkeypatch.setattr(module, "accuracy_of_subsets", caught)
    scores = np.random.default_rng(0).random(100)
    held_out = (X[:5], Y[:5])
    curve = pruning_curve(
        small,
        X[:100],
        Y[:100],
        scores,
        held_out,
        kept=(0.5, 0.95),
        drop_top=0.1,
        seeds=(4, 9),
        steps=7,
        batch_size=20,
    )
    assert [len(rows) for rows in seen["subsets"]] == [50] * 4 + [95] * 4 + [100] * 2
    assert seen["seeds"] == [4, 4, 9, 9, 4, 4, 9, 9, 4, 9]
    order = np.argsort(scores)
    np.testing.assert_array_equal(seen["subsets"][0], np.sort(order[40:90]))
    np.testing.assert_array_equal(seen["subsets"][4], np.sort(order[:95]))  # no room for a tenth
    assert set(seen["subsets"][1]) != set(seen["subsets"][3])  # the twin's rows go with the seed
    assert curve.scored.tolist() == [[0, 2], [4, 6], [8, 9]]
    assert curve.random.tolist() == [[1, 3], [5, 7], [8, 9]]


def test_droppable_is_within_one_standard_error_of_all_rows():
    full = [0.90, 0.92, 0.94]  # standard error 0.0115
    close, far = [0.91, 0.91, 0.91], [0.90, 0.90, 0.90]
    random = np.zeros((3, 3))
    kept = np.array([0.3, 0.6, 1.0])
    assert PruningCurve(kept, np.array([far, close, full]), random).droppable == pytest.approx(0.4)
    assert PruningCurve(kept, np.array([close, far, full]), random).droppable == pytest.approx(0.7)
    assert PruningCurve(kept, np.array([far, far, full]), random).droppable == 0
    assert PruningCurve(kept, np.array([[0.9], [0.9], [0.9]]), random[:, :1]).droppable == 0


def test_scores_of_another_length_are_named():
    with pytest.raises(ValueError, match=r"scores must be 10 numbers, one a row; got shape \(9,\)"):
        pruning_curve(small, X[:10], Y[:10], np.zeros(9), (X[:5], Y[:5]), steps=1)
