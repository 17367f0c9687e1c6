"""`overparam audit`: its files, its exit codes, its one-line errors.

Where no signal is sent, it runs in this process, which has already imported what is heavy.
"""

import json
import os
import signal
import time

import numpy as np
import polars as pl
import pytest
from tests.auditing.known_data import blobs, flipped
from tests.auditing.small_plan import plan_ahead

from overparam.auditing.baselines import NAMES
from overparam.auditing.options import Options
from overparam.cli import run
from overparam.data.loading import load

FEW = {"width": 8, "epochs": 8}
ONLY = ("OP003", "OT003")
# Boosting is stopped by the clock: with time enough two computations of it are the same.
AMPLE = {"baseline_seconds": dict.fromkeys(NAMES["classification"], 60.0)}


@pytest.fixture
def inside(overparam, monkeypatch, capsys):
    """The command line in this process: its exit code, stdout and stderr."""
    monkeypatch.chdir(overparam.folder)

    def command(*words):
        code = run(words)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


@pytest.fixture
def houses(overparam):
    """A small table in the folder in which the command runs."""
    X, y = blobs(120, 3, distance=3.0)
    path = overparam.folder / "houses.csv"
    pl.DataFrame({"x0": X[:, 0], "x1": X[:, 1], "price": y}).write_csv(path)
    return path


def quick(overparam, path, target, out, **changes):
    """Command-line words of an audit that takes seconds, and its plan in the folder `out`."""
    only = changes.pop("only", ONLY)
    options = Options(target=target, only=only, **changes.pop("options", {}))
    plan_ahead(overparam.folder / out, load(str(path), target), options, **{"net": FEW, **changes})
    words = ["--target", target, "--out", out, "--backend", "sequential", "--jobs", "1"]
    return ["audit", str(path), *words, "--only", ",".join(only)]


def test_it_leaves_its_files_and_says_where(overparam, inside, houses):
    words = quick(overparam, houses, "price", "out")
    code, out, err = inside(*words)
    assert code == 0
    assert "120 labelled rows" in out.splitlines()[0]
    assert "classification; --task overrides" in out.splitlines()[0]
    assert len(out.splitlines()) <= 26
    for part in ("report.html", "report.json", "rows.csv", "plan.json", "model/model.json"):
        assert (overparam.folder / "out" / part).is_file()
    assert "Traceback" not in err
    # The same command again: the same report, computed by nobody.
    first = (overparam.folder / "out" / "report.json").read_bytes()
    assert inside(*words)[0] == 0
    assert (overparam.folder / "out" / "report.json").read_bytes() == first
    # Another option is refused by name, until --fresh.
    code, out, err = inside(*words, "--seed", "1")
    assert (code, out) == (2, "")
    assert err.strip() == (
        "overparam: out must not hold an audit with other options; in out seed was 0, now 1. "
        "Choose another --out, or --fresh to start over."
    )


def test_quiet_prints_nothing_and_fail_on_decides_the_exit_code(overparam, inside, houses):
    X, y = blobs(300, 6, distance=3.0)
    noisy = overparam.folder / "noisy.csv"
    table = pl.DataFrame({f"x{i}": X[:, i] for i in range(6)} | {"y": flipped(y, 0.3)[0]})
    table.write_csv(noisy)
    words = [*quick(overparam, noisy, "y", "out"), "--quiet"]
    assert inside(*words) == (0, "", "")
    report = json.loads((overparam.folder / "out" / "report.json").read_text())
    [finding] = report["findings"]
    assert finding["outcome"] == "issue"
    for level in ("issue", "tip"):
        assert inside(*words, "--fail-on", level)[0] == 1


