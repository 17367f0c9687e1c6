"""How far two runs may differ by luck."""

import numpy as np
import pytest
from scipy.stats import chi2
from tests.auditing.known_data import blobs, flipped

from overparam.auditing.findings.seed_noise import seed_noise
from overparam.auditing.measurements import replicas


def test_noisy_labels_make_runs_differ(make_context):
    X, y = blobs(600, 10, distance=2.0)
    answer = seed_noise(make_context(X, flipped(y, 0.25)[0], net={"epochs": 60}))
    assert answer.resolved_outcome == "issue"
    assert answer.action.startswith("Believe no single-run difference below")


def test_runs_on_clear_classes_agree(make_context):
    answer = seed_noise(make_context(*blobs(1200, 5, distance=8.0)))
    assert answer.resolved_outcome == "fine"
    assert answer.evidence.statistic.value == 0


def test_the_interval_is_the_chi_squared_one_of_the_seeds_scores(make_context):
    context = make_context(*blobs(600, 10, distance=2.0), replicas=4)
    answer = seed_noise(context)
    y = context.validation(0)
    accuracy = (replicas(context).validation[0].argmax(-1) == y).mean(axis=1)
    s = accuracy.std(ddof=1)
    ends = 2.772 * s * np.sqrt(3 / chi2.ppf([0.975, 0.025], 3))
    interval = answer.evidence.statistic.interval
    assert answer.extra["standard_deviation"] == pytest.approx(s)
    assert (interval.low, interval.high) == pytest.approx(tuple(ends), rel=1e-3)


def test_splits_are_pooled_within_and_not_across(make_context):
    context = make_context(*blobs(300, 5, distance=2.0), repeats=3)
    y = [context.validation(i) for i in range(3)]
    scores = [
        (logits.argmax(-1) == t).mean(axis=1)
        for t, logits in zip(y, replicas(context).validation, strict=True)
    ]
    pooled = np.sqrt(np.mean([s.var(ddof=1) for s in scores]))
    assert seed_noise(context).extra["standard_deviation"] == pytest.approx(pooled)
