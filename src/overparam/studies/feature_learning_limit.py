"""Feature Learning in Infinite-Width Neural Networks (arXiv 2011.14522).

How weights, initial variance and learning rate scale with width decides what an infinitely wide
network can do: C1 and C2 measure the exponents that the classification predicts, C3 and C4 compare
finite networks with their feature-learning limit and with the kernel limit, C5 moves a learning
rate from narrow to wide networks, C6 measures how fast the limit is reached.

C3 uses a dictionary of English instead of the paper's corpora, C4 letters of eight fonts instead of
Omniglot. The best rate of C5 is read off a parabola around the least loss: the grid alone moves in
whole octaves, and which of two neighbours wins is luck where the minimum is flat.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from overparam.evidence.cells import fixed, grid, run
from overparam.evidence.intervals import t_statistic
from overparam.evidence.regions import at_least, at_most, between, less_than, more_than
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import by_seed, log_log_slopes, seed_means, worst_interval
from overparam.evidence.verdict import Evidence, judged
from overparam.nets.parametrization import ABC, maximal_update, ntk, standard
from overparam.report.figures import curve, forest
from overparam.studies.feature_learning_limit_cells import (
    CHARACTERS,
    RAREST,
    VOCABULARY,
    distance_to_limit,
    few_shot,
    loss_over_rates,
    parametrized_training,
    word_vectors,
)
from overparam.studies.study import Study

study = Study("feature-learning-limit")

NEAR = 0.25  # C1: of an exponent
MOVES, STILL = -0.1, -0.15  # C2: slopes of what keeps moving, and of what comes to rest
EXPLODES = 1.0  # C1: slope of the output's change; a trainable net has at most 0
ORDERED = 0.9  # C3: rank correlation
BASE = 64  # C5: width at which both parametrisations are the same


@study.claim("C1", minutes={"quick": 0.6, "full": 6})
def exponents_are_as_classified(scale: Scale) -> dict[str, Evidence]:
    """How features and output change with width is read off a, b and c."""
    widths = scale.pick(smoke=[16, 32], quick=[128, 256, 512], full=[128, 256, 512, 1024])
    named = named_parametrizations(2)
    count = scale.pick(smoke=2, quick=8, full=12)
    stable = {**named, **{f"draw {i + 1}": p for i, p in enumerate(draws(2, count))}}
    if scale.name == "full":
        stable |= {f"draw {i + 1}, L = 3": p for i, p in enumerate(draws(3, count))}
    nets = scale.pick(smoke=2, quick=16, full=16)
    tables, misses = [], []
    for name, parametrization in stable.items():
        table = trained(parametrization, widths, scale, nets, kernel=False)
        limit = parametrization.classify()
        for what in ("feature", "output"):
            expected = getattr(limit, f"{what}_exponent")
            measured = slopes(table, what)
            misses.append(measured - expected)
            tables.append(exponent_rows(name, what, measured, expected))
    unstable = trained(standard(2), widths, scale, nets, kernel=False)
    rows = pl.concat(tables)
    near = between(-NEAR, NEAR)
    worst = worst_interval(np.stack(misses, axis=1), near, "worst error of an exponent")
    growth = t_statistic(slopes(unstable, "output"), "slope of the output's change")
    parts = {
        f"{len(stable)} stable ones: near the prediction": (worst, near, ""),
        "standard, c = 0: explodes": (growth, more_than(EXPLODES), ""),
    }
    return judged(rows, exponents_picture(rows), parts)


@study.claim("C2", minutes={"quick": 1.2, "full": 6})
def features_or_kernel(scale: Scale) -> dict[str, Evidence]:
    """A limit that learns either learns features or is kernel descent, never both."""
    widths = scale.pick(smoke=[8, 16], quick=[64, 128, 256], full=[64, 128, 256, 512])
    chosen = named_parametrizations(2)
    if scale.name == "full":
        some = {f"draw {i + 1}": p for i, p in enumerate(draws(2, 12))}
        chosen |= {name: p for name, p in some.items() if p.classify().nontrivial}
    nets = scale.pick(smoke=1, quick=16, full=16)
    moving: list[np.ndarray] = []
    resting: list[np.ndarray] = []
    tables = []
    for name, parametrization in chosen.items():
        table = trained(parametrization, widths, scale, nets, kernel=True)
        learns = parametrization.classify().kind == "feature-learning"
        for what in ("feature", "kernel"):
            measured = slopes(table, what)
            (moving if learns else resting).append(measured)
            tables.append(exponent_rows(name, what, measured, None))
    rows = pl.concat(tables)
    least = worst_interval(np.stack(moving, axis=1), more_than(MOVES), "least slope")
    most = worst_interval(np.stack(resting, axis=1), less_than(STILL), "largest slope")
    parts = {
        "feature learning: features and kernel keep moving": (least, more_than(MOVES), ""),
        "kernel regime: both come to rest": (most, less_than(STILL), ""),
    }
    return judged(rows, exponents_picture(rows), parts)


@study.claim("C3", minutes={"quick": 1.5, "full": 10})
def word_vectors_improve_with_width(scale: Scale) -> dict[str, Evidence]:
    """Word vectors get better with width, the infinitely wide net has the best, and those of the
    kernel limit are random."""
    widths = scale.pick(smoke=[4, 16], quick=[16, 64, 128], full=[8, 16, 32, 64, 128, 512])
    text: dict[str, Any] = scale.pick(
        smoke={"source": "python-topics", "characters": 60_000, "common": 60, "rarest": 5},
        quick={"source": "gcide"},
        full={"source": "gcide"},
    )
    text = {"characters": CHARACTERS, "common": VOCABULARY, "rarest": RAREST, **text}
    steps = scale.pick(smoke=5, quick=500, full=1000)
    axes = grid(width=[*widths, "limit", "ntk"], seed=scale.seeds, rate=30.0, steps=steps, **text)
    table = run(word_vectors, axes)
    score = by_seed(table, "map", "width")
    finite, limit, kernel = score[:, : len(widths)], score[:, -2], score[:, -1]
    times = scale.pick(smoke=3, quick=3, full=5)
    nearest = by_seed(table, "nearest", "width").mean(axis=0)
    note = (
        f"Share of words whose nearest word is of their group: {nearest[0]:.3f} at width "
        f"{widths[0]}, {nearest[-2]:.3f} in the limit, {nearest[-1]:.3f} for random vectors."
    )
    rising = [spearmanr(widths, one).statistic for one in finite]
    parts = {
        "rises with the width": (
            t_statistic(rising, "rank correlation of width and precision"),
            at_least(ORDERED),
            note,
        ),
        "limit at least the widest": (
            t_statistic(limit - finite[:, -1], "limit minus the widest"),
            at_least(0),
            "",
        ),
        f"limit / kernel limit > {times}": (
            t_statistic(limit / kernel, "ratio of mean average precision"),
            more_than(times),
            "",
        ),
    }
    return judged(table, width_curve(table, "map", "mean average precision"), parts)


@study.claim("C4", minutes={"quick": 1, "full": 5})
def few_shot_learning_needs_features(scale: Scale) -> dict[str, Evidence]:
    """Meta-trained on few-shot tasks, the feature-learning limit beats the kernel limit and narrow
    networks."""
    widths = scale.pick(smoke=[2, 8], quick=[2, 8, 32], full=[2, 4, 8, 16, 32, 128])
    cost = scale.pick(
        smoke={"outer_steps": 3, "tasks": 10, "classes": 30},
        quick={"outer_steps": 500, "tasks": 400, "classes": 537},
        full={"outer_steps": 1000, "tasks": 400, "classes": 537},
    )
    axes = grid(
        width=[*widths, "limit", "ntk"], seed=scale.seeds, inner_rate=3.0, outer_rate=2.0, **cost
    )
    table = run(few_shot, axes)
    score = by_seed(table, "accuracy", "width")
    finite, limit, kernel = score[:, : len(widths)], score[:, -2], score[:, -1]
    narrow = finite[:, np.array(widths) <= 8]
    note = "Beyond width 32 finite networks are within the noise of the limit."
    over = worst_interval(limit[:, None] - narrow, more_than(0), "limit minus narrow, least")
    parts = {
        "limit > kernel limit": (
            t_statistic(limit - kernel, "difference of accuracy"),
            more_than(0),
            "",
        ),
        "limit > widths up to 8": (over, more_than(0), note),
        "rises up to width 8": (
            worst_interval(np.diff(narrow), more_than(0), "least step up in width"),
            more_than(0),
            "",
        ),
    }
    return judged(table, width_curve(table, "accuracy", "accuracy, 5-way 1-shot"), parts)


@study.claim("C5", minutes={"quick": 3, "full": 9})
def learning_rates_transfer(scale: Scale) -> dict[str, Evidence]:
    """Under the maximal update parametrisation the best learning rate of a narrow net is that of a
    wide one; under the standard one it is not."""
    widths = scale.pick(smoke=[8, 16], quick=[64, 256, 1024], full=[64, 128, 256, 512, 1024])
    octaves = scale.pick(smoke=range(-9, -3), quick=range(-12, -2), full=range(-12, -1))
    cost = scale.pick(
        smoke={"source": "digits", "rows": 300, "steps": 30, "base": 8},
        quick={"source": "fashion-mnist", "rows": 2000, "steps": 150, "base": BASE},
        full={"source": "fashion-mnist", "rows": 2000, "steps": 150, "base": BASE},
    )
    rates = fixed(tuple(2.0**k for k in octaves))
    axes = grid(maximal=[True, False], width=widths, seed=scale.seeds, rates=rates, **cost)
    table = run(loss_over_rates, axes)
    best = [best_octave(losses, np.array(octaves)) for losses in table["losses"].to_list()]
    table = table.with_columns(best_octave=pl.Series(best)).drop("losses")
    maximal, usual = (
        by_seed(table.filter(maximal=flag), "best_octave", "width") for flag in (True, False)
    )
    moved = [np.abs(v - v[:, :1]).max(axis=1) for v in (maximal, usual)]
    names = table.with_columns(
        parametrisation=pl.when(pl.col("maximal")).then(pl.lit("muP")).otherwise(pl.lit("standard"))
    )
    picture = curve(
        seed_means(names, "best_octave", ["parametrisation", "width"]),
        "width",
        "best_octave",
        color="parametrisation",
        low="low",
        high="high",
        log_x=True,
        x_title="width (log)",
        y_title="log2 of the best learning rate",
    )
    parts = {
        "muP: moves by at most one octave": (
            t_statistic(moved[0], "octaves from the narrowest, most"),
            at_most(1),
            "",
        ),
        "standard: moves by two octaves or more": (
            t_statistic(moved[1], "octaves from the narrowest, most"),
            at_least(2),
            "",
        ),
    }
    return judged(table, picture, parts)


@study.claim("C6", minutes={"quick": 0.2, "full": 0.5})
def finite_nets_approach_the_limit(scale: Scale) -> Evidence:
    """A net of width n is n^-1/2 away from its limit."""
    widths = scale.pick(
        smoke=[50, 100], quick=[100, 1000, 10_000], full=[100, 1000, 10_000, 100_000]
    )
    nets = scale.pick(smoke=2, quick=16, full=16)
    table = run(distance_to_limit, grid(width=widths, seed=scale.seeds, nets=nets))
    picture = curve(
        seed_means(table, "distance", ["width"]),
        "width",
        "distance",
        low="low",
        high="high",
        log_x=True,
        log_y=True,
        x_title="width (log)",
        y_title="distance from the limit (log)",
    )
    slope = t_statistic(slopes(table, "distance"), "slope of log distance on log width")
    return Evidence(table, slope, between(-0.6, -0.4), picture)


def named_parametrizations(n_hidden: int) -> dict[str, ABC]:
    """Those that have names and are stable."""
    return {
        "standard, c = 1": standard(n_hidden, 1.0),
        "NTK": ntk(n_hidden),
        "muP": maximal_update(n_hidden),
        "muP, shifted": maximal_update(n_hidden).shifted(0.3),
    }


def draws(n_hidden: int, count: int) -> list[ABC]:
    """Stable parametrisations on the grid of quarters, in a random order that never changes."""
    quarters = np.arange(-2, 7) / 4
    found = []
    for a_first, a_inner, a_last, sum_last, c in itertools.product(quarters, repeat=5):
        inner = [a_inner] * (n_hidden - 1)
        candidate = ABC(
            [a_first, *inner, a_last],
            [-a_first, *(0.5 - v for v in inner), sum_last - a_last],
            c,
        )
        limit = candidate.classify()
        # Far below n^-1 nothing is measured but rounding, and shifts are the same training.
        if limit.stable and a_inner == 0 and limit.r <= 1 and limit.output_exponent >= -1:
            found.append(candidate)
    order = np.random.default_rng(0).permutation(len(found))
    return [found[i] for i in order[:count]]


def trained(
    parametrization: ABC, widths: list[int], scale: Scale, nets: int, kernel: bool
) -> pl.DataFrame:
    """Changes at every width and seed."""
    exponents = {
        "a": fixed(tuple(parametrization.a)),
        "b": fixed(tuple(parametrization.b)),
        "c": parametrization.c,
    }
    axes = grid(width=widths, seed=scale.seeds, nets=nets, kernel=kernel, **exponents)
    return run(parametrized_training, axes)


def slopes(table: pl.DataFrame, value: str) -> np.ndarray:
    """Slope of log value on log width, for each seed."""
    widths = table["width"].unique(maintain_order=True).to_list()
    return log_log_slopes(widths, by_seed(table, value, "width"))


def best_octave(losses: list[float], octaves: np.ndarray) -> float:
    """Where the parabola closest to the log loss around its least value has its minimum.

    Two octaves to each side: the minimum is flat, and single losses are noisy.
    """
    loss = np.where(np.isfinite(losses), losses, np.inf)
    i = int(np.argmin(loss))
    near = slice(max(i - 2, 0), i + 3)
    x, y = octaves[near].astype(float), np.log(loss[near])
    known = np.isfinite(y)
    if known.sum() < 4:
        return float(octaves[i])
    square, slope, _ = np.polyfit(x[known] - octaves[i], y[known], 2)
    if square <= 0:
        return float(octaves[i])
    return float(octaves[i] + np.clip(-slope / (2 * square), -1, 1))


def exponent_rows(
    name: str, what: str, measured: np.ndarray, expected: float | None
) -> pl.DataFrame:
    """A row a seed."""
    return pl.DataFrame(
        {
            "parametrisation": name,
            "what": what,
            "seed": np.arange(len(measured)),
            "slope": measured,
            "predicted": [expected] * len(measured),
        },
        schema_overrides={"predicted": pl.Float64},
    )


def exponents_picture(rows: pl.DataFrame) -> dict[str, Any]:
    """Slopes of every parametrisation."""
    named = rows.with_columns(label=pl.format("{}: {}", "parametrisation", "what"))
    means = seed_means(named, "slope", ["label", "what"])
    return forest(
        means,
        "label",
        "slope",
        "low",
        "high",
        color="what",
        x_title="slope of log change on log width",
    )


def width_curve(table: pl.DataFrame, value: str, title: str) -> dict[str, Any]:
    """A score over width, the limits among the widths, as words."""
    words = table.with_columns(pl.col("width").cast(pl.String))
    return curve(
        seed_means(words, value, ["width"]),
        "width",
        value,
        low="low",
        high="high",
        x_title="width",
        y_title=title,
    )
