"""A plain perceptron that an untrained convolutional net guides through its first steps."""

from __future__ import annotations

import math

import numpy as np

from overparam.auditing.answers import NotApplicable
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.cost import multiply_adds, stopping_cost
from overparam.auditing.guided_twins import epochs_to_best, fit_twins
from overparam.auditing.measurements import MEMBERS_A_CELL, cost_of_one
from overparam.auditing.net_cells import fitted_rows
from overparam.auditing.recipes import Recipe, features, module_factory, perceptron_width
from overparam.auditing.registry import treatment

STEPS = 300
MOST = 0.5  # of all steps
GUIDED_STEP = 1.5  # a guided step beside a plain one: a second pass of the net, and the guide's


@treatment(
    "OT012",
    "guided-twin",
    title="perceptron guided by an untrained convolutional net",
    paper="guidance",
    order=3,
    thresholds={
        "steps": (STEPS, "of guidance, as in the paper's use of it as an initialisation"),
        "share": (MOST, "at most this much of the training is guided"),
    },
)
def guided_twin(context: Context) -> Candidate:
    """Train a perceptron on images, guided at first by an untrained convolutional net.

    For the first steps the loss also asks that the layers of the perceptron see images alike where
    the layers of a convolutional net with random weights do (by linear CKA). What is learnt from it
    is the prior of that architecture; the saved model is a plain perceptron. It has about the
    arithmetic of the baseline net, and its twin without a guide is trained beside it: the setting
    says how they differ, and after how many epochs the guided net passes the best held-out loss of
    the plain one.
    """
    if context.dataset.kind != "image":
        raise NotApplicable("the rows are no images: a convolutional net has no guidance to give.")
    if not context.classification:
        raise NotApplicable("the target is a number; the guided twin is measured on classes.")
    recipe = guided_recipe(context)
    found, seconds = fitted_twins(context, recipe)
    predictions = [context.probabilities(split["guided"]) for split in found]
    return Candidate(
        "guided-twin",
        "perceptron guided by an untrained convolutional net",
        Build(recipe, 1),
        predictions,
        seconds,
        setting(context, recipe, found),
    )


def guided_recipe(context: Context) -> Recipe:
    """A perceptron with about the baseline net's multiply-adds, and the baseline's training."""
    base = context.recipe
    view = context.splits[0].train
    few = view.take(np.arange(min(len(view), 2)))
    X = features(base, few)
    k = len(context.dataset.classes)
    d = int(np.prod(X.shape[1:]))
    module = module_factory(base, few.preprocessor, X, context.own)(d, k, 0)
    width = perceptron_width(multiply_adds(module, X.shape[1:]), d, k)
    recipe = base.but(net="perceptron", width=width, base_width=0)
    return recipe.but(guided_steps=max(1, min(STEPS, round(MOST * total_steps(context, recipe)))))


def total_steps(context: Context, recipe: Recipe) -> int:
    """Updates of one training."""
    rows = len(fitted_rows(context.dataset, context.split_keys[0], recipe.rows))
    return recipe.epochs * math.ceil(rows / recipe.batch_size)


def cost_of_guided(context: Context, recipe: Recipe) -> float:
    """Expected seconds of one thread of one guided net."""
    share = recipe.guided_steps / total_steps(context, recipe)
    return cost_of_one(context, recipe) * (1 + GUIDED_STEP * share)


def fitted_twins(context: Context, recipe: Recipe) -> tuple[list[dict[str, np.ndarray]], float]:
    """What `fit_twins` finds on every split, all members together; seconds of a guided net."""
    seeds = list(range(context.plan.treatment_seeds))
    chunks = [seeds[i : i + MEMBERS_A_CELL] for i in range(0, len(seeds), MEMBERS_A_CELL)]
    cells = [
        {
            "dataset": context.dataset,
            "split": key.as_dict(),
            "recipe": recipe.as_dict(),
            "seeds": some,
        }
        for key in context.split_keys
        for some in chunks
    ]
    trained = len(context.split_keys) * len(seeds)
    guided, plain = cost_of_guided(context, recipe), cost_of_one(context, recipe)
    watched = stopping_cost(recipe.rows, round(0.9 * context.n_train))
    spent = context.ledger.spent["treatments"]
    results = context.cells(
        "treatments",
        fit_twins,
        cells,
        label="guided perceptrons",
        estimate=trained * (guided + plain) * watched,
    )
    took = (context.ledger.spent["treatments"] - spent) * context.plan.jobs / trained
    found = [
        {
            name: np.concatenate([r[name] for r in results[i : i + len(chunks)]])
            for name in results[0]
        }
        for i in range(0, len(results), len(chunks))
    ]
    return found, took * guided / (guided + plain)


def setting(context: Context, recipe: Recipe, found: list[dict[str, np.ndarray]]) -> str:
    """How the guided net and its plain twin differ, in words."""
    accuracy, loss = {}, {}
    for name in ("guided", "plain"):
        scores = []
        for i, split in enumerate(found):
            p, y = context.probabilities(split[name]), context.validation(i)
            right = np.maximum(p[:, np.arange(len(y)), y], np.finfo(float).tiny)
            scores.append([(p.argmax(-1) == y).mean(), -np.log(right).mean()])
        accuracy[name], loss[name] = np.mean(scores, axis=0)
    plain, guided = (
        np.median(epochs)
        for epochs in epochs_to_best(
            *(np.concatenate([split[f"{n}_held"] for split in found]) for n in ("plain", "guided"))
        )
    )
    pace = f"after {guided:.0f} epochs" if np.isfinite(guided) else "never"
    return (
        f"width {recipe.width}, guided for {recipe.guided_steps} of "
        f"{total_steps(context, recipe)} steps; accuracy {accuracy['guided']:.3f} (without a guide "
        f"{accuracy['plain']:.3f}), log loss {loss['guided']:.3f} ({loss['plain']:.3f}); it passes "
        f"the plain perceptron's best held-out loss, reached after {plain:.0f} epochs, {pace}"
    )
