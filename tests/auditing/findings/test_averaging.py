"""What averaging without end would reach: exact for squared errors, near for a known ensemble."""

import itertools

import numpy as np
import pytest
from tests.auditing.known_data import blobs, flipped

from overparam.auditing.comparison import crossed
from overparam.auditing.findings import averaging as averaging_module
from overparam.auditing.findings.averaging import (
    above_asymptote,
    averaging,
    jackknife,
    subset_curve,
)

FEW = {"width": 8, "epochs": 8}


def test_the_curve_is_the_mean_over_all_subsets():
    rng = np.random.default_rng(0)
    p, y = rng.uniform(0.1, 0.9, (4, 5)), np.zeros(5)
    found = subset_curve(p, y, True)
    for k in range(1, 5):
        subsets = [p[list(c)].mean(axis=0) for c in itertools.combinations(range(4), k)]
        np.testing.assert_allclose(found[k - 1], -np.log(subsets).mean(axis=0), rtol=1e-12)


def test_squared_errors_fall_by_the_variance_of_the_members():
    """E((mean of K - y)^2) = bias^2 + variance / K: the room above is the unbiased variance."""
    rng = np.random.default_rng(1)
    values, y = rng.normal(2.0, 0.5, (6, 300)), rng.normal(size=300)
    gaps = jackknife(values, y, False)
    np.testing.assert_allclose(gaps.mean(axis=0), values.var(axis=0, ddof=1), rtol=1e-8)


def test_the_asymptote_of_probabilities_is_that_of_endless_members():
    rng = np.random.default_rng(2)
    p = 1 / (1 + np.exp(-rng.normal(1.0, 0.8, (8, 40_000))))
    endless = 1 / (1 + np.exp(-rng.normal(1.0, 0.8, 200_000)))
    gap = above_asymptote(subset_curve(p, np.zeros(40_000), True), 3).mean()
    assert gap == pytest.approx(-np.log(p).mean() + np.log(endless.mean()), rel=0.03)


@pytest.mark.parametrize("members", [4, 8])
def test_the_interval_of_a_log_loss_covers_what_endless_members_reach(members):
    """Members share a logit a row and add their own: the truth is an integral over one Gaussian."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    covered = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        level, offset = rng.normal(1.0, 1.0, 400), rng.normal(0, 0.1, (members, 1))
        p = 1 / (1 + np.exp(-(level + offset + rng.normal(0, 0.5, (members, 400)))))
        spread = np.hypot(0.1, 0.5)
        of_nodes = 1 / (1 + np.exp(-(level[:, None] + spread * nodes)))
        truth = (-(np.log(of_nodes) @ weights) + np.log(of_nodes @ weights)).mean()
        low, high = crossed(jackknife(p, np.zeros(400), True)).interval()
        covered.append(low <= truth <= high)
    assert np.mean(covered) > 0.85


def test_nets_that_disagree_have_room(make_context):
    X, y = blobs(240, 20, classes=3, distance=2.0)
    context = make_context(X, flipped(y, 0.3)[0], net={"width": 32, "epochs": 120})
    answer = averaging(context)
    assert answer.resolved_outcome == "issue"
    assert "above the best of its kind" in answer.headline
    low, value = answer.extra["asymptote"], answer.evidence.statistic.value
    assert low > 0
    table = answer.evidence.table
    widths = sorted(set(table["width"]))
    assert widths == [8, 16, 32]
    one = table.filter((table["width"] == 32) & (table["members"] == 1))["loss"][0]
    assert one - low == pytest.approx(value)


def test_narrower_nets_that_go_below_the_asymptote_are_named():
    own, narrow = np.array([1.1, 1.0]), np.array([0.9, 0.8])
    said = averaging_module._beyond({32: own, 8: narrow}, 32, 0.95)
    assert said == "Narrower is better: 2 nets of width 8 reach 0.800 already."
    said = averaging_module._beyond({32: own, 8: own}, 32, 0.95)
    assert said == "Below 0.950 only another model or more rows will go."


def test_nets_that_agree_have_none(make_context):
    answer = averaging(make_context(*blobs(240, 4, distance=8.0), net={"epochs": 60}))
    assert answer.resolved_outcome == "fine"
    assert answer.headline.startswith("One net is near the best of its kind")


def test_a_regression_counts_in_the_targets_variance(make_context):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((160, 4)).astype(np.float32)
    y = 1e4 * (X[:, 0] + 0.1 * rng.standard_normal(160))
    answer = averaging(make_context(X, y, net={"width": 8, "epochs": 100}))
    assert 0 < answer.evidence.statistic.value < 1
    assert "variance" in answer.evidence.statistic.label


def test_without_time_only_the_width_of_the_baseline_is_shown(make_context):
    context = make_context(*blobs(240, 4, distance=2.0), net=FEW)
    from overparam.auditing.measurements import replicas

    replicas(context)
    context.ledger.total = 1e-9
    answer = averaging(context)
    assert set(answer.evidence.table["width"]) == {8}
    assert "Narrower nets did not fit the budget." in answer.details
