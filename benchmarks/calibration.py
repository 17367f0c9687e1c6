"""Calibration errors against netcal and torchmetrics; temperature scaling against two solvers.

One thread for everybody. The errors first agree to 1e-12 (netcal) and 1e-6 (torchmetrics works in
float32), fitted temperatures to 1e-5; `--quick` runs fewer pairs and the small size only.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from importlib.metadata import version

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import sklearn
import torch
from sklearn.calibration import _TemperatureScaling
from torchmetrics.functional.classification import multiclass_calibration_error

from overparam.diagnostics.calibration_error import ace, ece, mce
from overparam.diagnostics.temperature import TemperatureScaling, softmax
from race import race

try:
    import netcal.metrics as netcal
except ImportError:
    netcal = None

CLASSES, BINS = 10, 15


def over_confident(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits four times too large (the optimum is T = 4), and labels."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((n, CLASSES))
    y = (rng.random(n)[:, None] > softmax(logits).cumsum(axis=1)).sum(axis=1)
    return 4.0 * logits, y


def lbfgs(logits: np.ndarray, y: np.ndarray) -> Callable[[], float]:
    """What one writes with torch, run to convergence: L-BFGS on log T with a line search."""
    scores, labels = torch.tensor(logits), torch.tensor(y)

    def fit() -> float:
        log_T = torch.zeros((), dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [log_T],
            max_iter=100,
            tolerance_grad=1e-9,
            tolerance_change=1e-12,
            line_search_fn="strong_wolfe",
        )

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            value = torch.nn.functional.cross_entropy(scores / log_T.exp(), labels)
            value.backward()
            return value

        optimizer.step(loss)
        return float(log_T.detach().exp())

    return fit


def race_errors(n: int, pairs: int) -> None:
    logits, y = over_confident(n)
    probs = softmax(logits)
    tensors = torch.tensor(probs), torch.tensor(y)
    for ours, name, norm in ((ece, "ECE", "l1"), (mce, "MCE", "max"), (ace, "ACE", None)):
        title = f"{name}, n = {n:,}, over"
        if netcal is None:
            print(f"{title} netcal skipped; pip install --no-deps netcal")
        else:
            peer = getattr(netcal, name)(BINS)
            race(
                lambda ours=ours: ours(probs, y),
                lambda peer=peer: peer.measure(probs, y),
                agree={"rtol": 0, "atol": 1e-12},
                pairs=pairs,
                name=f"{title} netcal",
            )
        if norm is not None:
            race(
                lambda ours=ours: ours(*tensors),
                lambda norm=norm: multiclass_calibration_error(
                    *tensors, num_classes=CLASSES, n_bins=BINS, norm=norm
                ),
                agree={"rtol": 0, "atol": 1e-6 if n <= 10_000 else 1e-5},  # its float32 sums
                pairs=pairs,
                name=f"{title} torchmetrics",
            )


def race_fits(n: int, pairs: int) -> None:
    logits, y = over_confident(n)
    peers = {
        "torch L-BFGS": lbfgs(logits, y),
        "scikit-learn": lambda: 1 / _TemperatureScaling().fit(logits, y).beta_,
    }
    for name, peer in peers.items():
        race(
            lambda: TemperatureScaling().fit(logits, y).temperature_,
            peer,
            agree={"rtol": 1e-5},
            pairs=pairs,
            name=f"temperature, n = {n:,}, over {name}",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small size, 7 pairs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = ["numpy", "torch", "torchmetrics", *(["netcal"] if netcal else [])]
    found = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"{platform.machine()}, {found}, scikit-learn {sklearn.__version__}; {CLASSES} classes")
    for n in [2_000] if options.quick else [2_000, 100_000]:
        pairs = 7 if options.quick else 25
        race_errors(n, pairs)
        race_fits(n, pairs)


if __name__ == "__main__":
    main()
