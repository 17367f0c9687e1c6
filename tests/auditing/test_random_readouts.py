"""Read-outs peak where they have one feature for each row, unless they stop in time."""

import numpy as np

from overparam.auditing.random_readouts import readout_sweep, readouts
from overparam.data.loading import load

SPLIT = {"seed": 0, "index": 0, "repeats": 1}


def noisy_line(n=400, d=10):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)).astype(np.float32)
    return load(X, (X.sum(axis=1) + 2 * rng.standard_normal(n)).astype(float))


def test_the_error_peaks_at_one_feature_a_row():
    found = readout_sweep(noisy_line(), SPLIT, 150, [0.25, 0.5, 1.0, 2.0, 8.0], [0, 1])
    end, best = found["end"].mean(axis=1), found["best"].mean(axis=1)
    assert found["rows"] == 150
    assert end.argmax() == 2
    assert end[2] > 5 * max(end[0], end[-1])
    assert best.max() < 1.05  # in units of the variance: stopped in time nothing is worse than it
    assert (found["best"] <= found["end"] + 1e-9).all()


def test_a_sweep_is_its_runs():
    dataset = noisy_line()
    found = readout_sweep(dataset, SPLIT, 100, [0.5], [3])
    [run], rows = readouts(dataset, SPLIT, 100, 0.5, [3])
    assert rows == 100
    assert found["end"][0, 0] == run.end_mse
