import os
import signal
import time

import numpy as np
import polars as pl
import pytest

from overparam.evidence import cells
from overparam.evidence.cells import CellsFailed, batched, grid

GRID = "print(cells.run(square, cells.grid(k=list(range(8)))).write_csv())"


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def test_a_grid_becomes_a_table(package, sequential):
    table = cells.run(package.load().square, grid(k=[3, 1, 2]))
    assert table.equals(
        pl.DataFrame({"k": [3, 1, 2], "y": [9, 1, 4], "word": ["k=3", "k=1", "k=2"]})
    )


def test_nothing_is_computed_twice(package, sequential):
    square = package.load().square
    first = cells.run(square, grid(k=[1, 2]))
    assert cells.run(square, grid(k=[1, 2])).equals(first)
    cells.run(square, grid(k=[1, 2, 3]))
    assert package.computed() == {"1": 1, "2": 1, "3": 1}


def test_only_missing_values_of_a_batched_axis_are_computed(package, sequential):
    lines = package.load().lines
    cells.run(lines, grid(k=[1, 2], seed=batched([0, 1])))
    table = cells.run(lines, grid(seed=batched([0, 5, 1, 7]), k=[1, 2]))
    assert package.computed() == {"1:0,1": 1, "2:0,1": 1, "1:5,7": 1, "2:5,7": 1}
    assert table["seed"].to_list() == [0, 0, 5, 5, 1, 1, 7, 7]
    assert table["y"].to_list() == [10, 20, 15, 25, 11, 21, 17, 27]
    assert table["path"].to_list()[3] == [0.0, 5.0, 10.0]


def test_a_value_reached_in_a_batch_is_not_the_value_reached_alone(package, sequential):
    module = package.load()
    cells.run(module.lines, grid(k=[1], seed=batched([0])))
    cells.call(module.lines, k=1, seed=[0])
    assert package.computed() == {"1:0": 2}


def test_a_batched_cell_must_return_one_entry_a_value(package, sequential):
    square = package.load().square
    package.log.write_text("")
    with pytest.raises(CellsFailed, match="must return one entry for each of its 2 values"):
        cells.run(_constant, grid(seed=batched([0, 1])))
    with pytest.raises(
        TypeError, match="arguments must fit square; missing a required argument: 'k'"
    ):
        cells.run(square, grid(q=[1]))


def _constant(seed):
    return {"y": 1.0}


def test_other_cells_finish_when_one_raises(package, sequential):
    careful = package.load().careful
    with pytest.raises(
        CellsFailed, match=r"1 of 4 cells failed, the first: careful\(k=3\)"
    ) as caught:
        cells.run(careful, grid(k=[2, 3, 4, 5]))
    assert caught.value.failures[0].arguments == {"k": "3"}
    table = cells.run(careful, grid(k=[2, 3, 4, 5]), errors="return")
    assert table["y"].to_list() == [2, None, 4, 5]
    assert table["error"].to_list() == [None, "ValueError: three is too many", None, None]
    assert package.computed() == {"2": 1, "3": 2, "4": 1, "5": 1}  # failures are tried again


def test_one_cell_can_be_called(package, sequential):
    square = package.load().square
    first, second = cells.call(square, k=4), cells.call(square, k=4)
    assert first.value == {"y": 16, "word": "k=4"}
    assert (first.cached, second.cached) == (False, True)
    assert first.seconds == second.seconds > 0
    with pytest.raises(CellsFailed, match="three is too many"):
        cells.call(package.load().careful, k=3)


def test_many_cells_keep_their_order(package, sequential):
    results = cells.call_many(package.load().careful, [{"k": k} for k in (5, 3, 4, 5)])
    assert [getattr(r, "value", r) for r in results][0::2] == [{"y": 5}, {"y": 4}]
    assert isinstance(results[1], cells.CellFailure)
    assert package.computed()["5"] == 1


def test_a_damaged_cell_is_computed_again(package, sequential, tmp_path):
    square = package.load().square
    cells.call(square, k=1)
    (path,) = (tmp_path / "store").rglob("*.json")
    path.write_text("{")
    assert cells.call(square, k=1).value["y"] == 1
    assert package.computed() == {"1": 2}


def test_the_meter_charges_cached_cells_what_they_cost(package, sequential):
    square = package.load().square
    with cells.metered() as first:
        cells.run(square, grid(k=[1, 2]))
    with cells.metered() as second:
        cells.run(square, grid(k=[1, 2, 3]))
    assert (first.cells, first.computed) == (2, 2)
    assert (second.cells, second.computed) == (3, 1)
    assert second.seconds > first.seconds > 0


def test_progress_counts_cached_cells_at_once(package, sequential):
    square = package.load().square
    cells.run(square, grid(k=[1, 2]))
    seen = []
    with cells.settings(progress=lambda *event: seen.append(event)):
        cells.run(square, grid(k=[1, 2, 3, 4]), label="squares")
    assert seen == [("squares", done, 4) for done in (2, 3, 4)]


def test_arrays_and_data_are_part_of_the_key(package, sequential):
    lines = package.load().lines
    for k in (np.arange(2), np.arange(3)):
        cells.call(lines, k=1, seed=k)
    assert package.computed() == {"1:0,1": 1, "1:0,1,2": 1}


def test_two_processes_share_a_grid(package):
    runs = [package.start(GRID, seconds=0.15) for _ in range(2)]
    outs = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outs
    assert outs[0][0] == outs[1][0]
    assert package.computed() == {str(k): 1 for k in range(8)}


def test_after_a_kill_only_the_cells_in_flight_are_computed_again(package):
    run = package.start(GRID, seconds=0.4, jobs=1)
    wait_for(lambda: len(package.computed()) >= 3)
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=20)
    before = package.computed()
    out = package.output(GRID)
    assert out.splitlines()[:3] == ["k,y,word", "0,0,k=0", "1,1,k=1"]
    twice = [k for k, n in package.computed().items() if n > 1]
    assert len(before) < 8
    assert len(twice) <= 1
    assert sum(package.computed().values()) == 8 + len(twice)


def test_workers_of_a_killed_run_stop_too(package):
    run = package.start(GRID, seconds=0.4)
    wait_for(lambda: len(package.computed()) >= 3)
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)  # returns when nobody holds the pipes any more
    before = package.computed()
    package.output(GRID)
    assert len(before) < 8
    assert sum(package.computed().values()) - 8 <= 2  # the cell in flight of each worker


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_keeps_what_is_done_and_stops(package, jobs):
    body = f"""
        try:
            {GRID}
        except KeyboardInterrupt:
            print("interrupted")
    """
    run = package.start(body, seconds=0.3, jobs=jobs)
    wait_for(lambda: len(package.computed()) >= 3)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: workers get it too
    out, err = run.communicate(timeout=20)
    assert out == "interrupted\n"
    assert err == ""
    assert run.returncode == 0
    stopped = package.computed()
    time.sleep(0.6)
    assert package.computed() == stopped
    package.output(GRID)
    twice = sum(package.computed().values()) - 8
    assert twice <= jobs


def test_a_changed_function_invalidates_its_cells_and_a_comment_does_not(package):
    square = "print(cells.call(square, k=3).value['y'])"
    assert package.output(square) == "9\n"
    package.write("constants", "# the same\nFACTOR = 1\n")
    assert package.output(square) == "9\n"
    assert package.computed() == {"3": 1}
    package.write("constants", "FACTOR = 2\n")
    assert package.output(square) == "18\n"
    assert package.computed() == {"3": 2}
