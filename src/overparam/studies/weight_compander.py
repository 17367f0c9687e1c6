"""Weight Compander: A Simple Weight Reparameterization for Regularization (arXiv 2306.16993).

Of the paper the abstract alone was read: claims, thresholds and settings are this package's own.
Small images with wrong labels show what companding does at one learning rate (C1) and what is left
of it when each arm has its best rate (C1b, C1c), with right labels (C1d) and in a net without
normalisation (C1e); what becomes of the weights (C2, C3); whether the shape can be learnt (C4) and
combined with dropout and decay (C5); and what three whole data sets say (C6).

Rates are searched on validation rows, whose labels are as wrong as those of the training rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from overparam.evidence.cells import batched, fixed, grid, run
from overparam.evidence.intervals import t_statistic
from overparam.evidence.regions import less_than, more_than
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import seed_means, worst_interval
from overparam.evidence.verdict import Evidence, judged
from overparam.report.figures import curve, forest
from overparam.studies.study import Study
from overparam.studies.weight_compander_cells import ZEROED, real_data, trained

study = Study("weight-compander")

GAIN, SHARPER, SHARPER_DROPPED = 0.015, -0.2, -0.05  # accuracy and log loss at one rate
TUNED = 0.01  # accuracy, each arm at its best rate
CALMER = -0.1  # log loss with right labels
EMPTIER = 0.7  # near-zero share over plain's
BOUNDED, FLAT = 2.1, 1.9  # largest weight in standard deviations, and kurtosis
NEAR_BEST = -0.01  # accuracy of the learnt shape below the best of the grid
USUAL = 0.05
RATES = (0.001, 0.003, 0.01, 0.015, USUAL)
SHAPES = {"a=b=0.25": 0.25, "a=b=0.5": 0.5, "a=b=1": 1.0, "a=b=2": 2.0, "a=b=3": 3.0}
TIGHT, HALF, ONE = "a=b=0.25", "a=b=0.5", "a=b=1"
LEARNT = "learnt from 1"
LAYERS = (1, 2, 3)
NOISE, DROPPED = 0.2, 0.3
DECAY, STRONGER = 5e-4, 5e-3


@study.claim("C1", minutes={"quick": 1.0, "full": 3})
def same_rate(scale: Scale) -> dict[str, Evidence]:
    """At one learning rate, companding (a = b = 0.5) makes nets that over-fit wrong labels more
    accurate and their log loss smaller, with and without dropout."""
    more = ("a=b=0.25", ONE, LEARNT, "learnt from 0.5", "all learnt from 1")
    arms = scale.pick(smoke=("plain", HALF), quick=("plain", HALF), full=("plain", HALF, *more))
    table = pl.concat([nets(scale, arms), nets(scale, ("plain", HALF), dropout=DROPPED)])
    parts = {}
    for dropout, sharper in ((0.0, SHARPER), (DROPPED, SHARPER_DROPPED)):
        of = table.filter(dropout=dropout)
        where = "with dropout" if dropout else "without dropout"
        note = f"Accuracy: {means(of, 'accuracy')}. Log loss: {means(of, 'nll')}."
        gain, change = (gap(of, HALF, "plain", score) for score in ("accuracy", "nll"))
        parts[f"accuracy, {where}"] = t_statistic(gain, "difference"), more_than(GAIN), note
        parts[f"log loss, {where}"] = t_statistic(change, "difference"), less_than(sharper), ""
    words = pl.when(pl.col("dropout") > 0).then(pl.lit(", dropout")).otherwise(pl.lit(""))
    return judged(table, by_arm(table.with_columns(arm=pl.col("arm") + words)), parts)


@study.claim("C1b", minutes={"quick": 1.5, "full": 1.5})
def best_rates(scale: Scale) -> dict[str, Evidence]:
    """With each arm at its best learning rate, companding (a = b = 0.25) still makes nets more
    accurate and their log loss smaller."""
    table = nets(scale, ("plain", TIGHT), rates_of(scale))
    best = at_best_rate(table)
    parts = {
        "accuracy": (
            t_statistic(gap(best, TIGHT, "plain", "accuracy"), "difference"),
            more_than(TUNED),
            taken(best),
        ),
        "log loss": (
            t_statistic(gap(best, TIGHT, "plain", "nll"), "difference"),
            less_than(0),
            f"Log loss: {means(best, 'nll')}.",
        ),
    }
    return judged(table, over_rates(table), parts)


@study.claim("C1c", minutes={"quick": 1.5, "full": 1.5})
def best_rates_with_dropout(scale: Scale) -> Evidence:
    """With dropout, and each arm at its best learning rate, companding still makes nets more
    accurate."""
    table = nets(scale, ("plain", TIGHT), rates_of(scale), dropout=DROPPED)
    best = at_best_rate(table)
    statistic = t_statistic(gap(best, TIGHT, "plain", "accuracy"), "difference of accuracy")
    note = f"{taken(best)} Log loss: {means(best, 'nll')}."
    return Evidence(table, statistic, more_than(TUNED), over_rates(table), note=note)


@study.claim("C1d", minutes={"quick": 0.3, "full": 0.7})
def right_labels(scale: Scale) -> dict[str, Evidence]:
    """With right labels, at one learning rate, companding (a = b = 1) makes nets more accurate and
    their log loss smaller."""
    table = clean(scale)
    parts = {
        "accuracy": (
            t_statistic(gap(table, ONE, "plain", "accuracy"), "difference"),
            more_than(0),
            f"Accuracy: {means(table, 'accuracy')}.",
        ),
        "log loss": (
            t_statistic(gap(table, ONE, "plain", "nll"), "difference"),
            less_than(CALMER),
            f"Log loss: {means(table, 'nll')}.",
        ),
    }
    return judged(table, by_arm(table), parts)


@study.claim("C1e", minutes={"quick": 1.0, "full": 2.5})
def small_signals(scale: Scale) -> Evidence:
    """Companding (a = b = 1) makes a net without normalisation more accurate on one-dimensional
    signals with right labels (MNIST-1D)."""
    arms = scale.pick(smoke=("plain", ONE), quick=("plain", ONE), full=("plain", ONE, "a=b=2"))
    changes: dict[str, Any] = scale.pick(
        smoke={},
        quick={"source": "mnist1d", "n": 4000, "test": 1000, "widths": fixed((256, 256))},
        full={"source": "mnist1d", "n": 4000, "test": 1000, "widths": fixed((256, 256))},
    )
    if changes:
        changes |= {"epochs": 30}
    changes |= {"held": 0, "normalised": False}
    table = nets(scale, arms, (0.1,), noise=0.0, **changes)
    statistic = t_statistic(gap(table, ONE, "plain", "accuracy"), "difference of accuracy")
    note = (
        f"Accuracy: {means(table, 'accuracy')}. On the training rows: "
        f"{means(table, 'train_accuracy')}. Log loss: {means(table, 'nll')}."
    )
    return Evidence(table, statistic, more_than(0), by_arm(table), note=note)


@study.claim("C2", minutes={"quick": 0.4, "full": 0.4})
def weights_leave_zero(scale: Scale) -> dict[str, Evidence]:
    """Companding (a = b = 1) bounds the large weights and empties the neighbourhood of zero, in
    every layer, with wrong and with right labels."""
    noisy = nets(scale, ("plain", ONE))
    right = clean(scale).filter(pl.col("arm").is_in(["plain", ONE]))
    table = pl.concat([noisy, right], how="diagonal")
    parts = {}
    for name, of in (("wrong labels", noisy), ("right labels", right)):
        emptier = layers(of, ONE, "near_zero") / layers(of, "plain", "near_zero")
        start = layers(of, ONE, "start_near_zero")
        now = layers(of, ONE, "near_zero")
        note = (
            f"Near zero by layer: {listed(start.mean(0))} at the start, by the change of variables "
            f"alone; {listed(now.mean(0))} after training; plain nets "
            f"{listed(layers(of, 'plain', 'near_zero').mean(0))}."
        )
        for figure, values, region in (
            ("near-zero share over plain's", emptier, less_than(EMPTIER)),
            ("largest over deviation", layers(of, ONE, "largest"), less_than(BOUNDED)),
            ("kurtosis", layers(of, ONE, "kurtosis"), less_than(FLAT)),
        ):
            worst = worst_interval(values, region, "of the worst layer")
            parts[f"{figure}, {name}"] = worst, region, note if figure.startswith("near") else ""
    return judged(table, before_and_after(noisy), parts)


@study.claim("C3", minutes={"quick": 0.1, "full": 0.1})
def redundant_weights(scale: Scale) -> dict[str, Evidence]:
    """Of companded nets (a = b = 0.25) more weights can be zeroed at random than of plain nets that
    are as accurate, and more of them take part."""
    every = nets(scale, ("plain", TIGHT), rates_of(scale))
    companded = every.filter(arm=TIGHT, learning_rate=rates_of(scale)[-1])
    plain = alike(every.filter(arm="plain"), companded)
    table = pl.concat([plain, companded])
    ahead = gap(table, "plain", TIGHT, "accuracy")
    left = np.mean([gap(table, "plain", TIGHT, f"kept@{share:g}") for share in ZEROED], axis=0)
    effective = layers(table, TIGHT, "effective") / layers(table, "plain", "effective")
    parts = {
        "fall of plain minus fall of companded": (
            t_statistic(ahead - left, "accuracy, mean over shares"),
            more_than(0),
            f"The plain nets that are as accurate have rate {plain['learning_rate'][0]:g}. "
            f"Accuracy: {means(table, 'accuracy')}.",
        ),
        "effective number of weights over plain's": (
            worst_interval(effective, more_than(1), "ratio, of the worst layer"),
            more_than(1),
            "",
        ),
    }
    return judged(table, over_shares(table), parts)


@study.claim("C4", minutes={"quick": 1.2, "full": 1.2})
def learnt_shape(scale: Scale) -> Evidence:
    """A shape that is learnt (from a = b = 1) needs no search: it is nearly as good as the best of
    a grid of fixed ones."""
    learnt = (LEARNT, "learnt from 0.5", "all learnt from 1")
    table = nets(scale, (*SHAPES, *learnt))
    best = max(SHAPES, key=lambda arm: column(table, arm, "validation_accuracy").mean())
    statistic = t_statistic(gap(table, LEARNT, best, "accuracy"), "difference of accuracy")
    moved = [
        f"a {listed(layers(table, LEARNT, f'{when}a').mean(0))}, "
        f"b {listed(layers(table, LEARNT, f'{when}b').mean(0))}"
        for when in ("start_", "")
    ]
    note = (
        f"Best of the grid on validation rows: {best}. Accuracy: {means(table, 'accuracy')}. "
        f"By layer, learnt from 1: {moved[0]} at the start; {moved[1]} at the end."
    )
    return Evidence(table, statistic, more_than(NEAR_BEST), over_shapes(table), note=note)


@study.claim("C5", minutes={"quick": 0.5, "full": 0.5})
def combines(scale: Scale) -> dict[str, Evidence]:
    """Companding (a = b = 0.5) adds to dropout and to weight decay: accuracy rises and log loss
    falls in every combination."""
    settings: dict[str, dict[str, Any]] = {
        "decay 5e-4": {},
        "decay 5e-4, dropout": {"dropout": DROPPED},
        "decay 5e-3": {"decay": STRONGER},
    }
    tables = {name: nets(scale, ("plain", HALF), **changes) for name, changes in settings.items()}
    gaps = {
        score: np.stack([gap(of, HALF, "plain", score) for of in tables.values()], axis=1)
        for score in ("accuracy", "nll")
    }
    parts = {
        score: (
            worst_interval(gaps[key], region, "difference, in the worst combination"),
            region,
            "",
        )
        for score, key, region in (
            ("accuracy", "accuracy", more_than(0)),
            ("log loss", "nll", less_than(0)),
        )
    }
    rows = [
        {"what": name, "difference": value}
        for name, values in zip(tables, gaps["accuracy"].T, strict=True)
        for value in values
    ]
    figure = differences(pl.DataFrame(rows), "accuracy, companded minus plain")
    return judged(pl.concat(tables.values()), figure, parts)


@study.claim("C6", minutes={"quick": 1.0, "full": 2})
def whole_data_sets(scale: Scale) -> dict[str, Evidence]:
    """On digits, breast cancer and diabetes (a regression) companding (a = b = 0.5) lowers the
    loss, each arm at its best learning rate.

    The specification has no threshold here: the sign decides, and log loss or squared error is
    what is compared.
    """
    sources = scale.pick(
        smoke=["diabetes"],
        quick=["digits", "breast-cancer", "diabetes"],
        full=["digits", "breast-cancer", "diabetes"],
    )
    table = run(
        real_data,
        grid(
            source=sources,
            arm=["plain", HALF],
            seed=scale.pick(smoke=[0, 1], quick=list(range(5)), full=list(range(10))),
            rates=fixed(RATES),
            widths=fixed(scale.pick(smoke=(8,), quick=(128, 128), full=(128, 128))),
            epochs=scale.pick(smoke=2, quick=25, full=25),
        ),
    )
    parts, rows = {}, []
    for source in sources:
        of = table.filter(source=source)
        change = gap(of, HALF, "plain", "loss")
        what = "variance explained" if source == "diabetes" else "accuracy"
        note = f"Loss: {means(of, 'loss')}. {what.capitalize()}: {means(of, 'accuracy')}."
        parts[source] = t_statistic(change, "difference of loss"), less_than(0), note
        rows += [{"what": source, "difference": value} for value in change]
    return judged(table, differences(pl.DataFrame(rows), "loss, companded minus plain"), parts)


# --- what is trained ----------------------------------------------------------------------------


def nets(
    scale: Scale,
    arms: Sequence[str],
    rates: Sequence[float] = (USUAL,),
    *,
    dropout: float = 0.0,
    noise: float = NOISE,
    decay: float = DECAY,
    **changes: Any,
) -> pl.DataFrame:
    """A row an arm, rate and seed."""
    large = {"source": "fashion-mnist", "n": 1000, "held": 1000, "test": 4000, "epochs": 25}
    sizes: dict[str, Any] = scale.pick(
        smoke={"source": "digits", "n": 60, "held": 40, "test": 100, "epochs": 2},
        quick=large,
        full=large,
    )
    widths = fixed(scale.pick(smoke=(8, 8), quick=(128, 128), full=(128, 128)))
    table = run(
        trained,
        grid(
            arm=list(arms),
            learning_rate=list(rates),
            seed=batched(range(scale.pick(smoke=2, quick=6, full=6))),
            **{
                "weight_decay": decay,
                "dropout": dropout,
                "noise": noise,
                "widths": widths,
                **sizes,
                **changes,
            },
        ),
    )
    constants = {"dropout": dropout, "noise": noise, "decay": decay}
    return table.with_columns(**{name: pl.lit(value) for name, value in constants.items()})


def rates_of(scale: Scale) -> tuple[float, ...]:
    """The learning rates that are searched."""
    return scale.pick(smoke=(0.01, USUAL), quick=RATES, full=RATES)


def clean(scale: Scale) -> pl.DataFrame:
    """Nets on right labels, at one rate."""
    arms = ("plain", ONE)
    more = scale.pick(smoke=arms, quick=arms, full=(*arms, "a=b=3", "a=2, b=1"))
    return nets(scale, more, noise=0.0)


def at_best_rate(table: pl.DataFrame) -> pl.DataFrame:
    """Each arm's rows at the rate of the highest mean validation accuracy."""
    scores = table.group_by("arm", "learning_rate", maintain_order=True).agg(
        pl.col("validation_accuracy").mean()
    )
    best = scores.sort("validation_accuracy", descending=True, maintain_order=True)
    chosen = best.unique("arm", keep="first", maintain_order=True).select("arm", "learning_rate")
    return table.join(chosen, on=["arm", "learning_rate"], maintain_order="left")


