"""Local optima: certified, each configuration tried once, bad starts named."""

import itertools
import math

import numpy as np
import pytest

from overparam.search.coordinate_descent import locally_optimal

GRIDS = {"rate": [1, 2, 3, 4, 5], "decay": [0.1, 0.2, 0.4, 0.8], "epochs": [8, 16, 32]}


@pytest.mark.parametrize("seed", range(30))
def test_no_neighbour_is_lower_and_nothing_is_tried_twice(seed):
    rng = np.random.default_rng(seed)
    points = list(itertools.product(*GRIDS.values()))
    losses = dict(zip(points, rng.random(len(points)), strict=True))
    tried = []

    def evaluate(at):
        tried.append(tuple(at.values()))
        return losses[tried[-1]]

    start = {name: values[rng.integers(len(values))] for name, values in GRIDS.items()}
    found = locally_optimal(evaluate, start, GRIDS)
    assert len(tried) == len(set(tried)) == len(found.evaluated)
    assert found.value == losses[tuple(found.configuration.values())]
    expected = set()
    for name, values in GRIDS.items():
        i = values.index(found.configuration[name])
        beside = [j for j in (i - 1, i + 1) if 0 <= j < len(values)]
        expected |= {tuple({**found.configuration, name: values[j]}.values()) for j in beside}
        assert (name in found.at_edge) == (len(beside) < 2)
    assert {tuple(at.values()) for at, _ in found.neighbours} == expected
    assert all(losses[tuple(at.values())] == value for at, value in found.neighbours)
    assert all(value >= found.value for _, value in found.neighbours)


def test_a_bowl_is_walked_to_its_bottom_without_looking_everywhere():
    found = locally_optimal(
        lambda at: (at["rate"] - 4) ** 2 + abs(at["decay"] - 0.4) + (at["epochs"] - 16) ** 2,
        {"rate": 1, "decay": 0.1, "epochs": 8},
        GRIDS,
    )
    assert found.configuration == {"rate": 4, "decay": 0.4, "epochs": 16}
    assert found.at_edge == ()
    assert len(found.evaluated) < 20 < 60


def test_a_run_that_diverged_is_never_chosen():
    found = locally_optimal(
        lambda at: math.nan if at["rate"] > 2 else -at["rate"], {"rate": 3}, {"rate": [1, 2, 3, 4]}
    )
    assert found.configuration == {"rate": 2}
    assert {at["rate"]: v for at, v in found.neighbours} == {1: -1, 3: math.inf}


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"rate": 1}, r"start must have the coordinates of grids; got \['rate'\]"),
        (
            {"rate": 9, "decay": 0.1, "epochs": 8},
            r"start must lie on its grid: rate in \[1, 2, 3, 4, 5\]; got 9",
        ),
    ],
)
def test_bad_starts_are_named(start, message):
    with pytest.raises(ValueError, match=message):
        locally_optimal(lambda at: 0.0, start, GRIDS)
