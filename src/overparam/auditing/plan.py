"""The plan: every automatic choice of an audit, made before it starts and written to plan.json.

It depends on the data's shape, the options and the budget, never on the load of the machine, so
that an interrupted audit goes on with the same plan and two runs of one plan give one report.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from overparam.auditing.baselines import NAMES
from overparam.auditing.budget import SHARES
from overparam.auditing.cost import RATE, multiply_adds, training_seconds
from overparam.auditing.net_cells import SCORED_VALIDATION
from overparam.auditing.recipes import (
    ModuleFactory,
    Recipe,
    count_parameters,
    features,
    from_dict,
    module_factory,
    perceptron_width,
)
from overparam.data.dataset import Dataset, View
from overparam.evidence.errors import UserError
from overparam.version import __version__

FORMAT = 1
FEW_ROWS = 1000  # below this, treatments are compared over several splits
REPEATS = 5
REPLICAS = 8  # seeds of the baseline net; also the size of the ensemble
TREATMENT_SEEDS = 5
FEWER_SEEDS = 2  # of each treatment where there are several splits
TRAINED_TREATMENTS = 5  # those that train a recipe of their own
SWEEP_SEEDS = 3
CURVE_SEEDS = 4
FOLDS = 5
FOLD_SEEDS = 2
DECAYS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
RATIOS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # parameters / (rows x outputs)
FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)  # of the training rows, for the learning curve
SWEEP_EPOCHS = 150  # long enough for the widest net to fit every label
TARGET_STEPS = 1500
EPOCHS = (12, 80)  # fewest and most passes over the data
FEWEST_ROWS = 2000  # passes are cut before rows fall below this
# Of the baselines' share, for tuning each kind of them.
TUNING = {"gradient-boosting": 0.5, "logistic-regression": 0.25}
LITTLE_TUNING = 0.1
NETS_FOR_RECIPE = 0.6  # of the nets' share; the width sweep has the rest


@dataclass(frozen=True)
class Options:
    """What the user asked for; a different value is a different audit."""

    target: str | None = None
    task: str | None = None
    group: str | None = None
    time: str | None = None
    test: str | None = None
    metric: str | None = None
    budget: float = 300.0
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    rare: str | None = None
    model: str | None = None
    seed: int = 0
    refit: bool = True


@dataclass(frozen=True)
class Plan:
    """The automatic choices.

    Attributes
    ----------
    jobs : int
        Processes that the plan counts on; what cells take is charged divided by it.
    repeats : int
        Train/validation splits on which candidates are compared (one fixed test part).
    baseline : Recipe
        The net that findings examine and treatments start from.
    sweep_rows : int
        Training rows of the width sweep.
    widths : tuple of int
        Hidden widths of the sweep's perceptrons.
    seconds : dict
        Expected seconds of one thread, by part.
    """

    options: Options
    fingerprint: str
    seed: int
    jobs: int
    budget: float
    metric: str
    repeats: int
    replicas: int
    treatment_seeds: int
    baseline: Recipe
    own: Recipe | None
    sweep: Recipe
    sweep_rows: int
    widths: tuple[int, ...]
    decays: tuple[float, ...] = DECAYS
    fractions: tuple[float, ...] = FRACTIONS
    baseline_parameters: int = 0
    baseline_seconds: dict[str, float] = field(default_factory=dict)
    reserve_seconds: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    choices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data; what plan.json holds."""
        return {
            "format": FORMAT,
            "version": __version__,
            "threads_per_process": 1,
            "shares": SHARES,
            **asdict(self),
        }


