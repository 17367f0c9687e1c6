"""Where late training fits noise the finding fires; without noise it stays silent."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotApplicable
from overparam.auditing.findings.overtraining import RATIO, WORTH, overtraining, stopping_times
from overparam.auditing.net_cells import SplitKey, fitted_rows
from overparam.auditing.random_readouts import MOST_ROWS
from overparam.auditing.treatments.early_stopping import early_stopping
from overparam.data.loading import load
from overparam.evidence.verdict import Verdict

SPLIT = {"seed": 0, "index": 0, "repeats": 1}


def line(noise, n=500, d=10):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)).astype(np.float32)
    return X, (X.sum(axis=1) + noise * rng.standard_normal(n)).astype(float)


def test_noise_makes_it_an_issue(make_context):
    answer = overtraining(make_context(*line(3.0)))
    assert answer.resolved_outcome == "issue"
    assert answer.evidence.verdict is Verdict.HOLDS
    assert answer.evidence.statistic.value > 0.1
    assert answer.headline.endswith("late training fits noise here.")
    assert 0.2 < answer.extra["predicted_over_best_time"] < 5


def test_without_noise_it_is_fine(make_context):
    answer = overtraining(make_context(*line(0.0)))
    assert answer.resolved_outcome == "fine"
    assert answer.evidence.statistic.interval.high <= WORTH
    assert answer.action == "There is no need to stop early."


def test_nothing_but_noise_is_said_to_be_so(make_context):
    X, _ = line(0.0)
    y = np.random.default_rng(1).standard_normal(len(X))
    answer = overtraining(make_context(X, y))
    assert answer.resolved_outcome == "issue"  # training to the end makes it far worse than nothing
    assert answer.evidence.statistic.value > 0.3


def test_stopping_in_time_lies_between_the_best_and_the_end():
    found = stopping_times(load(*line(3.0)), SPLIT, MOST_ROWS, [0, 1])
    assert (found["best"] <= found["stopped"]).all()
    assert (found["stopped"] < found["end"]).all()
    assert (found["stopped"] < 1.1 * found["best"]).all()
    assert (np.abs(found["ridge"] / found["stopped"] - 1) < 0.1).all()
    assert found["time"].shape == found["measured"].shape == found["predicted"].shape
    assert found["rows"] == round(0.9 * 300)


def test_the_end_is_the_least_norm_solution():
    dataset = load(*line(3.0, n=120))
    found = stopping_times(dataset, SPLIT, MOST_ROWS, [7])
    split = dataset.split(0)
    train = dataset.view(fitted_rows(dataset, SplitKey(**SPLIT), MOST_ROWS), split.train.rows)
    X, Z = train.flat.astype(float), split.validation.flat.astype(float)
    level, spread = X.mean(axis=0), X.std()
    X, Z = (X - level) / spread, (Z - level) / spread
    W = np.random.default_rng(7).standard_normal((10, RATIO * len(X))) / np.sqrt(10)
    F, G = np.maximum(X @ W, 0), np.maximum(Z @ W, 0)
    y = train.y - train.y.mean()
    w = np.linalg.lstsq(F - F.mean(axis=0), y, rcond=None)[0]
    residual = split.validation.y - train.y.mean() - (G - F.mean(axis=0)) @ w
    assert found["end"][0] == pytest.approx((residual**2).mean() / train.y.var(), rel=1e-3)


def test_classes_count_as_one_hot_targets(make_context):
    context = make_context(*blobs(300, 5, classes=3, distance=2.0))
    answer = overtraining(context)
    assert answer.afterword() == []
    context.treated["early-stopping"] = early_stopping(context)
    [sentence] = answer.afterword()
    assert sentence.startswith("The baseline nets gain ")
    assert "points of accuracy by stopping early" in sentence


def test_few_rows_are_not_applicable(make_context):
    with pytest.raises(NotApplicable, match="too few training rows to tell signal from noise"):
        overtraining(make_context(*blobs(50, 3, distance=3.0), net={"epochs": 2}))