def alike(candidates: pl.DataFrame, companded: pl.DataFrame) -> pl.DataFrame:
    """The nets of the rate whose mean validation accuracy is nearest to that of the companded."""
    goal = companded["validation_accuracy"].mean()
    scores = candidates.group_by("learning_rate", maintain_order=True).agg(
        (pl.col("validation_accuracy").mean() - goal).abs().alias("distance")
    )
    rate = scores.sort("distance", maintain_order=True)["learning_rate"][0]
    return candidates.filter(learning_rate=rate)


# --- tables and pictures ------------------------------------------------------------------------


def column(table: pl.DataFrame, arm: str, name: str) -> np.ndarray:
    """A figure of an arm in the order of the seeds."""
    return table.filter(arm=arm).sort("seed")[name].to_numpy().astype(float)


def gap(table: pl.DataFrame, arm: str, other: str, name: str) -> np.ndarray:
    """A figure of one arm minus that of another, seed by seed."""
    return column(table, arm, name) - column(table, other, name)


def layers(table: pl.DataFrame, arm: str, name: str) -> np.ndarray:
    """Columns NAME@LAYER of an arm as (seeds, layers)."""
    return np.stack([column(table, arm, f"{name}@{layer}") for layer in LAYERS], axis=1)


def listed(values: np.ndarray) -> str:
    """Numbers in words."""
    return ", ".join(f"{value:.3g}" for value in values)


