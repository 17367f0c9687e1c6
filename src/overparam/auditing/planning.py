"""Making the plan: nets, rows, passes, seeds and widths that this data and budget allow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from overparam.auditing.baselines import NAMES
from overparam.auditing.budget import SHARES
from overparam.auditing.cost import RATE, multiply_adds, stopping_cost, training_seconds
from overparam.auditing.forecast_cell import affordable_rows, expected_seconds
from overparam.auditing.net_cells import SCORED_VALIDATION, fit_and_held
from overparam.auditing.options import Options
from overparam.auditing.plan import DECAYS, FOLDS, FRACTIONS, Plan
from overparam.auditing.recipes import (
    ModuleFactory,
    Recipe,
    count_parameters,
    features,
    module_factory,
    perceptron_width,
)
from overparam.data.dataset import Dataset, View
from overparam.evidence.errors import UserError

FEW_ROWS = 1000  # below this, candidates are compared over several splits
REPEATS = 5
OWN_SHARE = 0.5  # of the treatments' share, for the user's own model
TRAINED_TREATMENTS = 7  # those that train a recipe of their own
RATIOS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # parameters / (rows x outputs)
SWEEP_EPOCHS = 150  # long enough for the widest net to fit every label
SWEEP_SPEED = 0.6  # stacked perceptrons take so much of what the general rates expect
TARGET_STEPS = 1000
EPOCHS = (12, 80)  # fewest and most passes over the data
FEWEST_ROWS = 2000  # seeds, then passes, are cut before rows fall below this
FEWEST_STEPS = 300  # rows fall below it before training gets shorter than this
BATCHES = ((32, 1000), (64, 4000), (128, 20_000), (256, np.inf))  # size, below so many rows
# Of the baselines' share, for tuning each kind of them; the rest goes to uneven pieces of work.
TUNING = {"gradient-boosting": 0.35, "logistic-regression": 0.15, "wide-limit": 0.15}
LITTLE_TUNING = 0.05
NETS_FOR_RECIPE = 0.7  # of the nets' share; the width sweep has the rest
PROBES = 20.0  # seconds of findings that train no net of the recipe; each is one piece of work
PROBES_SHARE = 0.07  # of the budget, at most; findings that it does not reach are left out
UNEVEN = 1.2  # pieces do not divide evenly, and busy cores share their memory
FORECAST = 0.03  # of the budget, for the spectrum that forecasts the error of more rows


@dataclass(frozen=True)
class Seeds:
    """How often nets are trained; see `Plan`."""

    replicas: int
    treatment: int
    sweep: int
    curve: int
    fold: int
    fractions: tuple[float, ...]

    def findings(self, repeats: int, stopping: float) -> float:
        """Trainings of the baseline net that the findings need.

        Of those that stop early, each counts `stopping` times.
        """
        curve = self.curve * len(self.fractions)  # the steps are fixed, whatever the fraction
        usual = self.replicas * repeats + self.sweep * len(DECAYS)
        return usual + stopping * (FOLDS * self.fold + curve)

    def treatments(self, repeats: int, stopping: float) -> float:
        """Trainings that treatments need: their recipes, and out-of-fold nets on later splits."""
        folds = stopping * FOLDS * self.fold * (repeats - 1)
        return TRAINED_TREATMENTS * self.treatment * repeats + folds


MANY = Seeds(8, 5, 3, 4, 2, FRACTIONS)
SPLITS = Seeds(8, 2, 3, 4, 2, FRACTIONS)  # several splits bring their own repetition
FEW = Seeds(8, 3, 2, 3, 1, FRACTIONS[1:])  # where nets are dear


def make_plan(
    dataset: Dataset, options: Options, *, metric: str, jobs: int, own: ModuleFactory | None = None
) -> Plan:
    """Choose nets, rows, passes, seeds and widths for this data within the budget."""
    split = dataset.split(options.seed)
    n_fit = len(fit_and_held(dataset, split.train.rows, options.seed)[0])
    n_outputs = len(dataset.classes) or 1
    repeats = REPEATS if dataset.n < FEW_ROWS and dataset.test_rows is None else 1
    forecast_rows = affordable_rows(n_fit, FORECAST * options.budget)
    forecast_seconds = expected_seconds(forecast_rows)
    # The forecast is one piece of work: all processes wait for it.
    alone = forecast_seconds + min(PROBES, PROBES_SHARE * options.budget)
    nets = max(SHARES["nets"] * options.budget - alone, 0.0) * jobs / UNEVEN
    cost = _CostOf(split.train, len(split.validation), n_outputs)
    recipe, seeds = _within_budget(
        cost,
        n_fit,
        repeats,
        nets=NETS_FOR_RECIPE * nets,
        treatments=SHARES["treatments"] * options.budget * jobs,
    )
    own_recipe = own_seconds = None
    if options.model:
        theirs = _CostOf(split.train, len(split.validation), n_outputs, options.model, own)
        fits = (
            seeds.treatment * repeats / (OWN_SHARE * SHARES["treatments"] * options.budget * jobs)
        )
        own_recipe = _shortened(recipe.but(net=options.model), lambda r: theirs(r) * fits <= 1)
        own_seconds = theirs(own_recipe)
    sweep_rows, sweep_seconds = _sweep_rows(
        n_fit, n_outputs, seeds.sweep, (1 - NETS_FOR_RECIPE) * nets
    )
    flat = split.preprocessor.n_flat
    widths = sorted({perceptron_width(r * sweep_rows * n_outputs, flat, n_outputs) for r in RATIOS})
    choices = []
    if recipe.rows < n_fit:
        choices.append(
            f"findings and treatments train nets on {recipe.rows:,} of {n_fit:,} training rows"
        )
    if own_recipe and own_recipe.epochs * own_recipe.rows < recipe.epochs * recipe.rows:
        choices.append(
            f"your model is trained on {own_recipe.rows:,} rows for {own_recipe.epochs} passes, "
            f"the baseline net on {recipe.rows:,} for {recipe.epochs}: it costs more a step"
        )
    if sweep_rows < n_fit:
        choices.append(f"the width sweep uses {sweep_rows:,} of {n_fit:,} training rows")
    return Plan(
        options=options,
        fingerprint=dataset.fingerprint,
        seed=options.seed,
        jobs=jobs,
        budget=options.budget,
        metric=metric,
        repeats=repeats,
        replicas=seeds.replicas,
        treatment_seeds=seeds.treatment,
        sweep_seeds=seeds.sweep,
        curve_seeds=seeds.curve,
        fold_seeds=seeds.fold,
        fractions=seeds.fractions,
        baseline=recipe,
        own=own_recipe,
        sweep=Recipe(
            "perceptron", 0, sweep_rows, SWEEP_EPOCHS, min(_batch(sweep_rows), 64), weight_decay=0.0
        ),
        sweep_rows=sweep_rows,
        widths=tuple(widths),
        forecast_rows=forecast_rows,
        baseline_parameters=cost.parameters,
        baseline_seconds=_baseline_seconds(dataset.task, options.budget, jobs, repeats),
        reserve_seconds=SHARES["reserve"] * options.budget,
        seconds={
            "one_net": cost(recipe),
            **({} if own_seconds is None else {"your_model": own_seconds}),
            "width_sweep": sweep_seconds,
            "forecast": forecast_seconds,
            "a_thousand_predictions": cost.of_predictions(1000),
        },
        choices=tuple(choices),
    )


class _CostOf:
    """Seconds of one thread of the baseline net, or of the user's own `net`, on this data."""

    def __init__(
        self,
        train: View,
        n_validation: int,
        n_outputs: int,
        net: str | None = None,
        own: ModuleFactory | None = None,
    ) -> None:
        self.scored = min(n_validation, SCORED_VALIDATION)
        few = train.take(np.arange(min(len(train), 512)))
        shape = few.preprocessor.shape
        self.image = len(shape) == 3 and min(shape[1:]) >= 8
        recipe = self.recipe(len(few))
        recipe = recipe.but(net=net or recipe.net)
        X = features(recipe, few)
        factory = module_factory(recipe, few.preprocessor, X, own)
        try:
            module = factory(int(np.prod(X.shape[1:])), n_outputs, 0)
            self.parameters = count_parameters(module)
            self.multiply_adds = multiply_adds(module, X.shape[1:])
        except Exception as error:
            if net is None:
                raise
            raise UserError(
                f"model must build a network for examples of shape {X.shape[1:]} and {n_outputs} "
                f"outputs; {net} gave {type(error).__name__}: {error}"
            ) from error

    def recipe(self, rows: int) -> Recipe:
        """The usual recipe on so many rows: passes enough for `TARGET_STEPS`, within limits."""
        batch = _batch(rows)
        return Recipe(
            net="convolutional" if self.image else "tabular",
            width=16 if self.image else 128,
            rows=rows,
            epochs=int(np.clip(np.ceil(TARGET_STEPS * batch / rows), *EPOCHS)),
            batch_size=batch,
        )

    def __call__(self, recipe: Recipe) -> float:
        """Seconds of one of several members that are trained together."""
        members = 4
        return (
            training_seconds(
                self.multiply_adds,
                self.parameters,
                rows=recipe.rows,
                epochs=recipe.epochs,
                batch_size=recipe.batch_size,
                members=members,
                stacked=recipe.net == "tabular",
                predicted=recipe.rows + self.scored,
            )
            / members
        )

    def of_predictions(self, rows: int) -> float:
        """Seconds for one net to predict so many rows."""
        return rows * 2 * self.multiply_adds / RATE


