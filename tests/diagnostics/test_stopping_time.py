"""When to stop on one's own data: known teachers, real data, ends, and what is refused."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from overparam.diagnostics.stopping_time import overtraining
from overparam.theory.learning_dynamics import optimal_stopping


def teacher(n, d, noise, seed=0, held=2000):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n + held, d))
    y = X @ rng.standard_normal(d) / np.sqrt(d) + noise * rng.standard_normal(n + held)
    return X[:n], y[:n], (X[n:], y[n:])


def test_the_predicted_time_is_that_of_the_theory():
    n, d, noise = 600, 400, 0.5
    X, y, held_out = teacher(n, d, noise)
    found = overtraining(X, y, held_out=held_out)
    # X X^T has entries of variance 1, not 1/d: time runs d times as fast.
    time, mse = optimal_stopping(n / d, 1 / noise**2)
    assert found.predicted_time * d == pytest.approx(time, rel=0.25)
    assert found.regret < 0.01
    # One teacher: |w|^2 and the variance of y scatter by 7 and 6 %.
    assert found.best_mse == pytest.approx(mse / (1 + noise**2), rel=0.2)
    assert found.ridge / d == pytest.approx(noise**2, rel=0.25)


def test_with_more_columns_than_rows_the_noise_is_still_found():
    """Were the mean of y counted as one more row, the likelihood would send the noise to 0."""
    X, y, held_out = teacher(80, 400, 1.0)
    found = overtraining(X, y, held_out=held_out)
    assert not found.noise_free
    assert 0.1 < found.predicted_time / found.best_time < 10


def test_overtraining_is_seen_and_said_at_as_many_columns_as_rows():
    X, y, held_out = teacher(200, 200, 0.7)
    found = overtraining(X, y, held_out=held_out)
    assert found.cost > 10
    assert found.headline.startswith("Training to the end costs ")
    assert f"stop at t = {found.predicted_time:.3g}" in found.headline
    assert f"use ridge {found.ridge:.3g}" in found.headline


def test_with_many_rows_there_is_nothing_to_stop():
    X, y, held_out = teacher(4000, 5, 0.3)
    found = overtraining(X, y, held_out=held_out)
    assert found.cost < 1.01
    assert "no need to stop early" in found.headline


def test_a_small_error_that_grows_is_no_reason_to_stop():
    """Without noise the ratio may be large where hardly any error is left."""
    X, y, held_out = teacher(60, 30, 0.0)
    found = overtraining(X, y + 1e-3 * np.sin(np.arange(60)), held_out=held_out)
    assert found.cost > 1.01
    assert "no need to stop early" in found.headline


def test_curves_are_those_of_explicit_descent():
    X, y, (Z, target) = teacher(60, 30, 0.5, held=100)
    found = overtraining(X, y, held_out=(Z, target))
    mean, level, spread = X.mean(axis=0), y.mean(), y.std()
    w, rate, steps = np.zeros(30), 1e-5, 3000
    for _ in range(steps):
        w += rate * (X - mean).T @ ((y - level) / spread - (X - mean) @ w)
    direct = np.mean(((Z - mean) @ w - (target - level) / spread) ** 2)
    at = np.exp(np.interp(np.log(rate * steps), np.log(found.times), np.log(found.held_out_mse)))
    assert at == pytest.approx(direct, rel=5e-3)


def test_the_predicted_curve_is_the_formula_and_its_minimum_the_time():
    X, y, _ = teacher(60, 100, 0.5, held=1)
    found = overtraining(X, y, held_out=0.2)
    lam, n = found.eigenvalues, 48
    decay = np.exp(-np.outer(found.times, lam))
    signal = found.weight_variance * decay**2
    noise = found.noise_variance * (1 - decay) ** 2 / lam
    curve = ((signal + noise) @ lam) / n + found.noise_variance
    assert found.predicted_mse == pytest.approx(curve, rel=1e-9)
    best = found.times[curve.argmin()]
    assert found.predicted_time == pytest.approx(best, rel=0.08)  # the grid's step


def test_diabetes_at_the_interpolation_threshold():
    X, y = load_diabetes(return_X_y=True)
    regrets, costs = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        rows = rng.permutation(len(X))
        H = np.maximum(X @ rng.standard_normal((10, 200)), 0)
        fit, apart = rows[:200], rows[200:]
        found = overtraining(H[fit], y[fit], held_out=(H[apart], y[apart]))
        regrets.append(found.regret)
        costs.append(found.cost)
    assert np.median(regrets) < 0.05
    assert np.median(costs) > 10


def test_several_targets_share_one_time():
    X, y, (Z, target) = teacher(150, 100, 0.5)
    alone = overtraining(X, y, held_out=(Z, target))
    both = overtraining(X, np.stack([y, y], 1), held_out=(Z, np.stack([target, target], 1)))
    assert both.predicted_time == pytest.approx(alone.predicted_time, rel=1e-6)
    assert both.end_mse == pytest.approx(alone.end_mse, rel=1e-9)


def test_units_of_y_do_not_matter():
    X, y, (Z, target) = teacher(100, 50, 0.5)
    plain = overtraining(X, y, held_out=(Z, target))
    scaled = overtraining(X, 7 - 3 * y, held_out=(Z, 7 - 3 * target))
    assert scaled.predicted_time == pytest.approx(plain.predicted_time, rel=1e-9)
    assert scaled.best_mse == pytest.approx(plain.best_mse, rel=1e-9)


def test_held_out_rows_are_a_share_that_the_seed_fixes():
    X, y, _ = teacher(100, 50, 0.5)
    first, again = overtraining(X, y), overtraining(X, y)
    other = overtraining(X, y, random_state=1)
    assert first.best_mse == again.best_mse != other.best_mse
    assert overtraining(X[:3], y[:3]).eigenvalues.shape == (1,)


@pytest.mark.parametrize(
    ("X", "y", "options", "text"),
    [
        (np.ones((4, 2)), np.ones(3), {}, "y must have one entry per row of X; got 3 for 4 rows"),
        (np.eye(2), np.arange(2.0), {}, "X must have at least 3 rows; got 2"),
        (np.ones(4), np.ones(4), {}, "X must be a finite matrix"),
        (np.full((4, 2), np.nan), np.ones(4), {}, "X must be a finite matrix"),
        (np.eye(4), [1, 2, 3, np.inf], {}, "y must be finite"),
        (np.eye(4), np.ones(4), {}, "X and y must vary over the training rows"),
        (np.ones((4, 2)), np.arange(4.0), {}, "X and y must vary over the training rows"),
        (np.eye(4), np.arange(4.0), {"held_out": 1.0}, r"held_out must be a share in \(0, 1\)"),
        (
            np.eye(4),
            np.arange(4.0),
            {"held_out": (np.eye(3), np.arange(3.0))},
            "held_out must have the columns of X and y",
        ),
        (
            np.eye(4),
            np.arange(4.0),
            {"held_out": (np.eye(4), np.arange(3.0))},
            "held_out y must have one entry per row of held_out X",
        ),
    ],
)
def test_errors_name_what_is_wrong(X, y, options, text):
    with pytest.raises(ValueError, match=text):
        overtraining(X, y, **options)
