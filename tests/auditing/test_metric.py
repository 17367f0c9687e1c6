"""Metrics against scikit-learn; their row scores against the bootstrap."""

import numpy as np
import pytest
from sklearn import metrics

from overparam.auditing.metric import METRICS, also, choose_metric
from overparam.evidence.errors import UserError


def classification(k, n=600, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((n, k))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = (rng.random(n)[:, None] > p.cumsum(1)).sum(1)
    return y, np.round(p, 2) + 1e-3  # rounding makes ties


def regression(n=400):
    rng = np.random.default_rng(1)
    y = 3 * rng.standard_normal(n)
    return y, (y + rng.standard_normal(n))[:, None]


@pytest.mark.parametrize("k", [2, 4])
def test_classification_metrics_are_those_of_scikit_learn(k):
    y, p = classification(k)
    q = p / p.sum(1, keepdims=True)
    assert METRICS["accuracy"](y, q) == metrics.accuracy_score(y, q.argmax(1))
    assert METRICS["balanced_accuracy"](y, q) == pytest.approx(
        metrics.balanced_accuracy_score(y, q.argmax(1))
    )
    assert METRICS["log_loss"](y, q) == pytest.approx(metrics.log_loss(y, q))
    score = q[:, 1] if k == 2 else q
    assert METRICS["auc"](y, q) == pytest.approx(metrics.roc_auc_score(y, score, multi_class="ovr"))


def test_regression_metrics_are_those_of_scikit_learn():
    y, p = regression()
    assert METRICS["r2"](y, p) == pytest.approx(metrics.r2_score(y, p[:, 0]))
    assert METRICS["rmse"](y, p) == pytest.approx(metrics.root_mean_squared_error(y, p[:, 0]))


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_spread_of_row_scores_is_that_of_the_bootstrap(name):
    metric = METRICS[name]
    y, p = classification(2) if metric.task == "classification" else regression()
    if metric.task == "classification":
        p = p / p.sum(1, keepdims=True)
    rows = metric.rows(y, p)
    rng = np.random.default_rng(2)
    draws = [rng.integers(0, len(y), len(y)) for _ in range(400)]
    bootstrap = np.std([metric(y[d], p[d]) for d in draws])
    assert rows.std() / np.sqrt(len(y)) == pytest.approx(bootstrap, rel=0.12)


def test_gains_are_better_when_greater():
    y, p = classification(3)
    p = p / p.sum(1, keepdims=True)
    worse = np.full_like(p, 1 / 3)
    assert METRICS["log_loss"].gains(y, p).mean() > METRICS["log_loss"].gains(y, worse).mean()


def test_a_class_without_rows_does_not_count_against_balance():
    p = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    assert METRICS["balanced_accuracy"](np.array([0, 1]), p) == 1.0


def test_one_class_only_has_no_area_under_the_curve():
    assert np.isnan(METRICS["auc"](np.zeros(3, int), np.full((3, 2), 0.5)))


class Task:
    def __init__(self, task):
        self.task = task


def test_the_usual_metric_of_each_task_and_the_choice_by_name():
    assert choose_metric(Task("classification"), None).name == "accuracy"
    assert choose_metric(Task("regression"), None).name == "r2"
    assert choose_metric(Task("classification"), "balanced-accuracy").name == "balanced_accuracy"
    with pytest.raises(UserError, match="metric must be one of r2, rmse for regression; got 'auc'"):
        choose_metric(Task("regression"), "auc")


def test_the_other_metrics_stand_beside():
    y, p = regression()
    assert set(also(METRICS["r2"], y, p)) == {"rmse"}
