"""The command line in a process of its own, with the tests' study in place of a paper's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START = """
from overparam.studies import discovery
from tests.studies import tiny_study
found = discovery.load_study
discovery.load_study = lambda slug: tiny_study.study if slug == "tiny" else found(slug)
from overparam.cli import main
main()
"""


class CommandLine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        paths = [str(ROOT / "src"), str(ROOT)]
        return subprocess.Popen(
            [sys.executable, "-c", START, *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "OVERPARAM_CACHE": str(self.folder / "cache"),
                "COLUMNS": "120",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=90)
        return process.returncode, out, err


@pytest.fixture
def overparam(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)
