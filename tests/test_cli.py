import subprocess
import sys
import time

import pytest

from overparam import cli
from overparam.version import __version__

HEAVY = ("torch", "skrub", "pandas", "sklearn", "scipy", "polars")


def command(*arguments):
    script = "from overparam.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True
    )


def test_help_imports_nothing_heavy():
    script = (
        "import sys\nfrom overparam.cli import run\nrun(['--help'])\nrun(['reproduce', '--help'])\n"
        f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "loaded: []"
    assert "reproduce" in out.stdout
    assert "--strict" in out.stdout


def test_the_list_of_papers_imports_no_study():
    script = (
        "import sys\nfrom overparam.cli import run\nrun(['reproduce'])\n"
        "print('loaded:', [name for name in ('torch', 'sklearn') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "loaded: []"
    assert "C1" in out.stdout


def test_help_is_quick():
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        assert command("--help").returncode == 0
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 1.0


def test_the_version():
    assert command("--version").stdout == f"{__version__}\n"


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("ridge must be >= 0;\n got -1."), 2, "ridge must be >= 0; got -1."),
        (TypeError("k must be a number"), 2, "k must be a number"),
        (FileNotFoundError(2, "No such file", "a.csv"), 2, "No such file: 'a.csv'"),
        (ImportError("needs an extra"), 2, "needs an extra"),
        (RuntimeError("bug"), 3, "RuntimeError: bug"),
    ],
)
def test_how_each_error_ends(monkeypatch, capsys, error, code, text):
    def fail(*arguments, **options):
        raise error

    monkeypatch.delenv("OVERPARAM_DEBUG", raising=False)
    monkeypatch.setattr(cli, "app", fail)
    assert cli.run([]) == code
    err = capsys.readouterr().err
    assert text in err
    assert err.startswith("overparam: ")
    assert err.count("\n") == 1


def test_debugging_shows_where(monkeypatch):
    def fail(*arguments, **options):
        raise ValueError("deep")

    monkeypatch.setenv("OVERPARAM_DEBUG", "1")
    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(ValueError, match="deep"):
        cli.run([])


def test_a_reader_that_leaves_is_no_error():
    script = "from overparam.cli import main; main()"
    run = subprocess.Popen(
        [sys.executable, "-c", script, "reproduce"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run.stdout.close()
    assert run.wait(timeout=60) == 0
    assert run.stderr.read() == ""
    run.stderr.close()
