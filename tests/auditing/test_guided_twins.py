"""The twins of a cell differ by their guide alone; when one reaches the other's best."""

import numpy as np
from tests.auditing.small_plan import small_plan

from overparam.auditing.guided_twins import epochs_to_best, fit_twins
from overparam.auditing.net_cells import fit_nets
from overparam.data.loading import load


def test_epochs_are_counted_from_one_and_infinite_where_never():
    plain = np.array([[3.0, 1.0, 2.0], [3.0, 2.0, 1.0]])
    guided = np.array([[0.5, 2.0, 2.0], [3.0, 2.0, 1.1]])
    best, reached = epochs_to_best(plain, guided)
    assert best.tolist() == [2, 3]
    assert reached.tolist() == [1, np.inf]


def test_the_plain_twin_is_the_net_without_a_guide():
    rng = np.random.default_rng(0)
    dataset = load(rng.integers(0, 255, (120, 6, 6)).astype(np.uint8), np.arange(120) % 3)
    net = {"net": "perceptron", "width": 8, "epochs": 4, "guided_steps": 5}
    recipe = small_plan(dataset, metric="accuracy", net=net).baseline
    split = {"seed": 0, "index": 0, "repeats": 1}
    found = fit_twins(dataset, split, recipe.as_dict(), [0, 1])
    plain = fit_nets(dataset, split, recipe.but(guided_steps=0).as_dict(), [0, 1])
    np.testing.assert_array_equal(found["plain"], plain["validation"])
    assert np.abs(found["guided"] - found["plain"]).max() > 1e-3
    assert found["guided_held"].shape == found["plain_held"].shape == (2, 4)
    assert np.isfinite(found["guided_held"]).all()
