"""The audit's reference jobs: does each keep its budget and its memory?

    python benchmarks/audit.py [--keep FOLDER] [NAME ...]      all of them take about 35 minutes

Each job is the command line with its defaults, in a process of its own with a fresh folder. Then
the same command again, which must recall the finished audit; and once more without that memory, so
that it goes its way through the cells, as after an edit of the package. All three must leave the
same report. Memory is the peak of all its processes together, pages that they share counted once
(Linux's proportional set size, looked at twice a second).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from overparam.auditing.finished import KEPT
from overparam.data.loading import load

JOBS = (
    "digits",
    "breast-cancer",
    "characters",
    "diabetes",
    "fashion-mnist",
    "fashion-mnist-noisy",
    "python-topics",
    "million-rows",
)
BUDGET = 300
WRONG = 0.15  # of the labels of fashion-mnist-noisy


def noisy_images(folder: Path) -> Path:
    """Fashion-MNIST with labels of 15 % of the images replaced by another class."""
    dataset = load("fashion-mnist")
    rng = np.random.default_rng(0)
    y = dataset.y.copy()
    wrong = rng.random(len(y)) < WRONG
    y[wrong] = (y[wrong] + rng.integers(1, 10, wrong.sum())) % 10
    path = folder / "noisy.npz"
    np.savez(path, X=dataset.array, y=np.asarray(dataset.classes)[y])
    return path


def million_rows(folder: Path) -> Path:
    """A mixed table of a million rows whose target is a noisy function of a few columns."""
    rng = np.random.default_rng(0)
    n = 1_000_000
    numbers = rng.standard_normal((n, 8)).round(3)
    city = rng.choice([f"city {i}" for i in range(40)], n)
    score = numbers[:, 0] * numbers[:, 1] + np.sin(2 * numbers[:, 2]) + (city < "city 3")
    frame = pl.DataFrame(
        {f"x{i}": numbers[:, i] for i in range(8)}
        | {"city": city, "bought": score + 0.5 * rng.standard_normal(n) > 0.5}
    )
    path = folder / "million.csv"
    frame.write_csv(path)
    return path


def run(command: list[str]) -> tuple[float, float]:
    """Wall-clock seconds and peak memory in GB of a command and its children."""
    start, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    while True:
        try:
            process.wait(0.5)
            break
        except subprocess.TimeoutExpired:
            peak = max(peak, session_memory(process.pid))
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - start, peak


def session_memory(session: int) -> float:
    """Memory in GB of the processes of a session, shared pages counted once."""
    kilobytes = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session:
                line = (folder / "smaps_rollup").read_text().split("Pss:")[1]
                kilobytes += int(line.split()[0])
        except (OSError, IndexError):  # it has ended meanwhile
            continue
    return kilobytes / 1e6


def main() -> None:
    """Run the jobs that were named, or all."""
    words = sys.argv[1:]
    keep = Path(words.pop(words.index("--keep") + 1)) if "--keep" in words else None
    names = [word for word in words if word != "--keep"] or JOBS
    print(f"{'job':20} {'seconds':>8} {'again':>6} {'cells':>6} {'GB':>5}  recommendation")
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            folder = keep or Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            made = {"million-rows": million_rows, "fashion-mnist-noisy": noisy_images}
            data = str(made[name](folder)) if name in made else name
            command = [sys.executable, "-m", "overparam", "audit", data, "--quiet"]
            command += ["--out", str(folder / name), "--budget", f"{BUDGET}s"]
            if name == "million-rows":
                command += ["--target", "bought"]
            if name == "python-topics":
                command += ["--task", "language"]
            seconds, memory = run(command)
            written = (folder / name / "report.json").read_bytes()
            again, _ = run(command)
            (folder / name / KEPT).unlink()
            cells, _ = run(command)
            if (folder / name / "report.json").read_bytes() != written:
                raise SystemExit(f"{name}: the second report differs from the first")
            report = json.loads(written)
            best = report["recommendation"]
            left_out = sum("budget" in entry["reason"] for entry in report["not_run"])
            print(
                f"{name:20} {seconds:8.0f} {again:6.1f} {cells:6.1f} {memory:5.2f}  "
                f"{best['title']}: {best['metric']} {best['test']:.3f} (best baseline "
                f"{best['best_baseline_test']:.3f}), {left_out} parts left out for lack of time",
                flush=True,
            )


if __name__ == "__main__":
    main()