def means(table: pl.DataFrame, name: str) -> str:
    """An arm's mean figure, arm by arm."""
    arms = table["arm"].unique(maintain_order=True)
    return ", ".join(f"{arm} {column(table, arm, name).mean():.4f}" for arm in arms)


def taken(best: pl.DataFrame) -> str:
    """Which rates were taken, and the accuracy there."""
    rates = best.unique("arm", maintain_order=True).select("arm", "learning_rate").iter_rows()
    words = ", ".join(f"{arm} {rate:g}" for arm, rate in rates)
    return f"Rates by validation rows: {words}. Accuracy: {means(best, 'accuracy')}."


def by_arm(table: pl.DataFrame) -> dict[str, Any]:
    """Test accuracy of each arm."""
    found = seed_means(table, "accuracy", ["arm"])
    return forest(found, "arm", "accuracy", "low", "high", reference=None, x_title="test accuracy")


def over_rates(table: pl.DataFrame) -> dict[str, Any]:
    """Test accuracy over the learning rate."""
    found = seed_means(table, "accuracy", ["arm", "learning_rate"])
    return curve(
        found,
        "learning_rate",
        "accuracy",
        color="arm",
        low="low",
        high="high",
        log_x=True,
        x_title="learning rate",
        y_title="test accuracy",
    )