def make_plan(
    dataset: Dataset, options: Options, *, metric: str, jobs: int, own: ModuleFactory | None = None
) -> Plan:
    """Choose nets, rows, passes, seeds and widths for this data within the budget."""
    split = dataset.split(options.seed)
    n_fit = max(int(0.9 * len(split.train.rows)), 2)
    n_outputs = len(dataset.classes) or 1
    repeats = REPEATS if dataset.n < FEW_ROWS and dataset.test_rows is None else 1
    choices: list[str] = []
    batch_size = next(
        b for b, n in ((32, 1000), (64, 4000), (128, 20000), (256, np.inf)) if n_fit < n
    )
    epochs = int(np.clip(np.ceil(TARGET_STEPS * batch_size / n_fit), *EPOCHS))
    shape = split.preprocessor.shape
    image = len(shape) == 3 and min(shape[1:]) >= 8
    recipe = Recipe(
        net="convolutional" if image else "tabular",
        width=16 if image else 128,
        rows=n_fit,
        epochs=epochs,
        batch_size=batch_size,
    )
    few = split.train.take(np.arange(min(n_fit, 512)))
    cost = _CostOf(recipe, few, n_outputs, min(len(split.validation), SCORED_VALIDATION))
    available = SHARES["nets"] * NETS_FOR_RECIPE * options.budget * jobs
    seeds = TREATMENT_SEEDS if repeats == 1 else FEWER_SEEDS
    # Treatments are trainings of the same nets and have a share of their own.
    fits = _trainings_of_findings(repeats)
    treated = _trainings_of_treatments(repeats, seeds)
    available = min(available, SHARES["treatments"] * options.budget * jobs * fits / treated)
    recipe = _fit_to_budget(recipe, cost, fits, available, choices)
    sweep_rows, sweep_seconds = _sweep_rows(
        n_fit, n_outputs, (1 - NETS_FOR_RECIPE) * SHARES["nets"] * options.budget * jobs
    )
    flat = split.preprocessor.n_flat
    widths = sorted({perceptron_width(r * sweep_rows * n_outputs, flat, n_outputs) for r in RATIOS})
    if sweep_rows < n_fit:
        choices.append(f"the width sweep uses {sweep_rows:,} of {n_fit:,} training rows")
    one = cost(recipe, members=REPLICAS) / REPLICAS
    return Plan(
        options=options,
        fingerprint=dataset.fingerprint,
        seed=options.seed,
        jobs=jobs,
        budget=options.budget,
        metric=metric,
        repeats=repeats,
        replicas=REPLICAS,
        treatment_seeds=seeds,
        baseline=recipe,
        own=recipe.but(net=options.model) if options.model else None,
        sweep=Recipe(
            "perceptron", 0, sweep_rows, SWEEP_EPOCHS, min(batch_size, 64), weight_decay=0.0
        ),
        sweep_rows=sweep_rows,
        widths=tuple(widths),
        baseline_parameters=cost.parameters,
        baseline_seconds=_baseline_seconds(dataset.task, options.budget, jobs, repeats),
        reserve_seconds=SHARES["reserve"] * options.budget,
        seconds={
            "one_net": one,
            "width_sweep": sweep_seconds,
            "a_thousand_predictions": cost.of_predictions(1000),
        },
        choices=tuple(choices),
    )


class _CostOf:
    """Seconds of one thread of a recipe on this data."""

    def __init__(self, recipe: Recipe, few: View, n_outputs: int, scored: int) -> None:
        self.scored = scored
        X = features(recipe, few)
        factory = module_factory(recipe, few.preprocessor, X)
        net = factory(int(np.prod(X.shape[1:])), n_outputs, 0)
        self.parameters = count_parameters(net)
        self.multiply_adds = multiply_adds(net, X.shape[1:])

    def __call__(self, recipe: Recipe, members: int) -> float:
        return training_seconds(
            self.multiply_adds,
            self.parameters,
            rows=recipe.rows,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            members=members,
            stacked=recipe.net != "convolutional",
            predicted=recipe.rows + self.scored,
        )

    def of_predictions(self, rows: int) -> float:
        """Seconds of one thread for one net to predict so many rows."""
        return rows * 2 * self.multiply_adds / RATE


def _trainings_of_findings(repeats: int) -> float:
    """How many trainings of the baseline net the findings need."""
    curve = CURVE_SEEDS * len(FRACTIONS)  # the steps are fixed, whatever the fraction
    return REPLICAS * repeats + SWEEP_SEEDS * len(DECAYS) + FOLDS * FOLD_SEEDS + curve


