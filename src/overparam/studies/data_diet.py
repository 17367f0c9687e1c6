"""Deep Learning on a Data Diet: Finding Important Examples Early in Training (arXiv 2107.07075).

Scores of a few runs that have just begun say which rows carry the learning. C1 trains on half of
the rows, C2 separates scores early in training from scores at its very start (the erratum, Kirsch,
arXiv 2303.14753: there the gradient norm is the norm of the input), C3 to C5 compare scores, C6
finds wrong labels, C7 changes the architecture, C8 and C9 look at the dynamics, C10 at a small
table.

Each seed draws its own rows, scoring networks and final network. Subsets are compared at an equal
number of steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from overparam.evidence.cells import fixed, grid, run
from overparam.evidence.intervals import t_statistic
from overparam.evidence.regions import less_than, more_than
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import seed_means, worst_interval
from overparam.evidence.verdict import Evidence, judged
from overparam.report.figures import curve, forest
from overparam.studies.data_diet_cells import (
    barriers,
    kernel_velocity,
    noise_detection,
    pruned,
    table_curve,
    trajectory,
    transfer,
)
from overparam.studies.study import Study

study = Study("data-diet")

GAIN = 0.008  # accuracy over a random half; four standard errors of the prototype's difference
CLOSE = 0.006  # accuracy below all rows
COLLAPSE = 0.03  # accuracy below a random half, of a score that carries nothing
SAME = 0.95  # rank correlation of the gradient norm at the start with the input norm
UNLIKE = 0.1  # ... one epoch later
STAND_IN = 0.97  # rank correlation of EL2N with the gradient norm
EARLY, FORGETTING = 0.8, 0.7  # ... of EL2N with its own end, and with forgetting counts
FOUND, MEMORISED = 0.95, 0.03  # area under the curve for wrong labels, and what memorising costs
TRANSFERS = 0.9  # rank correlation between architectures
FLAT, BARRIER, HALVED = 0.005, 0.05, 0.5  # error barriers
HALF = 0.5
ARCHITECTURES = ((256, 256), (64, 64, 64, 64), (1024,))


@study.claim("C1", minutes={"quick": 0.5, "full": 6})
def half_by_early_error(scale: Scale) -> dict[str, Evidence]:
    """Half of the rows, chosen by EL2N after two epochs, trains a better network than a random
    half, and nearly one as good as all rows."""
    table = pruning_table(scale, "headline")
    half = table.filter(keep=HALF)
    trimmed, random, full = (by_seed_of(half, rule) for rule in ("trimmed", "random", "full"))
    balance = half["trimmed_least"].to_numpy().mean()
    note = (
        f"All rows {full.mean():.4f}, random half {random.mean():.4f}, EL2N without its top 2 % "
        f"{trimmed.mean():.4f}. The rarest kept class has {balance:.2f} of an equal share."
    )
    if scale.pick(smoke=False, quick=False, full=True):
        few = run(pruned, grid(**pruning_axes(scale) | {"n": 2000, "group": ["headline"]}))
        gap = by_seed_of(few, "trimmed") - by_seed_of(few, "random")
        note += f" With 2,000 rows instead EL2N gains {gap.mean():+.4f} over a random half."
    everything = pl.concat([table, *others(scale)], how="diagonal")
    parts = {
        "EL2N half over random half": (
            t_statistic(trimmed - random, "difference of accuracy"),
            more_than(GAIN),
            note,
        ),
        "EL2N half below all rows": (
            t_statistic(full - trimmed, "difference of accuracy"),
            less_than(CLOSE),
            "",
        ),
    }
    return judged(everything, accuracies(everything.filter(keep=HALF)), parts)


@study.claim("C1b", minutes={"quick": 0.1, "full": 0.1})
def half_better_than_all(scale: Scale) -> Evidence:
    """The half chosen by early EL2N trains a network better than all rows do.

    The paper sees "slightly better" on CIFAR-10; the networks are those of C1.
    """
    half = pruning_table(scale, "headline").filter(keep=HALF)
    gap = by_seed_of(half, "trimmed") - by_seed_of(half, "full")
    statistic = t_statistic(gap, "difference of accuracy")
    return Evidence(half, statistic, more_than(0), accuracies(half))


@study.claim("C2", minutes={"quick": 1.2, "full": 5})
def gradient_norm_needs_training(scale: Scale) -> dict[str, Evidence]:
    """The gradient norm ranks rows after two epochs; at the start it is the norm of the input, and
    choosing by it is worse than choosing at random (the erratum's claim)."""
    table = pl.concat(gradient_tables(scale), how="align")
    half = table.filter(keep=HALF)
    late, start, random = (by_seed_of(half, rule) for rule in ("grand", "start", "random"))
    paths = trajectory_table(scale)
    note = (
        f"Accuracy: gradient norm after two epochs {late.mean():.4f}, at the start "
        f"{start.mean():.4f}, random {random.mean():.4f}. The top is not left out here, so wrong "
        "labels stay in."
    )
    parts = {
        "after two epochs over random": (
            t_statistic(late - random, "difference of accuracy"),
            more_than(GAIN),
            note,
        ),
        "random over the start": (
            t_statistic(random - start, "difference of accuracy"),
            more_than(COLLAPSE),
            "",
        ),
        "the start is the input norm": (
            t_statistic(by_seed_of(paths, "grand_norm@0"), "rank correlation"),
            more_than(SAME),
            "",
        ),
        "one epoch later it is not": (
            t_statistic(by_seed_of(paths, "grand_norm@1"), "rank correlation"),
            less_than(UNLIKE),
            "",
        ),
    }
    return judged(table, accuracies(half), parts)


@study.claim("C2b", minutes={"quick": 0.1, "full": 0.1})
def gradient_norm_at_initialisation(scale: Scale) -> Evidence:
    """Rows can be chosen by the gradient norm at initialisation (the paper's claim, withdrawn by
    the erratum)."""
    table = pl.concat(gradient_tables(scale), how="align").filter(keep=HALF)
    gap = by_seed_of(table, "start") - by_seed_of(table, "random")
    statistic = t_statistic(gap, "difference of accuracy from a random half")
    return Evidence(table, statistic, more_than(0), accuracies(table))


@study.claim("C3", minutes={"quick": 0.1, "full": 0.1})
def error_stands_in_for_gradient(scale: Scale) -> Evidence:
    """From the first epoch on EL2N ranks rows as the gradient norm does."""
    table, epochs = trajectory_table(scale), epochs_of(scale)
    found = columns(table, "grand_el2n", epochs[1:])
    statistic = worst_interval(found, more_than(STAND_IN), "rank correlation at the worst epoch")
    start = columns(table, "grand_el2n", epochs[:1]).mean()
    note = f"At the start it is {start:.3f}."
    figure = correlations(table, {"gradient norm with EL2N": "grand_el2n"}, epochs)
    return Evidence(table, statistic, more_than(STAND_IN), figure, note=note)


@study.claim("C4", minutes={"quick": 0.1, "full": 0.1})
def early_scores_know(scale: Scale) -> dict[str, Evidence]:
    """EL2N after one epoch ranks rows nearly as at the end, and soon as forgetting counts of the
    whole run do."""
    table, epochs = trajectory_table(scale), epochs_of(scale)
    soon = epochs[min(3, len(epochs) - 1)]
    end = t_statistic(by_seed_of(table, "el2n_last@1"), "rank correlation")
    forgot = t_statistic(by_seed_of(table, f"el2n_forgetting@{soon}"), "rank correlation")
    names = {"EL2N at the end": "el2n_last", "forgetting": "el2n_forgetting"}
    parts = {
        "after one epoch, with the end": (end, more_than(EARLY), ""),
        f"after {soon} epochs, with forgetting": (forgot, more_than(FORGETTING), ""),
    }
    return judged(table, correlations(table, names, epochs), parts)


@study.claim("C5", minutes={"quick": 0.1, "full": 0.1})
def averaging_helps(scale: Scale) -> Evidence:
    """Scores averaged over runs agree with those of other runs better than single runs do.

    The paper gives no threshold: the sign of the difference decides.
    """
    table, epochs = trajectory_table(scale), epochs_of(scale)
    gap = columns(table, "half_half", epochs[1:]) - columns(table, "one_one", epochs[1:])
    statistic = worst_interval(gap, more_than(0), "gain in rank correlation, least over epochs")
    with_mean = columns(table, "one_mean", epochs).mean(axis=0)
    values = ", ".join(f"{value:.3f}" for value in with_mean)
    note = f"A single run with the mean of all, after {list(epochs)} epochs: {values}."
    names = {"half with half": "half_half", "one with one": "one_one", "one with all": "one_mean"}
    return Evidence(table, statistic, more_than(0), correlations(table, names, epochs), note=note)


@study.claim("C6", minutes={"quick": 0.5, "full": 1})
def wrong_labels_are_on_top(scale: Scale) -> dict[str, Evidence]:
    """EL2N finds wrong labels early, and worse once the networks have begun to memorise them."""
    epochs = scale.pick(smoke=(1, 2), quick=(1, 2, 4, 10), full=(1, 2, 4, 10))
    axes = common(scale) | {"epochs": fixed(epochs)}
    table = run(noise_detection, grid(seed=scale.seeds, share=0.1, **axes))
    early, late = by_seed_of(table, "mean@2"), by_seed_of(table, f"mean@{epochs[-1]}")
    names = {"EL2N of all runs": "mean", "EL2N of one run": "one", "gradient norm": "grand"}
    parts = {
        "after two epochs": (t_statistic(early, "area under the curve"), more_than(FOUND), ""),
        f"loss by epoch {epochs[-1]}": (
            t_statistic(early - late, "difference of area"),
            more_than(MEMORISED),
            "",
        ),
    }
    figure = correlations(table, names, epochs, "area under the curve")
    return judged(table, figure, parts)


@study.claim("C7", minutes={"quick": 0.3, "full": 0.5})
def scores_transfer(scale: Scale) -> Evidence:
    """EL2N of one architecture ranks rows as that of another does."""
    shapes = scale.pick(smoke=((16,), (8, 8)), quick=ARCHITECTURES, full=ARCHITECTURES)
    axes = common(scale)
    del axes["widths"]
    axes |= {"members": scale.pick(smoke=2, quick=5, full=5), "architectures": fixed(shapes)}
    table = run(
        transfer, grid(seed=scale.seeds, epoch=scale.pick(smoke=1, quick=4, full=4), **axes)
    )
    pairs = [f"{i}-{j}" for i in range(len(shapes)) for j in range(i + 1, len(shapes))]
    found = np.stack([by_seed_of(table, pair) for pair in pairs], axis=1)
    statistic = worst_interval(found, more_than(TRANSFERS), "rank correlation of the worst pair")
    words = ["x".join(map(str, shape)) for shape in shapes]
    names = {pair: " / ".join(words[int(i)] for i in pair.split("-")) for pair in pairs}
    return Evidence(table, statistic, more_than(TRANSFERS), by_name(table, names, "Spearman"))


@study.claim("C8", minutes={"quick": 0.7, "full": 2.5})
def barriers_live_on_hard_rows(scale: Scale) -> dict[str, Evidence]:
    """Between two children of a network the error barrier lies on the hard rows, and vanishes the
    later they part; on the easy rows there is none."""
    spawns = scale.pick(smoke=[0, 1], quick=[0, 1], full=[0, 1, 2, 4])
    size = scale.pick(smoke=(2, 30), quick=(2, 1000), full=(5, 1000))
    axes = common(scale) | dict(zip(("parents", "part"), size, strict=True))
    axes |= {"members": scale.pick(smoke=2, quick=5, full=5)}
    axes |= {"score_epoch": scale.pick(smoke=1, quick=4, full=4)}
    table = run(barriers, grid(spawn=spawns, seed=scale.seeds, **axes))
    of = {
        name: np.stack([by_seed_of(table.filter(spawn=s), name) for s in spawns], axis=1)
        for name in ("easy", "hard")
    }
    parts = {
        "easy rows, at the worst time": (
            worst_interval(of["easy"], less_than(FLAT), "error barrier"),
            less_than(FLAT),
            "",
        ),
        "hard rows, parted at the start": (
            t_statistic(of["hard"][:, 0], "error barrier"),
            more_than(BARRIER),
            "",
        ),
        "hard rows, parted after an epoch / at the start": (
            t_statistic(of["hard"][:, 1] / of["hard"][:, 0], "ratio of barriers"),
            less_than(HALVED),
            "",
        ),
    }
    long = table.unpivot(["easy", "all", "hard"], index=["spawn", "seed"], variable_name="rows")
    figure = lines(long, "spawn", "rows", "epoch of parting", "error barrier")
    return judged(table, figure, parts)


@study.claim("C9", minutes={"quick": 0.3, "full": 0.6})
def kernel_turns_on_hard_rows(scale: Scale) -> dict[str, Evidence]:
    """The tangent kernel turns faster on rows of higher EL2N, but for the very top.

    The paper shows a picture and no threshold: signs decide.
    """
    groups = scale.pick(smoke=3, quick=10, full=10)
    axes = common(scale) | {"groups": groups, "size": scale.pick(smoke=20, quick=100, full=100)}
    axes |= {"epochs": fixed(scale.pick(smoke=(1,), quick=(1, 4, 9), full=(1, 4, 9)))}
    axes |= {"members": scale.pick(smoke=2, quick=5, full=10)}
    axes |= {"score_epoch": scale.pick(smoke=1, quick=4, full=4)}
    table = run(kernel_velocity, grid(seed=scale.seeds, **axes))
    v = np.stack([by_seed_of(table, f"v{group}") for group in range(groups)], axis=1)
    steps = np.diff(v[:, :-1], axis=1)
    note = (
        f"From the easiest to the hardest group: {', '.join(f'{m:.3f}' for m in v.mean(axis=0))}."
    )
    parts = {
        "smallest step up below the top": (
            worst_interval(steps, more_than(0), "difference of velocity"),
            more_than(0),
            note,
        ),
        "top against the group below": (
            t_statistic(v[:, -1] - v[:, -2], "difference of velocity"),
            less_than(0),
            "",
        ),
    }
    long = table.unpivot([f"v{group}" for group in range(groups)], index="seed").with_columns(
        rank=pl.col("variable").str.slice(1).cast(pl.Float64) / (groups - 1)
    )
    figure = lines(long, "rank", None, "EL2N rank of the rows", "kernel velocity")
    return judged(table, figure, parts)


@study.claim("C10", minutes={"quick": 0.2, "full": 0.5})
def small_table(scale: Scale) -> Evidence:
    """On digits (1,797 rows) the half of highest EL2N trains a better network than a random half.

    The paper has no such claim: what came out is reported, and the sign decides.
    """
    kept = scale.pick(smoke=(0.5,), quick=(0.3, 0.5, 0.7), full=(0.2, 0.3, 0.5, 0.7, 0.9))
    size = scale.pick(smoke=(300, 100, 30), quick=(1200, 597, 1000), full=(1200, 597, 1000))
    axes = common(scale) | dict(zip(("n", "test", "steps"), size, strict=True))
    axes |= {"source": "digits", "kept": fixed(kept), "widths": fixed((128, 128))}
    axes |= scale.pick(
        smoke={"score_epoch": 1, "length": 2},
        quick={"score_epoch": 4, "length": 40},
        full={"score_epoch": 4, "length": 40},
    )
    table = run(table_curve, grid(seed=scale.seeds, **axes))
    gap = by_seed_of(table, f"scored@{HALF:g}") - by_seed_of(table, f"random@{HALF:g}")
    full = by_seed_of(table, "scored@1").mean()
    note = (
        f"All rows: {full:.4f}. Could be left out within one standard error, chosen on these rows: "
        f"{table['droppable'].to_numpy().mean():.0%}."
    )
    shares = [*kept, 1]
    names = {"EL2N": "scored", "random": "random"}
    figure = correlations(table, names, shares, "accuracy", "share of the rows kept")
    statistic = t_statistic(gap, "difference of accuracy")
    return Evidence(table, statistic, more_than(0), figure, note=note)


# --- what is trained, and shared between claims -------------------------------------------------


def common(scale: Scale) -> dict[str, Any]:
    """Rows, networks and schedule of C2 to C9."""
    return scale.pick(
        smoke={"source": "digits", "n": 300, "members": 2, "length": 2, "widths": fixed((16,))},
        quick={
            "source": "fashion-mnist",
            "n": 5000,
            "members": 10,
            "length": 20,
            "widths": fixed((256, 256)),
        },
        full={
            "source": "fashion-mnist",
            "n": 5000,
            "members": 10,
            "length": 20,
            "widths": fixed((256, 256)),
        },
    )


def epochs_of(scale: Scale) -> tuple[int, ...]:
    """When C2 to C5 score."""
    return scale.pick(smoke=(0, 1, 2), quick=(0, 1, 2, 4, 10, 20), full=(0, 1, 2, 4, 10, 20))


def trajectory_table(scale: Scale) -> pl.DataFrame:
    """Correlations of scores over a run."""
    epochs = fixed(epochs_of(scale))
    return run(trajectory, grid(seed=scale.seeds, epochs=epochs, **common(scale)))


def pruning_axes(scale: Scale) -> dict[str, Any]:
    """Rows, networks and steps of C1 and C2."""
    small = {"n": 300, "test": 100, "members": 2, "score_epoch": 1, "length": 2, "steps": 10}
    large = {"n": 20_000, "test": 10_000, "members": 10, "score_epoch": 2, "length": 20}
    large |= {"steps": 3000}
    sizes = scale.pick(smoke=small, quick=large, full=large)
    return {
        "keep": [HALF],
        "seed": scale.seeds,
        "source": scale.pick(smoke="digits", quick="fashion-mnist", full="fashion-mnist"),
        "widths": fixed(scale.pick(smoke=(16,), quick=(128, 128), full=(128, 128))),
        **sizes,
    }


def pruning_table(scale: Scale, group: str) -> pl.DataFrame:
    """Accuracy by rule; at full scale with 30 and 70 % kept as well."""
    keep = scale.pick(smoke=[HALF], quick=[HALF], full=[0.3, HALF, 0.7])
    return run(pruned, grid(**pruning_axes(scale) | {"group": [group], "keep": keep}))


def others(scale: Scale) -> list[pl.DataFrame]:
    """The rules that no verdict reads: full scale only."""
    return scale.pick(smoke=False, quick=False, full=True) * [pruning_table(scale, "others")]


def gradient_tables(scale: Scale) -> list[pl.DataFrame]:
    """Rules of C2 and the random twin, by keep and seed."""
    axes = ["keep", "seed"]
    twin = pruning_table(scale, "headline").select(*axes, "random")
    found = pruning_table(scale, "gradient").select(*axes, "grand", "start")
    return [twin, found]


# --- tables and pictures ------------------------------------------------------------------------


def by_seed_of(table: pl.DataFrame, name: str) -> np.ndarray:
    """A column in the order of the seeds."""
    return table.sort("seed")[name].to_numpy().astype(float)


def columns(table: pl.DataFrame, name: str, places: Sequence[float]) -> np.ndarray:
    """Columns NAME@PLACE as (seeds, places)."""
    return np.stack([by_seed_of(table, f"{name}@{place:g}") for place in places], axis=1)


def lines(
    long: pl.DataFrame, x: str, color: str | None, x_title: str, y_title: str
) -> dict[str, Any]:
    """Means over seeds of column `value`, with intervals."""
    means = seed_means(long, "value", [x, *([color] if color else [])])
    return curve(
        means, x, "value", color=color, low="low", high="high", x_title=x_title, y_title=y_title
    )


def correlations(
    table: pl.DataFrame,
    names: Mapping[str, str],
    places: Sequence[float],
    y_title: str = "rank correlation",
    x_title: str = "epoch",
) -> dict[str, Any]:
    """A line a name, over epochs (or kept shares)."""
    long = pl.concat(
        table.select("seed", value=f"{name}@{place:g}", at=pl.lit(float(place)), what=pl.lit(title))
        for title, name in names.items()
        for place in places
    )
    return lines(long, "at", "what", x_title, y_title)


def by_name(table: pl.DataFrame, names: Mapping[str, str], x_title: str) -> dict[str, Any]:
    """A dot and an interval for each column, under its title."""
    long = pl.concat(
        table.select("seed", value=name, what=pl.lit(title)) for name, title in names.items()
    )
    means = seed_means(long, "value", ["what"])
    return forest(means, "what", "value", "low", "high", reference=None, x_title=x_title)


RULES = {
    "full": "all rows",
    "trimmed": "EL2N, top 2 % left out",
    "hardest": "EL2N",
    "grand": "gradient norm",
    "random": "random",
    "easiest": "least EL2N",
    "start": "gradient norm at the start",
    "norm": "norm of the input",
}


def accuracies(table: pl.DataFrame) -> dict[str, Any]:
    """Test accuracy by rule."""
    there = {rule: title for rule, title in RULES.items() if rule in table.columns}
    long = pl.concat(
        table.select("seed", value=rule, what=pl.lit(title)).drop_nulls()
        for rule, title in there.items()
    )
    means = seed_means(long, "value", ["what"])
    return forest(means, "what", "value", "low", "high", reference=None, x_title="test accuracy")
