"""What is measured on nets, once, and read by several findings and treatments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from overparam.auditing.answers import NotAffordable
from overparam.auditing.baselines import TREE_FEATURES
from overparam.auditing.context import Context
from overparam.auditing.cost import stopping_cost
from overparam.auditing.fold_models import fold_models, seconds_of_models
from overparam.auditing.label_quality import OutOfFold
from overparam.auditing.net_cells import (
    fit_nets,
    fit_subsets,
    fitted_rows,
    folds,
    out_of_fold,
)
from overparam.auditing.plan import FOLDS
from overparam.auditing.recipes import ModuleFactory, Recipe, import_factory

T = TypeVar("T")
MEMBERS_A_CELL = 4  # small enough for two processes to share eight members
COMPANDED_COST = {"perceptron": 3.0}  # over a plain net's: the arctangents of its weights
COMPANDED_COST_OF_OTHERS = 1.5  # 1.3 to 1.8 of tables', 1.1 to 1.4 of images'
NARROW_COST = 0.6  # of a net's seconds at a quarter of its width: 0.5 of a table's, 0.9 of images'


def remembered(name: str, context: Context, compute: Callable[[], T]) -> T:
    """The value of `compute()`, taken once a context."""
    if name not in context.memory:
        context.memory[name] = compute()
    return context.memory[name]


@dataclass(frozen=True)
class Fits:
    """Nets of one recipe on every split.

    `validation` and `held` are lists over splits of (S, n, k) logits; `figures` of the other
    values of `fit_nets`; `seconds` of one thread that one net took.
    """

    validation: list[np.ndarray]
    held: list[np.ndarray]
    figures: list[dict[str, np.ndarray]]
    seconds: float


def _chunks(values: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [values[i : i + size] for i in range(0, len(values), size)]


def fit_recipe(
    context: Context,
    recipe: Recipe,
    n_seeds: int,
    *,
    stage: str,
    label: str,
    row_weights: Sequence[np.ndarray] | None = None,
    seeds_a_cell: int | None = None,
) -> Fits:
    """Train seeds 0..n_seeds-1 of a recipe on every split, some at a time as one piece of work."""
    keys = context.split_keys
    size = seeds_a_cell or (n_seeds if context.plan.repeats > 1 else MEMBERS_A_CELL)
    arguments = []
    for index, key in enumerate(keys):
        for seeds in _chunks(range(n_seeds), size):
            cell: dict[str, Any] = {
                "dataset": context.dataset,
                "split": key.as_dict(),
                "recipe": recipe.as_dict(),
                "seeds": list(seeds),
            }
            if row_weights is not None:
                cell["row_weights"] = row_weights[index]
            arguments.append(cell | own_argument(context, recipe))
    spent = context.ledger.spent[stage]
    estimate = len(keys) * n_seeds * cost_of_one(context, recipe)
    results = context.cells(stage, fit_nets, arguments, label=label, estimate=estimate)
    per_split = len(results) // len(keys)
    grouped = [results[i * per_split : (i + 1) * per_split] for i in range(len(keys))]
    names = ("train_error", "gap_mean", "gap_over_log_k", "best_epoch", "diverged")
    return Fits(
        [np.concatenate([r["validation"] for r in group]) for group in grouped],
        [np.concatenate([r["held"] for r in group]) for group in grouped],
        [
            {n: np.concatenate([np.atleast_1d(r[n]) for r in group]) for n in names}
            for group in grouped
        ],
        (context.ledger.spent[stage] - spent) * context.plan.jobs / (len(keys) * n_seeds),
    )


def own_argument(context: Context, recipe: Recipe) -> dict[str, ModuleFactory]:
    """The user's own module factory as a cell's argument: an edit of its file makes new cells."""
    if ":" not in recipe.net:
        return {}
    return {"own": context.own or import_factory(recipe.net)}


def cost_of_one(context: Context, recipe: Recipe) -> float:
    """Expected seconds of one thread of one net of a recipe like the baseline, or their own."""
    plan = context.plan
    base, seconds = plan.baseline, plan.seconds["one_net"]
    if plan.own is not None and recipe.net == plan.own.net:
        base, seconds = plan.own, plan.seconds["your_model"]
    factor = NARROW_COST if recipe.net == base.net and 0 < recipe.width < base.width else 1.0
    if recipe.compander:
        factor *= COMPANDED_COST.get(recipe.net, COMPANDED_COST_OF_OTHERS)
    if recipe.early_stopping:
        factor *= stopping_cost(recipe.rows, round(0.9 * context.n_train))
    factor *= 1 + recipe.teachers
    return factor * seconds * recipe.rows * recipe.epochs / (base.rows * base.epochs)


def replicas(context: Context) -> Fits:
    """The baseline net under several seeds."""
    return remembered(
        "replicas",
        context,
        lambda: fit_recipe(
            context, context.recipe, context.plan.replicas, stage="nets", label="baseline nets"
        ),
    )


@dataclass(frozen=True)
class Sweep:
    """Nets along one axis on the first split.

    `validation` (V, S, n, k), `held` (V, S, n_held, k), `train_error` (V, S).
    """

    values: np.ndarray
    validation: np.ndarray
    held: np.ndarray
    train_error: np.ndarray
    parameters: np.ndarray


def _stacked(values: Sequence[float], results: Sequence[dict[str, Any]]) -> Sweep:
    return Sweep(
        np.asarray(values, dtype=float),
        np.stack([r["validation"] for r in results]),
        np.stack([r["held"] for r in results]),
        np.stack([r["train_error"] for r in results]),
        np.array([r["parameters"] for r in results]),
    )


def width_sweep(context: Context) -> Sweep:
    """Perceptrons from far below to far above one parameter a row and output, no weight decay."""

    def compute() -> Sweep:
        plan = context.plan
        arguments = [
            {
                "dataset": context.dataset,
                "split": context.split_keys[0].as_dict(),
                "recipe": plan.sweep.but(width=width).as_dict(),
                "seeds": list(range(context.plan.sweep_seeds)),
            }
            for width in reversed(plan.widths)  # the longest first: better shared by two processes
        ]
        results = context.cells(
            "nets",
            fit_nets,
            arguments,
            label="width sweep",
            estimate=plan.seconds["width_sweep"],
        )
        return _stacked(plan.widths, results[::-1])

    return remembered("width_sweep", context, compute)


def decay_sweep(context: Context) -> Sweep:
    """The baseline net over weight decays; members of one ensemble differ by their decay."""
    return remembered(
        "decay_sweep",
        context,
        lambda: member_sweep(
            context,
            context.recipe,
            "weight_decay",
            context.plan.decays,
            stage="nets",
            label="weight-decay sweep",
        ),
    )


def member_sweep(
    context: Context,
    recipe: Recipe,
    vector: str,
    values: Sequence[float],
    *,
    stage: str,
    label: str,
) -> Sweep:
    """A recipe over values of one of its numbers; members of one ensemble differ by it alone."""
    arguments = [
        {
            "dataset": context.dataset,
            "split": context.split_keys[0].as_dict(),
            "recipe": recipe.as_dict(),
            "seeds": [seed] * len(values),
            "vectors": {vector: list(values)},
        }
        for seed in range(context.plan.sweep_seeds)
    ]
    estimate = context.plan.sweep_seeds * len(values) * cost_of_one(context, recipe)
    results = context.cells(stage, fit_nets, arguments, label=label, estimate=estimate)
    return Sweep(
        np.asarray(values),
        np.stack([r["validation"] for r in results], axis=1),
        np.stack([r["held"] for r in results], axis=1),
        np.stack([r["train_error"] for r in results], axis=1),
        np.full(len(values), results[0]["parameters"]),
    )


def out_of_fold_predictions(
    context: Context, rows: np.ndarray, *, stage: str, name: str
) -> OutOfFold:
    """Out-of-fold predictions of `rows`, averaged over seeds; for classes by other models too.

    The nets stop early on a tenth of the rows that they may see, before they memorise wrong labels.
    """

    def compute() -> OutOfFold:
        recipe = context.recipe.but(early_stopping=True)
        # Times or few groups may leave fewer folds than asked for.
        n_folds = len(folds(context.dataset, rows, FOLDS, context.plan.seed))
        cells = [
            {
                "dataset": context.dataset,
                "rows": rows,
                "n_folds": FOLDS,
                "fold": fold,
                "fold_seed": context.plan.seed,
                "recipe": recipe.as_dict(),
                "seeds": list(range(context.plan.fold_seeds)),
            }
            for fold in range(n_folds)
        ]
        results = context.cells(
            stage,
            out_of_fold,
            cells,
            label=f"out-of-fold nets ({name})",
            estimate=n_folds * context.plan.fold_seeds * cost_of_one(context, recipe)
            + context.plan.fold_seeds
            * len(rows)
            / 1000
            * context.plan.seconds["a_thousand_predictions"],
        )
        order = np.concatenate([r["rows"] for r in results])
        p = np.concatenate([context.probabilities(r["logits"]).mean(axis=0) for r in results])
        back = np.argsort(order, kind="stable")
        others = _fold_models(context, rows, n_folds, stage=stage, name=name)
        models = None if others is None else np.concatenate([p[None], others])[:, back]
        return OutOfFold(order[back], p[back], models)

    return remembered(f"out_of_fold/{name}", context, compute)


def _fold_models(
    context: Context, rows: np.ndarray, n_folds: int, *, stage: str, name: str
) -> np.ndarray | None:
    """(Q, n, k) of models of other kinds in the order of the folds; None where they do not fit."""
    dataset = context.dataset
    if not context.classification:
        return None
    cells = [
        {
            "dataset": dataset,
            "rows": rows,
            "n_folds": FOLDS,
            "fold": fold,
            "fold_seed": context.plan.seed,
        }
        for fold in range(n_folds)
    ]
    preprocessor = context.splits[0].preprocessor
    columns = min(preprocessor.n_flat, TREE_FEATURES if preprocessor.kind == "image" else np.inf)
    estimate = seconds_of_models(len(rows), int(columns), len(dataset.classes), n_folds)
    try:
        results = context.cells(
            stage, fold_models, cells, label=f"out-of-fold models ({name})", estimate=estimate
        )
    except NotAffordable:
        return None
    return np.concatenate([r["p"] for r in results], axis=1)


def subset_curve(context: Context) -> Sweep:
    """The baseline net with early stopping on growing random parts of the training rows."""

    def compute() -> Sweep:
        n = len(fitted_rows(context.dataset, context.split_keys[0], context.recipe.rows))
        sizes = curve_sizes(n, context.plan.fractions, len(context.dataset.classes) or 1)
        recipe = context.recipe.but(early_stopping=True)
        arguments = [
            {
                "dataset": context.dataset,
                "split": context.split_keys[0].as_dict(),
                "recipe": recipe.as_dict(),
                "size": size,
                "seeds": list(range(context.plan.curve_seeds)),
            }
            for size in sizes
        ]
        results = context.cells(
            "nets",
            fit_subsets,
            arguments,
            label="learning curve",
            estimate=context.plan.curve_seeds * len(sizes) * cost_of_one(context, recipe),
        )
        validation = np.stack([r["validation"] for r in results])
        empty = np.zeros((len(sizes), context.plan.curve_seeds))
        return Sweep(np.asarray(sizes, float), validation, validation[:, :, :0], empty, empty[:, 0])

    return remembered("subset_curve", context, compute)


def curve_sizes(n: int, fractions: Sequence[float], n_outputs: int) -> list[int]:
    """Sizes of the learning curve: fractions of n that leave some rows for every class."""
    fewest = max(20, 3 * n_outputs)
    return sorted({size for f in fractions if (size := round(f * n)) >= min(fewest, n)})
