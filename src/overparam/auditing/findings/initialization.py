"""Do signals and gradients reach all layers of the net before it is trained?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from overparam.auditing.answers import Answer, NotApplicable
from overparam.auditing.context import Context
from overparam.auditing.measurements import own_argument
from overparam.auditing.net_cells import views
from overparam.auditing.recipes import Recipe, features, module_factory
from overparam.auditing.registry import finding
from overparam.diagnostics.initialization import InitReport, check_initialization
from overparam.evidence.intervals import t_statistic
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence
from overparam.report import figures

TINY = 1e-38  # as small as a gradient can be in float32; of a dead net it is 0
SEEDS = 3
ROWS = 128
DECADES = 2.0
RATIO = 4.0
DEEP = 4  # layers from which the ratio of depth and width means anything


@finding(
    "OP007",
    "initialization",
    title="Does it start well?",
    order=-1,
    paper="deep-learning-theory",
    thresholds={
        "decades": (
            DECADES,
            "a hundredfold gradient in the first layer, or a hundredth, is what training feels",
        ),
        "ratio": (RATIO, "the theory's best depth over width is an order of magnitude"),
    },
)
def initialization(context: Context) -> Answer:
    """Whether the untrained net passes signals and gradients on through all of its layers.

    How: your own net where one is given, else the baseline net, is built with three seeds and sees
    a batch of training rows. Measured are the mean square of every layer's preactivations and the
    squared gradient with respect to them; both are set beside the theory of wide nets, in which a
    critical initialisation keeps them from layer to layer.

    Why: where gradients shrink or grow at every layer, the first layers of a deep net stand still
    or diverge, whatever the data. Too deep for its width, a net of any initialisation has gradients
    that differ wildly from seed to seed.

    What to do: draw the weights at criticality (`overparam.nets.init.critical_`), or add
    normalisation; take a wider net where the depth is far beyond the theory's best. Where a layer's
    factor is off but the whole is within a hundredfold, the outcome is a tip; of a net with
    normalisation layers the whole alone is judged.
    """
    recipe = context.plan.own or context.recipe
    reports = _reports(context, recipe)
    decades = np.array([_decades(report) for report in reports])
    statistic = t_statistic(decades, "powers of ten between first and last layer's gradient")
    mean = statistic.value
    table = pl.concat(
        report.table.select("layer", "name", "width", "C_W", "gradient", "gradient_critical")
        .with_columns(seed=pl.lit(seed))
        .with_columns(pl.col("layer").cast(pl.Int64))
        for seed, report in enumerate(reports)
    )
    evidence = Evidence(
        table,
        statistic,
        more_than(DECADES),
        _figure(table),
    )
    first = reports[0]
    layers = len(first.table)
    # Normalised layers are no chain to be compared with the theory's: there the whole decides.
    chain = not first.normalised
    off = chain and any(report.verdict != "critical" for report in reports)
    deep = layers >= DEEP and first.aspect_ratio > RATIO * first.optimal_aspect_ratio and chain
    name = "your net" if recipe is context.plan.own else "the baseline net"
    headline, action = _words(name, first, mean, layers, off=off, deep=deep)
    lost = mean > DECADES
    return Answer(
        evidence,
        headline,
        action,
        details=[
            f"A layer changes the signal by {first.signal_factor:.3g} and the squared gradient by "
            f"{first.gradient_factor:.3g}, relative to a critical net (seed 0).",
            f"Depth over width is {first.aspect_ratio:.2g} with {layers} layers of weights; the "
            f"theory's best is about {first.optimal_aspect_ratio:.2g}.",
            *first.notes,
        ],
        caption="Squared gradient by layer, relative to the last: three seeds, and a critical net.",
        outcome="issue" if lost else "tip" if off or deep else "fine",
    )


def _reports(context: Context, recipe: Recipe) -> list[InitReport]:
    view, _, _ = views(context.dataset, context.split_keys[0], recipe.rows)
    X = features(recipe, view)
    factory = module_factory(recipe, view.preprocessor, X, **own_argument(context, recipe))
    n_features, n_outputs = int(np.prod(X.shape[1:])), len(context.dataset.classes) or 1
    try:
        return [
            check_initialization(factory(n_features, n_outputs, seed), X[:ROWS], random_state=seed)
            for seed in range(SEEDS)
        ]
    except ValueError as reason:
        raise NotApplicable(f"the net cannot be checked: {reason}") from reason


def _decades(report: InitReport) -> float:
    """Powers of ten, up or down, by which the first layer's gradient leaves a critical net's."""
    first = report.table["gradient"][0] / report.table["gradient_critical"][0]
    return abs(math.log10(max(first, TINY)))


def _figure(table: pl.DataFrame) -> dict[str, Any]:
    measured = table.select(
        "layer", squared_gradient="gradient", part=pl.format("seed {}", pl.col("seed"))
    )
    critical = table.filter(seed=0).select(
        "layer", squared_gradient="gradient_critical", part=pl.lit("critical")
    )
    return figures.curve(
        pl.concat([measured, critical]).with_columns(pl.col("layer").cast(pl.String)),
        "layer",
        "squared_gradient",
        color="part",
        log_y=True,
        x_title="layer of weights",
        y_title="squared gradient (log)",
    )


def _words(
    name: str, report: InitReport, decades: float, layers: int, *, off: bool, deep: bool
) -> tuple[str, str]:
    capital = name[0].upper() + name[1:]
    if decades > DECADES:
        way = "grow" if report.gradient == "explode" else "shrink"
        return (
            f"Gradients {way} on their way through {name}: the first of {layers} layers is "
            f"{decades:.1f} powers of ten from a critical start.",
            report.fix or "Draw the weights at criticality, or add normalisation layers.",
        )
    if off:
        return (
            f"{capital} starts away from criticality ({report.verdict}); over its {layers} layers "
            f"that is a factor of {10**decades:.2g}, which training survives.",
            (report.fix or "Nothing at this depth.") + " It matters once the net gets deeper.",
        )
    if deep:
        return (
            f"{capital} is deep for its width: depth over width is {report.aspect_ratio:.2g}, the "
            f"theory's best about {report.optimal_aspect_ratio:.2g}.",
            "Take a wider net or fewer layers: gradients differ much from seed to seed.",
        )
    return (
        f"{capital} starts well: through its {layers} layers the squared gradient changes by a "
        f"factor of {10**decades:.2g}.",
        "Nothing to do.",
    )