def test_fail_on_does_not_count_what_is_fine(overparam, inside):
    X, y = blobs(300, 2, distance=9.0)
    clear = overparam.folder / "clear.csv"
    pl.DataFrame({"x0": X[:, 0], "x1": X[:, 1], "y": y}).write_csv(clear)
    words = quick(overparam, clear, "y", "out", only=("OP005",), net={"width": 32, "epochs": 40})
    code, _, _ = inside(*words, "--fail-on", "tip", "--quiet")
    [finding] = json.loads((overparam.folder / "out" / "report.json").read_text())["findings"]
    assert (code, finding["outcome"]) == (0, "fine")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--target", "prize"], "'prize'. Did you mean 'price'?"),
        (["--target", "price", "--budget", "soon"], "budget must be a time such as 90s, 5m or"),
        (["--target", "price", "--only", "OP9"], "only must name codes such as OP001 or ids; got"),
        (["--target", "price", "--out", "houses.csv"], "out must be a folder; got the file"),
        (["--target", "price", "--metric", "speed"], "metric must be one of accuracy"),
        (["--target", "price", "--fail-on", "sorrow"], "sorrow"),
        (["--target", "price", "--tarte"], "tarte"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(overparam, houses, inside, words, text):
    code, out, err = inside("audit", "houses.csv", *words)
    assert (code, out) == (2, "")
    assert err.startswith("overparam: ")
    assert text in err
    assert len(err.splitlines()) == 1
    assert not (overparam.folder / "overparam-houses").exists()


def test_no_such_file_is_a_mistake(overparam, inside):
    code, _, err = inside("audit", "nowhere.csv", "--target", "y")
    assert code == 2
    assert "nowhere.csv" in err
    assert len(err.splitlines()) == 1


def test_a_part_that_fails_is_reported_with_the_rest_and_exit_code_3(overparam, inside, houses):
    # A plan whose nets cannot be built: every baseline still stands.
    words = quick(overparam, houses, "price", "out")
    path = overparam.folder / "out" / "plan.json"
    plan = json.loads(path.read_text())
    plan["baseline"]["width"] = -1
    path.write_text(json.dumps(plan))
    code, _, err = inside(*words)
    assert code == 3
    assert "overparam: failed: seed-noise: " in err
    report = json.loads((overparam.folder / "out" / "report.json").read_text())
    assert [f["outcome"] for f in report["findings"]] == ["not_run"]
    assert len(report["baselines"]) == len(NAMES["classification"])


def cells(folder):
    return sorted(p for p in (folder / "out" / ".cells").rglob("*.safetensors"))


def started(overparam, words, n):
    """The process, once it has stored n cells."""
    process = overparam.start(*words)
    end = time.monotonic() + 60
    while len(cells(overparam.folder)) < n and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    return process


def test_interrupted_it_exits_with_130_and_keeps_what_was_done(overparam, houses):
    words = quick(overparam, houses, "price", "out", replicas=40)
    process = started(overparam, words, 5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1].startswith("overparam: interrupted; what is done is kept")
    assert len(cells(overparam.folder)) >= 5


@pytest.mark.slow
def test_killed_in_the_middle_the_same_command_goes_on(overparam, houses):
    words = quick(overparam, houses, "price", "out", replicas=40, **AMPLE)
    process = started(overparam, words, 6)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    before = {p: p.stat().st_mtime_ns for p in cells(overparam.folder)}
    assert len(before) >= 6
    assert not (overparam.folder / "out" / "report.json").exists()
    assert overparam(*words)[0] == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before  # nothing is computed twice
    resumed = json.loads((overparam.folder / "out" / "report.json").read_text())

    undisturbed = quick(overparam, houses, "price", "whole", replicas=40, **AMPLE)
    assert overparam(*undisturbed)[0] == 0
    whole = json.loads((overparam.folder / "whole" / "report.json").read_text())
    assert resumed["findings"][0]["statistic"] == whole["findings"][0]["statistic"]
    for part in ("verdict_line", "summary", "data", "plan"):
        assert resumed[part] == whole[part]
    for mine, theirs in zip(resumed["baselines"], whole["baselines"], strict=True):
        assert (mine["name"], mine["validation"]) == (theirs["name"], theirs["validation"])
    assert np.allclose(
        [t["difference"] for t in resumed["treatments"]],
        [t["difference"] for t in whole["treatments"]],
    )
