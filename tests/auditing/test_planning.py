"""The plan fits the data into the budget, and depends on nothing else."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing import planning
from overparam.auditing.budget import SHARES
from overparam.auditing.options import Options
from overparam.auditing.plan import FOLDS
from overparam.auditing.recipes import perceptron_parameters
from overparam.data.loading import load
from overparam.evidence.errors import UserError
from overparam.nets.mlp import MLP


def plan_of(dataset, own=None, **options):
    chosen = Options(**options)
    return planning.make_plan(dataset, chosen, metric="accuracy", jobs=2, own=own)


def small_net(n_features, n_outputs, seed):
    return MLP(n_features, n_outputs, widths=(32,), seed=seed)


def heavy_net(n_features, n_outputs, seed):
    return MLP(n_features, n_outputs, widths=(1024, 1024), seed=seed)


@pytest.fixture(scope="module")
def table():
    return load(*blobs(3000, 6, classes=3, distance=2.0))


def test_the_same_data_and_options_give_the_same_plan(table):
    assert plan_of(table) == plan_of(table)


def test_many_rows_are_compared_on_one_split_and_few_on_several(table):
    assert plan_of(table).repeats == 1
    few = plan_of(load(*blobs(200, 6, distance=2.0)))
    assert few.repeats == planning.REPEATS
    assert few.baseline.rows == round(0.9 * 120)
    assert few.choices == ()


@pytest.mark.parametrize("budget", [20.0, 60.0, 300.0, 3600.0])
def test_expected_trainings_fit_their_shares(table, budget):
    plan = plan_of(table, budget=budget)
    sizes = len(plan.fractions)
    trainings = (
        plan.replicas * plan.repeats
        + plan.sweep_seeds * len(plan.decays)
        + FOLDS * plan.fold_seeds
        + plan.curve_seeds * sizes
    )
    nets = SHARES["nets"] * budget * plan.jobs
    assert trainings * plan.seconds["one_net"] + plan.seconds["width_sweep"] <= nets * 1.001
    treatments = planning.TRAINED_TREATMENTS * plan.treatment_seeds * plan.repeats
    assert treatments * plan.seconds["one_net"] <= SHARES["treatments"] * budget * plan.jobs


def test_a_larger_budget_uses_no_fewer_rows_and_says_what_a_small_one_cut(table):
    small, large = plan_of(table, budget=30.0), plan_of(table, budget=3000.0)
    assert (
        small.baseline.rows * small.baseline.epochs <= large.baseline.rows * large.baseline.epochs
    )
    assert large.baseline.rows == round(0.9 * 1800)
    assert any("training rows" in choice for choice in small.choices)


def test_fewer_rows_come_with_smaller_batches_and_enough_steps():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (6000, 28, 28)).astype(np.uint8)
    recipe = plan_of(load(images, np.arange(6000) % 10), budget=200.0).baseline
    assert recipe.net == "convolutional"
    assert recipe.rows * recipe.epochs / recipe.batch_size >= planning.FEWEST_STEPS * 0.9


def test_widths_span_from_an_eighth_to_eight_parameters_a_row_and_output(table):
    plan = plan_of(table)
    d, k = table.split(0).preprocessor.n_flat, len(table.classes)
    ratios = [perceptron_parameters(w, d, k) / (plan.sweep_rows * k) for w in plan.widths]
    assert ratios[0] == pytest.approx(1 / 8, rel=0.2)
    assert ratios[-1] == pytest.approx(8, rel=0.1)
    assert list(plan.widths) == sorted(plan.widths)
    assert plan.widths[0] >= 2


def test_baselines_fit_their_share_together(table):
    plan = plan_of(table)
    seconds = plan.baseline_seconds
    assert sum(seconds.values()) / plan.jobs <= SHARES["baselines"] * plan.budget
    assert max(seconds.values()) <= 0.85 * SHARES["baselines"] * plan.budget


def test_a_users_own_net_takes_the_recipe_of_the_baseline(table):
    plan = plan_of(table, own=small_net, model="my.nets:build")
    assert plan.own == plan.baseline.but(net="my.nets:build")
    assert plan_of(table).own is None


def test_a_users_own_net_that_costs_more_is_trained_for_less_and_this_is_said(table):
    plan = plan_of(table, own=heavy_net, model="my.nets:build", budget=60.0)
    assert plan.own.epochs < plan.baseline.epochs
    assert plan.seconds["your_model"] > plan.seconds["one_net"]
    share = planning.OWN_SHARE * SHARES["treatments"] * plan.budget * plan.jobs
    assert plan.seconds["your_model"] * plan.treatment_seeds <= share
    assert any("your model is trained on" in choice for choice in plan.choices)


def test_a_users_own_net_that_does_not_fit_the_data_is_refused_before_anything_is_trained(table):
    def crooked(n_features, n_outputs, seed):
        return MLP(n_features + 1, n_outputs, seed=seed)

    with pytest.raises(UserError, match=r"model must build a network .*\(6,\) and 3 outputs; my"):
        plan_of(table, own=crooked, model="my.nets:build")