def _batch(rows: int) -> int:
    return next(size for size, limit in BATCHES if rows < limit)


def _within_budget(
    cost: _CostOf, n_fit: int, repeats: int, *, nets: float, treatments: float
) -> tuple[Recipe, Seeds]:
    """The most rows whose trainings fit; below `FEWEST_ROWS`, first fewer seeds, then passes.

    `nets` and `treatments` are seconds of one thread for those of findings and of treatments.
    """

    def fits(recipe: Recipe, seeds: Seeds) -> bool:
        one, stopping = cost(recipe), stopping_cost(recipe.rows, n_fit)
        return (
            one * seeds.findings(repeats, stopping) <= nets
            and one * seeds.treatments(repeats, stopping) <= treatments
        )

    for seeds in (MANY if repeats == 1 else SPLITS, FEW):
        rows = n_fit
        while True:
            if fits(recipe := cost.recipe(rows), seeds):
                return recipe, seeds
            if rows <= FEWEST_ROWS:
                break
            rows = max(int(rows * 0.8), FEWEST_ROWS)
    recipe = cost.recipe(min(n_fit, FEWEST_ROWS))
    return _shortened(recipe, lambda r: fits(r, FEW)), FEW


def _shortened(recipe: Recipe, fits: Callable[[Recipe], bool]) -> Recipe:
    """The recipe with fewer passes, then fewer rows, until it fits or nothing is left to cut."""
    while not fits(recipe) and recipe.epochs * recipe.rows > FEWEST_STEPS * recipe.batch_size:
        recipe = recipe.but(epochs=recipe.epochs - 1)
    while not fits(recipe) and recipe.rows > 200:
        recipe = recipe.but(rows=max(int(recipe.rows * 0.8), 200))
    return recipe


def _baseline_seconds(task: str, budget: float, jobs: int, repeats: int) -> dict[str, float]:
    """Seconds of one thread for one fit of each baseline; together they fit their share."""
    share = SHARES["baselines"] * budget
    # One fit runs in one process: beyond 0.85 of the share more processes do not help it.
    return {
        name: min(TUNING.get(name, LITTLE_TUNING) * share * jobs / repeats, 0.85 * share)
        for name in NAMES[task]
    }


def _sweep_rows(n_fit: int, n_outputs: int, seeds: int, available: float) -> tuple[int, float]:
    """The most rows whose sweep, up to 8 parameters a row and output, fits the budget."""

    def expected(rows: int) -> float:
        return sum(
            training_seconds(
                ratio * rows * n_outputs,
                ratio * rows * n_outputs,
                rows=rows,
                epochs=SWEEP_EPOCHS,
                batch_size=64,
                members=seeds,
                stacked=True,
            )
            for ratio in RATIOS
        )

    rows = n_fit
    while rows > 100 and expected(rows) > available:
        rows = int(rows * 0.9)
    return rows, expected(rows) * SWEEP_SPEED
