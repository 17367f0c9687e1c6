"""The rate of least held-out loss on the narrow net trains the wide one under muP."""

from dataclasses import replace

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotAffordable, NotApplicable
from overparam.auditing.final_fits import Parts, fit_nets_on
from overparam.auditing.reading import held_loss, held_targets
from overparam.auditing.saved_model import load_model, save_model
from overparam.auditing.treatments.tuned_rate import (
    RATES,
    rate_sweep,
    transferred_rate,
    tuned_rate,
)

NET = {"width": 16, "epochs": 8}


@pytest.fixture
def wide(make_context):
    return make_context(*blobs(240, 6, classes=3, distance=3.0), net=NET)


def test_it_trains_the_wide_net_with_the_narrow_nets_rate(wide):
    candidate = tuned_rate(wide)
    sweep = rate_sweep(wide)
    loss = held_loss(wide, sweep.held)
    assert loss.shape == (len(RATES), wide.plan.sweep_seeds)
    rate = RATES[loss.mean(axis=1).argmin()]
    assert transferred_rate(wide) == rate
    assert rate > 1e-3  # eight passes are short
    recipe = candidate.build.recipe
    assert recipe == wide.recipe.but(learning_rate=rate, base_width=4)
    assert candidate.predictions[0].shape == (2, len(wide.validation(0)), 3)
    assert candidate.setting == (
        f"learning rate {rate:g} (usual 0.001) under muP, found at width 4 of 16: "
        "about 0.9 s of one thread, 1.5 s at full width"
    )


def test_the_usual_rate_stays_where_the_best_gains_less_than_its_error(wide):
    sweep = rate_sweep(wide)
    usual = RATES.index(wide.recipe.learning_rate)
    best = RATES.index(transferred_rate(wide))
    held = sweep.held.copy()
    held[best] = held[usual]
    first, second = held_targets(wide)[:2]
    held[best, :, 0, first] += (
        0.1  # one row is a little better, another one not quite as much worse
    )
    held[best, :, 1, second] -= 0.05
    wide.memory["rate_sweep"] = replace(sweep, held=held[[usual, best]], values=(1e-3, 3e-3))
    loss = held_loss(wide, wide.memory["rate_sweep"].held).mean(axis=1)
    assert loss[1] < loss[0]
    assert transferred_rate(wide) == 1e-3


def test_the_sweep_trains_narrow_nets(wide):
    tiny = 4 * 6 + 4 + 4 * 4 + 4 + 3 * 4 + 3
    assert set(rate_sweep(wide).parameters) == {tiny}


@pytest.mark.parametrize("net", ["perceptron", "tabular"])
def test_its_model_is_saved_and_loaded_again(make_context, tmp_path, net):
    X, y = blobs(120, 4, classes=3, distance=3.0)
    context = make_context(X, y, net={**NET, "net": net})
    build = tuned_rate(context).build
    rows = np.arange(context.dataset.n)
    nets = fit_nets_on(context, build, rows, rows, stage="reserve", label="x")
    before = context.probabilities(nets.pop("logits")).mean(axis=0)
    save_model(tmp_path / "m", context.dataset, Parts(build, nets, None, rows), {"title": "t"})
    after = load_model(tmp_path / "m").predict_proba(X[context.dataset.row])
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_a_sweep_beyond_the_share_is_not_begun(wide):
    wide.ledger.total = 1.0
    with pytest.raises(NotAffordable, match="of the treatments share"):
        tuned_rate(wide)
    assert wide.ledger.spent["treatments"] == 0


def test_a_net_without_a_quarter_is_left_out(make_context):
    context = make_context(*blobs(120, 4, distance=3.0), net={"width": 15, "epochs": 2})
    with pytest.raises(NotApplicable, match="has width 15: a quarter of it is no net"):
        tuned_rate(context)
