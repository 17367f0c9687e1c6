"""Nets that start badly are found, those that start well are left alone."""

import pytest
import torch
from tests.auditing.known_data import blobs
from torch import nn

from overparam.auditing.answers import NotApplicable
from overparam.auditing.findings.initialization import DECADES, initialization
from overparam.diagnostics.initialization import check_initialization
from overparam.evidence.verdict import Verdict
from overparam.nets.init import critical_
from overparam.nets.mlp import MLP


def deep_net(n_features, n_outputs, seed):
    return MLP(n_features, n_outputs, widths=(64,) * 12, seed=seed)


def critical_net(n_features, n_outputs, seed):
    return critical_(MLP(n_features, n_outputs, widths=(256,) * 3, seed=seed), "relu")


def narrow_net(n_features, n_outputs, seed):
    torch.manual_seed(seed)
    return critical_(MLP(n_features, n_outputs, widths=(6,) * 10, seed=seed), "relu")


def linear_net(n_features, n_outputs, seed):
    return nn.Linear(n_features, n_outputs)


def with_own(make_context, factory):
    context = make_context(*blobs(300, 8, distance=3.0))
    own = context.recipe.but(net=f"{__name__}:{factory.__name__}")
    return make_context(context.dataset, own=own)


def test_a_deep_net_of_default_weights_is_an_issue(make_context):
    answer = initialization(with_own(make_context, deep_net))
    assert answer.resolved_outcome == "issue"
    assert answer.evidence.verdict is Verdict.HOLDS
    assert answer.evidence.statistic.interval.low > DECADES
    assert answer.headline.startswith("Gradients shrink on their way through your net")
    assert "critical_" in answer.action
    first = answer.evidence.table.filter(layer=1, seed=0)
    direct = check_initialization(
        deep_net(8, 2, 0), torch.randn(128, 8, generator=torch.manual_seed(0))
    )
    assert first["gradient"][0] == pytest.approx(direct.table["gradient"][0], rel=0.5)


def test_a_critical_net_is_fine(make_context):
    answer = initialization(with_own(make_context, critical_net))
    assert answer.resolved_outcome == "fine"
    assert answer.headline.startswith("Your net starts well: through its 4 layers")
    assert answer.action == "Nothing to do."


def test_a_net_too_deep_for_its_width_is_a_tip(make_context):
    answer = initialization(with_own(make_context, narrow_net))
    assert answer.resolved_outcome in ("tip", "issue")
    assert any("Depth over width is 1.8" in text for text in answer.details)


def test_the_shallow_baseline_of_default_weights_is_a_tip(make_context):
    answer = initialization(make_context(*blobs(300, 8, distance=3.0)))
    assert answer.resolved_outcome == "tip"
    assert "starts away from criticality (signals vanish)" in answer.headline


def test_normalisation_is_judged_by_the_whole(make_context):
    answer = initialization(make_context(*blobs(300, 8, distance=3.0), net={"net": "tabular"}))
    assert answer.resolved_outcome == "fine"
    assert any("normalisation layers" in text for text in answer.details)
    names = answer.evidence.table["name"].unique(maintain_order=True).to_list()
    assert names == ["entry", "inner.0", "outer.0", "inner.1", "outer.1", "head"]


def test_a_net_of_one_layer_cannot_be_checked(make_context):
    with pytest.raises(NotApplicable, match="the net cannot be checked: activation must be given"):
        initialization(with_own(make_context, linear_net))