def _trainings_of_treatments(repeats: int, seeds: int) -> float:
    """How many the treatments need: five recipes, and out-of-fold nets on the later splits."""
    return TRAINED_TREATMENTS * seeds * repeats + FOLDS * FOLD_SEEDS * (repeats - 1)


def _fit_to_budget(
    recipe: Recipe, cost: _CostOf, fits: float, available: float, choices: list[str]
) -> Recipe:
    """Cut rows to `FEWEST_ROWS`, then passes, then rows again until the estimate fits."""

    def expected(r: Recipe) -> float:
        return fits * cost(r, members=REPLICAS) / REPLICAS

    n_fit = recipe.rows
    while expected(recipe) > available and recipe.rows > FEWEST_ROWS:
        recipe = recipe.but(rows=max(int(recipe.rows * 0.8), FEWEST_ROWS))
    while expected(recipe) > available and recipe.epochs > EPOCHS[0] // 2:
        recipe = recipe.but(epochs=recipe.epochs - 1)
    while expected(recipe) > available and recipe.rows > 200:
        recipe = recipe.but(rows=max(int(recipe.rows * 0.8), 200))
    if recipe.rows < n_fit:
        choices.append(
            f"findings and treatments train nets on {recipe.rows:,} of {n_fit:,} training rows"
        )
    return recipe


def _baseline_seconds(task: str, budget: float, jobs: int, repeats: int) -> dict[str, float]:
    """Seconds of one thread for one fit of each baseline; together they fit their share."""
    share = SHARES["baselines"] * budget
    # One fit runs in one process: beyond 0.85 of the share more processes do not help it.
    return {
        name: min(TUNING.get(name, LITTLE_TUNING) * share * jobs / repeats, 0.85 * share)
        for name in NAMES[task]
    }


def _sweep_rows(n_fit: int, n_outputs: int, available: float) -> tuple[int, float]:
    """The most rows whose sweep, up to 8 parameters a row and output, fits the budget."""

    def expected(rows: int) -> float:
        return sum(
            training_seconds(
                ratio * rows * n_outputs,
                ratio * rows * n_outputs,
                rows=rows,
                epochs=SWEEP_EPOCHS,
                batch_size=64,
                members=SWEEP_SEEDS,
                stacked=True,
            )
            for ratio in RATIOS
        )

    rows = n_fit
    while rows > 100 and expected(rows) > available:
        rows = int(rows * 0.9)
    return rows, expected(rows)


def write_plan(plan: Plan, path: Path) -> None:
    """Write plan.json in one step, so that a killed audit never leaves half of it."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(plan.to_json(), indent=1) + "\n")
    os.replace(partial, path)


def read_plan(path: Path) -> Plan | None:
    """The plan of an earlier run, or None where there is none that this version can follow."""
    try:
        raw = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if raw.get("format") != FORMAT or raw.get("version") != __version__:
        return None
    known = {name: raw[name] for name in Plan.__dataclass_fields__}
    options = raw["options"]
    for name in ("only", "ignore", "drop"):
        options[name] = tuple(options[name])
    known["options"] = Options(**options)
    for name in ("baseline", "sweep", "own"):
        known[name] = from_dict(known[name]) if known[name] else None
    for name in ("widths", "decays", "fractions", "choices"):
        known[name] = tuple(known[name])
    return Plan(**known)


def check_same(plan: Plan, dataset: Dataset, options: Options, where: str) -> None:
    """Refuse to mix two audits in one folder; the text names what differs."""
    if plan.fingerprint != dataset.fingerprint:
        raise UserError(
            f"out must not hold the audit of other data; {where} does. Choose another --out, or "
            "--fresh to start over."
        )
    differing = [
        f"{name} was {getattr(plan.options, name)!r}, now {getattr(options, name)!r}"
        for name in Options.__dataclass_fields__
        if getattr(plan.options, name) != getattr(options, name)
    ]
    if differing:
        raise UserError(
            f"out must not hold an audit with other options; in {where} {_listed(differing)}. "
            "Choose another --out, or --fresh to start over."
        )


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
