"""A small package on disk whose cells write a line to a log each time they are computed."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CELLS = '''
"""Cells of the tests."""
import os
import signal
import time

import numpy as np

from {name}.method import scaled


def _log(line):
    with open(os.environ["CELL_LOG"], "a") as log:
        log.write(f"{{line}}\\n")
    time.sleep(float(os.environ.get("CELL_SECONDS", "0")))


def square(k):
    """Squares."""
    _log(k)
    return {{"y": scaled(k), "word": f"k={{k}}"}}


def lines(k, seed):
    _log(f"{{k}}:{{','.join(map(str, seed))}}")
    return {{"y": [10 * k + s for s in seed], "path": np.outer(seed, np.arange(3.0))}}


def careful(k):
    _log(k)
    if k == 3:
        raise ValueError("three is too many")
    if k == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return {{"y": k}}


def threads(k):
    from threadpoolctl import threadpool_info

    most = max((pool["num_threads"] for pool in threadpool_info()), default=1)
    return {{"most": most, "told": os.environ.get("OMP_NUM_THREADS", "nothing")}}
'''

METHOD = '''
from {name}.constants import FACTOR


def scaled(k):
    """Square it."""
    return FACTOR * k**2
'''


class CellPackage:
    """The package, its log, and processes that run it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.store = folder / "store"
        self.log = folder / "log"
        self.write("__init__", "")
        self.write("constants", "FACTOR = 1\n")
        self.write("method", METHOD)
        self.write("cells", CELLS)

    def write(self, module: str, text: str) -> Path:
        path = self.folder / self.name / f"{module}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("{{", "\0").replace("{name}", self.name)
                        .replace("\0", "{").replace("}}", "}"))  # fmt: skip
        return path

    def load(self, module: str = "cells"):
        return importlib.import_module(f"{self.name}.{module}")

    def computed(self) -> Counter[str]:
        """How often each cell was computed."""
        return Counter(self.log.read_text().splitlines() if self.log.exists() else [])

    def start(self, body: str, *, seconds: float = 0.0, jobs: int = 2) -> subprocess.Popen[str]:
        """Start a process that runs `body` with the package's cells and overparam's."""
        script = textwrap.dedent(
            f"""
            from overparam.evidence import cells
            from {self.name}.cells import *
            with cells.settings(store={str(self.store)!r}, jobs={jobs}, progress=False):
            """
        ) + textwrap.indent(textwrap.dedent(body), "    ")
        environment = {
            **os.environ,
            "CELL_LOG": str(self.log),
            "CELL_SECONDS": str(seconds),
            "PYTHONPATH": os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")]),
        }
        environment.pop("OMP_NUM_THREADS", None)
        return subprocess.Popen(
            [sys.executable, "-c", script],
            env=environment,
            start_new_session=True,  # a process group of its own, as a shell gives it
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def output(self, body: str, **options: float) -> str:
        """Return what such a process prints."""
        process = self.start(body, **options)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return out


@pytest.fixture
def package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[CellPackage]:
    name = f"cellpkg_{abs(hash(request.node.nodeid)) % 10**8}"
    made = CellPackage(name, tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("CELL_LOG", str(made.log))
    yield made
    for module in [m for m in sys.modules if m.split(".")[0] == name]:
        del sys.modules[module]


@pytest.fixture
def sequential(tmp_path: Path) -> Iterator[Callable[..., object]]:
    from overparam.evidence.cell_settings import settings

    with settings(store=tmp_path / "store", backend="sequential", progress=False):
        yield settings
