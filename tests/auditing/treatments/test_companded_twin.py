"""The scale of least held-out loss; trained as the baseline, saved as plain weights."""

import numpy as np
import pytest
import safetensors.numpy
from tests.auditing.known_data import blobs
from tests.auditing.small_plan import audited

from overparam.auditing.final_fits import Parts, fit_nets_on
from overparam.auditing.measurements import cost_of_one, replicas
from overparam.auditing.saved_model import load_model, save_model
from overparam.auditing.treatments.companded_twin import (
    SCALES,
    chosen_scale,
    companded_twin,
    scale_losses,
)
from overparam.data.loading import load


def test_it_trains_the_baseline_net_with_companded_weights(context):
    candidate = companded_twin(context)
    scale = chosen_scale(context)
    assert candidate.build.recipe == context.recipe.but(compander=scale)
    assert candidate.predictions[0].shape == (2, len(context.validation(0)), 3)
    assert candidate.setting == f"scale {scale:g} of each layer's initial standard deviation"
    plain = context.probabilities(replicas(context).validation[0][:2])
    assert abs(candidate.predictions[0] - plain).max() > 1e-3


def test_the_scale_is_that_of_the_least_held_out_loss(context):
    losses = scale_losses(context)
    assert losses.shape == (len(SCALES),)
    assert chosen_scale(context) == SCALES[losses.argmin()]
    for best, scale in enumerate(SCALES):
        context.memory["compander_sweep"] = np.abs(np.arange(len(SCALES)) - best)
        assert chosen_scale(context) == scale


def test_a_companded_net_is_known_to_cost_more(context):
    plain = cost_of_one(context, context.recipe)
    assert cost_of_one(context, context.recipe.but(compander=0.5)) == pytest.approx(3 * plain)
    tabular = context.recipe.but(net="tabular", compander=0.5)
    assert cost_of_one(context, tabular) == pytest.approx(1.5 * plain)


@pytest.mark.parametrize("net", ["perceptron", "tabular", "convolutional"])
def test_its_saved_model_is_plain_and_predicts_the_same(make_context, tmp_path, net):
    X, y = blobs(120, 4, classes=3, distance=3.0)
    if net == "convolutional":
        X = np.random.default_rng(0).integers(0, 255, (120, 8, 8)).astype(np.uint8)
    context = make_context(load(X, y), net={"net": net, "width": 8, "epochs": 4})
    build = companded_twin(context).build
    rows = np.arange(context.dataset.n)
    nets = fit_nets_on(context, build, rows, rows, stage="reserve", label="x")
    before = context.probabilities(nets.pop("logits")).mean(axis=0)
    save_model(tmp_path / "m", context.dataset, Parts(build, nets, None, rows), {"title": "t"})
    saved = safetensors.numpy.load_file(tmp_path / "m" / "nets.safetensors")
    assert not any("parametrizations" in name for name in saved)
    loaded = load_model(tmp_path / "m")
    np.testing.assert_allclose(loaded.predict_proba(X[context.dataset.row]), before, atol=1e-5)


def test_a_regression_may_have_it_too(regression):
    candidate = companded_twin(regression)
    assert candidate.predictions[0].shape[2] == 1
    assert np.isfinite(candidate.predictions[0]).all()


@pytest.mark.slow
def test_it_stands_in_a_report(tmp_path):
    X, y = blobs(160, 4, distance=2.0)
    found = audited(tmp_path, X, y, only=("companded-twin",), net={"epochs": 8})
    entries = {entry["id"]: entry for entry in found.report["treatments"]}
    assert "companded-twin" in entries
    assert "scale" in entries["companded-twin"]["note"]
