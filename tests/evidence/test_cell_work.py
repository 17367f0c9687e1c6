import dataclasses

import pytest

from overparam.evidence import cells, source_closure
from overparam.evidence.cell_work import one_thread, work


def task(package, tmp_path, k=2):
    module = package.load()
    with cells.settings(store=tmp_path / "store"):
        return cells._task(module.square, source_closure.digest(module.square), {"k": k}, {"k": k})


def test_work_is_done_once(package, tmp_path):
    made = task(package, tmp_path)
    assert [work(made, wait=False).state for _ in range(2)] == ["done", "done"]
    assert package.computed() == {"2": 1}


def test_a_cell_that_another_holds_is_busy(package, tmp_path):
    made = task(package, tmp_path)
    with made.store.lock(made.group):
        assert work(made, wait=False).state == "busy"
    assert package.computed() == {}


def test_other_code_than_the_starters_is_refused(package, tmp_path):
    made = dataclasses.replace(task(package, tmp_path), source="other")
    failure = work(made, wait=True).failure
    assert "has other code here than where the run was started" in failure.error
    assert package.computed() == {}


def test_a_failure_tells_inputs_error_and_place(package, tmp_path):
    module = package.load()
    made = dataclasses.replace(task(package, tmp_path, k=3), function=module.careful)
    failure = work(made, wait=True).failure
    assert failure.arguments == {"k": "3"}
    assert failure.error == "ValueError: three is too many"
    assert "in careful" in failure.traceback
    assert str(failure).endswith("(k=3): ValueError: three is too many")


def test_the_lock_is_free_after_a_failure(package, tmp_path):
    made = dataclasses.replace(task(package, tmp_path, k=3), function=package.load().careful)
    work(made, wait=True)
    with made.store.lock(made.group).acquire(timeout=0):
        pass


def test_no_lock_file_is_left_beside_a_finished_cell(package, tmp_path):
    made = task(package, tmp_path)
    work(made, wait=True)
    assert [p.suffix for p in made.store.path(made.group).parent.iterdir()] == [".json"]


@pytest.mark.parametrize("given", [2, 1])
def test_libraries_hold_one_thread_meanwhile_and_the_old_number_after(given):
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(given)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == given
    finally:
        torch.set_num_threads(before)
