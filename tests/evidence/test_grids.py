import pytest

from overparam.evidence.grids import batched, fixed, grid


def test_sequences_are_crossed_and_everything_else_is_constant():
    made = grid(k=[2, 8], noise=(0.0, 0.5), depth=range(2), n=100, widths=fixed((64, 64)))
    assert len(made.crossed()) == 8
    assert made.crossed()[:2] == [
        {"k": 2, "noise": 0.0, "depth": 0},
        {"k": 2, "noise": 0.0, "depth": 1},
    ]
    assert made.constants == {"n": 100, "widths": (64, 64)}


@pytest.mark.parametrize("names", [["k", "seed"], ["seed", "k"], ["k", "seed", "m"]])
def test_rows_run_over_all_axes_in_the_order_given(names):
    axes = {"k": [2, 8, 32], "m": ["a", "b"], "seed": batched([5, 6, 7, 8])}
    made = grid(**{name: axes[name] for name in names})
    points = made.crossed()
    rows = [
        tuple({**points[place], "seed": made.axes["seed"][member]}[name] for name in names)
        for place, member in made.order()
    ]
    expected = [()]
    for name in names:
        expected = [(*row, value) for row in expected for value in made.axes[name]]
    assert rows == expected


def test_a_grid_without_axes_is_one_cell():
    assert grid(n=3).crossed() == [{}]
    assert grid(n=3).order() == [(0, 0)]


def test_two_batched_axes_and_empty_axes_are_refused():
    with pytest.raises(ValueError, match="only one axis may be batched; got 'a' and 'b'"):
        grid(a=batched([1]), b=batched([2]))
    with pytest.raises(ValueError, match="axis 'k' must have at least one value; got none"):
        grid(k=[])
