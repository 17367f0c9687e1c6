"""Fashion-MNIST with its 60,000 rows and 10 targets, by the NTK of three ReLU layers.

Prints seconds, the peak of memory and test accuracy. One run, two threads by default:

    python benchmarks/kernel_solver.py [--rows 60000] [--threads 2] [--memory 3.8e9]
"""

from __future__ import annotations

import argparse
import os
import resource
import time

import numpy as np
import torch

from overparam.data.loading import load
from overparam.kernels.iterative_ridge import IterativeKernelRidgeClassifier

parser = argparse.ArgumentParser()
parser.add_argument("--rows", type=int, default=60_000)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--memory", type=float, default=3.8e9)
parser.add_argument("--ridge", type=float, default=5e-3)
parser.add_argument("--rank", type=int, default=1000)
parser.add_argument("--tolerance", type=float, default=3e-2)


def main() -> None:
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = load("fashion-mnist")
    X = (data.array.reshape(data.n, -1) / 255).astype(np.float32)
    test = np.zeros(data.n, dtype=bool)
    test[data.test_rows] = True
    train = np.flatnonzero(~test)[: options.rows]
    start = time.perf_counter()

    def progress(what: str, value: float) -> None:
        print(f"{time.perf_counter() - start:7.1f} s  {what} {value:.4g}", flush=True)

    last = [0.0]

    def sparingly(what: str, value: float) -> None:
        if what == "tiles":
            if value < last[0] + 0.1:
                return
            last[0] = value
        progress(what, value)

    model = IterativeKernelRidgeClassifier(
        ridge=options.ridge,
        rank=options.rank,
        tolerance=options.tolerance,
        memory=options.memory,
        progress=sparingly,
    ).fit(X[train], data.y[train])
    fitted = time.perf_counter() - start
    accuracy = np.mean(model.predict(X[test]) == data.y[test])
    total = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(
        f"{len(train)} rows, {options.threads} threads, tiles in {model.storage_}, "
        f"{model.n_iter_} iterations, residual {model.residual_:.1e} "
        f"({'converged' if model.converged_ else 'not converged'}): fit {fitted:.0f} s, "
        f"with test {total:.0f} s, peak {peak:.1f} GB, test accuracy {accuracy:.4f}, "
        f"load average {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