def over_shapes(table: pl.DataFrame) -> dict[str, Any]:
    """Test accuracy over a = b, with the learnt shapes at their start."""
    starts = {LEARNT: 1.0, "learnt from 0.5": 0.5, "all learnt from 1": 1.0}
    kinds = {"all learnt from 1": "learnt, last layer too"} | dict.fromkeys(SHAPES, "fixed")
    found = seed_means(table, "accuracy", ["arm"])
    found = found.with_columns(
        at=pl.col("arm").replace_strict({**SHAPES, **starts}, return_dtype=pl.Float64),
        shape=pl.col("arm").replace_strict(kinds, default="learnt, last layer fixed"),
    ).sort("shape", "at")
    return curve(
        found,
        "at",
        "accuracy",
        color="shape",
        low="low",
        high="high",
        log_x=True,
        x_title="a = b at the start, in standard deviations",
        y_title="test accuracy",
    )


def over_shares(table: pl.DataFrame) -> dict[str, Any]:
    """Test accuracy over the share of weights that is zeroed."""
    shares = {"accuracy": 0.0} | {f"kept@{share:g}": share for share in ZEROED}
    long = pl.concat(
        table.select("arm", "seed", value=name, share=pl.lit(share))
        for name, share in shares.items()
    )
    found = seed_means(long, "value", ["arm", "share"])
    return curve(
        found,
        "share",
        "value",
        color="arm",
        low="low",
        high="high",
        x_title="share of weights zeroed at random",
        y_title="test accuracy",
    )


def before_and_after(table: pl.DataFrame) -> dict[str, Any]:
    """Share of weights near zero by layer: plain and companded, at the start and after training."""
    long = pl.concat(
        table.select(
            "seed",
            value=f"{prefix}near_zero@{layer}",
            layer=pl.lit(f"layer {layer}"),
            nets=pl.col("arm") + pl.lit(words),
        )
        for layer in LAYERS
        for prefix, words in (("start_", ", at the start"), ("", ", trained"))
    )
    found = seed_means(long, "value", ["layer", "nets"])
    return curve(
        found,
        "layer",
        "value",
        color="nets",
        low="low",
        high="high",
        x_title="",
        y_title="share near zero",
    )


def differences(rows: pl.DataFrame, title: str) -> dict[str, Any]:
    """Columns `what`, `difference`: a dot and an interval each."""
    found = seed_means(rows, "difference", ["what"])
    return forest(found, "what", "difference", "low", "high", x_title=title)
