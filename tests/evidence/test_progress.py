import os
import pty
import subprocess
import sys

import pytest

from overparam.evidence import progress as module
from overparam.evidence.progress import progress


def test_a_call_of_ones_own_gets_every_step():
    seen = []
    with progress(lambda *event: seen.append(event), "train", 4, 1) as tick:
        tick(2)
        tick(4)
    assert seen == [("train", 1, 4), ("train", 2, 4), ("train", 4, 4)]


@pytest.mark.parametrize(("chosen", "done"), [(False, 0), (True, 4)])
def test_silence_is_silent_and_so_is_a_finished_grid(capsys, monkeypatch, chosen, done):
    monkeypatch.setattr(module, "_FIRST_LINE", 0.0)
    with progress(chosen, "train", 4, done) as tick:
        tick(3)
    assert capsys.readouterr() == ("", "")


def test_lines_are_sparse_and_tell_the_time_left(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 20.0, 41.0, 90.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with progress(True, "train", 10, 2) as tick:
        for now in (3, 4, 5, 6, 10):
            tick(now)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "train: 4 of 10 cells, about 30 s left",  # 2 cells in 10 s, 6 left
        "train: 6 of 10 cells, about 41 s left",
    ]


def test_a_terminal_gets_a_bar():
    script = (
        "import time\n"
        "from overparam.evidence.progress import progress\n"
        "with progress(True, 'train', 4, 1) as tick:\n"
        "    tick(3); time.sleep(0.3)\n"
    )
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen([sys.executable, "-c", script], stderr=child, env=environment)
    os.close(child)
    shown = b""
    try:
        while chunk := os.read(parent, 4096):
            shown += chunk
    except OSError:  # the other end closed
        pass
    os.close(parent)
    assert process.wait() == 0
    assert b"train" in shown
    assert b"3/4" in shown
