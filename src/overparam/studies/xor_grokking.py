"""Benign Overfitting and Grokking in ReLU Networks for XOR Cluster Data (arXiv 2310.02541).

Four clusters in XOR arrangement, in 20,000 (A) or 40,000 (B) dimensions, 400 rows, a tenth of their
labels wrong. After one step of gradient descent a two-layer ReLU network fits all labels and knows
nothing (C1); it is a linear classifier (C2), and none of those can know anything (C5). Later it
generalises (C3, C4), because its neurons turn to the means (C6), the better the more there is of
n ||mu||^4 / p (C7). On real images the order is the reverse (C8), until noise of a high dimension
is added (C9).

Train accuracy is that on the labels as given, wrong ones too; test labels are clean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from overparam.diagnostics.late_generalisation import Grokking, grokking_watch
from overparam.evidence.cells import batched, grid, run
from overparam.evidence.intervals import exact_statistic, t_statistic
from overparam.evidence.regions import at_least, at_most, between, less_than
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import seed_means, worst_interval
from overparam.evidence.verdict import Evidence, Part, judged
from overparam.report.figures import curve
from overparam.studies.study import Study
from overparam.studies.xor_grokking_cells import (
    final_errors,
    image_descents,
    penalties,
    xor_descents,
)

study = Study("xor-grokking")

END = 30  # steps
SETTINGS = {"A": 20_000, "B": 40_000}  # features
GROUP = 4  # seeds behind an error of C7
TOGETHER = 5  # seeds of a stack: half a second to a second each
SHOWN = (0, 1, 2, 3, 5, 8, 15, 30)


def seeds(scale: Scale, quick: int, full: int) -> tuple[int, ...]:
    """More seeds than the scale's where they are cheap.

    At t = 1 test accuracy has a standard deviation of 0.03 to 0.04 over seeds, as much as the
    tolerance: three of them could not show that it is that of chance.
    """
    return tuple(range(scale.pick(smoke=len(scale.seeds), quick=quick, full=full)))


@study.claim("C1", minutes={"quick": 0.2, "full": 3})
def the_first_step_fits_everything_and_knows_nothing(scale: Scale) -> dict[str, Evidence]:
    """After one step all labels are fit, wrong ones too, while test accuracy is that of chance.

    A single seed has 0.42 to 0.59, since its clusters are not of exactly equal size: the mean over
    seeds is judged.
    """
    parts: dict[str, Part] = {}
    tables = xor_tables(scale)
    for name, table in tables.items():
        train, test = (at_step(table, f"{part}_accuracy", 1) for part in ("train", "test"))
        fit = t_statistic(train, "train accuracy on the labels as given, t = 1")
        parts[f"{name}: train"] = (fit, at_least(0.99), f"Least of the seeds {train.min():.3f}.")
        chance = t_statistic(test, "test accuracy on clean labels, t = 1")
        note = f"Seeds: {test.min():.3f} to {test.max():.3f}."
        parts[f"{name}: test"] = (chance, between(0.45, 0.55), note)
    columns = {"train, as labelled": "train_accuracy", "test, clean": "test_accuracy"}
    return judged(shown(tables, columns), over_steps(tables, columns, "accuracy"), parts)


@study.claim("C2", minutes={"quick": 0.1, "full": 0.1})
def it_is_a_linear_classifier_first(scale: Scale) -> dict[str, Evidence]:
    """After one step the network is a linear function of x, and later it is not.

    Measured on test rows. On the training rows the share stays above a half to the end: what is
    memorised of single examples is linear.
    """
    parts: dict[str, Part] = {}
    tables = xor_tables(scale)
    for name, table in tables.items():
        first, last = (at_step(table, "linear_part", t) for t in (1, END))
        before = at_step(table, "linear_part", 0).mean()
        least = exact_statistic(first.min(), "linear share of the variance, t = 1, least seed")
        most = exact_statistic(last.max(), f"linear share of the variance, t = {END}, most")
        note = f"Mean {first.mean():.3f}; at the random start {before:.2f}."
        parts[f"{name}: after a step"] = (least, at_least(0.95), note)
        parts[f"{name}: at the end"] = (most, less_than(0.1), f"Mean {last.mean():.3f}.")
    columns = {"linear share": "linear_part"}
    picture = over_steps(tables, columns, "share of the variance")
    return judged(shown(tables, columns), picture, parts, exact=True)


@study.claim("C3", minutes={"quick": 0.1, "full": 0.1})
def the_overfitting_is_benign(scale: Scale) -> dict[str, Evidence]:
    """At the end all labels are fit, wrong ones too, and clean test labels are predicted."""
    parts: dict[str, Part] = {}
    tables = xor_tables(scale)
    for name, table in tables.items():
        kinds = ("train", "test", "noisy")
        train, test, noisy = (at_step(table, f"{kind}_accuracy", END) for kind in kinds)
        share = exact_statistic(
            ((train == 1) & (test >= 0.99)).mean(), "seeds with train 1.00 and test >= 0.99"
        )
        note = (
            f"Test accuracy {test.mean():.4f}, least {test.min():.3f}; on test labels with the "
            f"training labels' noise the same predictions have {noisy.mean():.3f}."
        )
        parts[name] = (share, at_least(0.8), note)
    columns = {"test, clean": "test_accuracy", "test, labels as noisy": "noisy_accuracy"}
    picture = over_steps(tables, columns, "accuracy")
    return judged(shown(tables, columns), picture, parts, exact=True)


@study.claim("C4", minutes={"quick": 0.1, "full": 0.1})
def it_groks(scale: Scale) -> dict[str, Evidence]:
    """Generalisation comes late: twice as many steps as the fit takes, or more."""
    parts: dict[str, Part] = {}
    tables = xor_tables(scale)
    for name, table in tables.items():
        found = watched(table, test_rows=xor_cost(scale)["test_rows"])
        share = exact_statistic(share_of(found, "grokking"), "seeds where the verdict is grokking")
        fits = sorted({str(each.fit_step) for each in found})
        high = np.array(table["test_accuracy"].to_list()) >= 0.95
        reached = high.argmax(axis=1)[high.any(axis=1)]
        when = f"first at step {reached.min()} to {reached.max()}" if len(reached) else "never"
        if 0 < len(reached) < len(high):
            when += f", on {len(high) - len(reached)} of {len(high)} seeds never"
        note = f"Fit at step {' or '.join(fits)}; test accuracy 0.95 {when}."
        parts[name] = (share, at_least(1.0), note)
    columns = {"train, as labelled": "train_accuracy", "test, clean": "test_accuracy"}
    return judged(
        shown(tables, columns), over_steps(tables, columns, "accuracy"), parts, exact=True
    )


@study.claim("C5", minutes={"quick": 0.1, "full": 0.1})
def no_linear_classifier_can(scale: Scale) -> dict[str, Evidence]:
    """Ridge regression stays at chance whatever its penalty."""
    parts: dict[str, Part] = {}
    tables, long = xor_tables(scale), []
    for name, table in tables.items():
        values = np.array(table["ridge_accuracy"].to_list())
        chance = between(0.46, 0.54)
        worst = worst_interval(values, chance, "test accuracy, worst penalty")
        means = values.mean(axis=0)
        note = f"Means over seeds: {means.min():.3f} to {means.max():.3f}."
        parts[name] = (worst, chance, note)
        ridges = xor_cost(scale, name)["p"]
        by_penalty = pl.DataFrame(
            {
                "penalty": np.tile(penalties(ridges), len(values)),
                "accuracy": values.ravel(),
                "setting": [name] * values.size,
            }
        )
        long.append(by_penalty)
    table = pl.concat(long)
    picture = curve(
        seed_means(table, "accuracy", ["setting", "penalty"]),
        "penalty",
        "accuracy",
        color="setting",
        low="low",
        high="high",
        log_x=True,
        x_title="ridge penalty",
        y_title="test accuracy",
    )
    return judged(table, picture, parts)


@study.claim("C6", minutes={"quick": 0.1, "full": 0.1})
def neurons_turn_to_the_means(scale: Scale) -> dict[str, Evidence]:
    """After one step neurons lean to the right mean no more often than to the wrong one; soon
    nearly all of them do."""
    parts: dict[str, Part] = {}
    tables = xor_tables(scale)
    for name, table in tables.items():
        first, fifth = (
            t_statistic(
                at_step(table, "right_neurons", t), f"neurons that lean to the right mean, t = {t}"
            )
            for t in (1, 5)
        )
        right, wrong = (
            [at_step(table, f"{kind}_cosine", t).mean() for t in (1, 2, 5, 20)]
            for kind in ("right", "wrong")
        )
        ratios = ", ".join(f"{r / w:.3g}" for r, w in zip(right, wrong, strict=True))
        note = (
            f"Mean |cosine| with the right mean over that with the wrong one, t = 1, 2, 5, 20: "
            f"{ratios}. The cosine itself reaches {right[-1]:.2f}: the rest is memorised noise."
        )
        parts[f"{name}: t = 1"] = (first, at_most(0.6), "")
        parts[f"{name}: t = 5"] = (fifth, at_least(0.95), note)
    columns = {
        "neurons on the right side": "right_neurons",
        "|cosine|, right mean": "right_cosine",
        "|cosine|, wrong mean": "wrong_cosine",
    }
    return judged(shown(tables, columns), over_steps(tables, columns, "share, or cosine"), parts)


@study.claim("C7", minutes={"quick": 0.6, "full": 2.2})
def error_falls_with_signal(scale: Scale) -> dict[str, Evidence]:
    """The test error falls with n ||mu||^4 / p.

    An error is the mean over a group of 4 seeds, since those of single draws of 50 to 400 rows
    scatter; the groups are independent. It is not one curve: at equal n ||mu||^4 / p more rows are
    better.
    """
    sizes = {
        "step 0.02, t = 30": (0.02, 30, [50, 100, 200, 400], [1.0, 2.0, 4.0]),
        "step 0.05, t = 40": (0.05, 40, [100, 200, 400], [1.0, 1.5, 2.0, 2.5, 3.0]),
    }
    cost = scale.pick(
        smoke={"p": 1000, "hidden": 16, "test_rows": 100},
        quick={"p": 10_000, "hidden": 128, "test_rows": 1000},
        full={"p": 10_000, "hidden": 128, "test_rows": 1000},
    )
    parts: dict[str, Part] = {}
    tables = []
    for name, (step, n_steps, rows, strengths) in sizes.items():
        axes = grid(
            n=rows if scale.verdicts else rows[:2],
            seed=seeds(scale, 3 * GROUP, 5 * GROUP),
            strength=batched(strengths),
            step=step,
            n_steps=n_steps,
            **cost,
        )
        table = run(final_errors, axes, label=f"test errors, {name}")
        tables.append(table.with_columns(setting=pl.lit(name)))
        group = pl.col("seed") // (GROUP if scale.verdicts else 1)
        means = table.group_by("n", "x", group=group).agg(pl.col("error").mean())
        ranks = [
            spearmanr(one["error"], one["x"]).statistic
            for _, one in means.sort("group").group_by("group", maintain_order=True)
        ]
        over_all = means.group_by("n", "x").agg(pl.col("error").mean())
        overall = spearmanr(over_all["error"], over_all["x"]).statistic
        fit = table["train_accuracy"].to_numpy().min()
        note = f"Of the means over all seeds {overall:.3f}; train accuracy at least {fit:.3f}."
        order = t_statistic(ranks, "rank correlation of error and n ||mu||^4 / p")
        parts[name] = (order, at_most(-0.95), note)
    table = pl.concat(tables)
    named = table.with_columns(
        rows=pl.format("n = {}, t = {}", "n", pl.col("setting").str.slice(-2))
    )
    picture = curve(
        seed_means(named, "error", ["rows", "x"]),
        "x",
        "error",
        color="rows",
        low="low",
        high="high",
        log_x=True,
        x_title="n ||mu||^4 / p",
        y_title="test error",
    )
    return judged(table, picture, parts)


@study.claim("C8", minutes={"quick": 0.4, "full": 1.4})
def raw_images_are_harmed_late(scale: Scale) -> dict[str, Evidence]:
    """On images without added noise the order is the reverse: the network generalises first and
    then memorises wrong labels, which harms it.

    The watch asks for a drop of 3 standard errors, 0.034 with the 519 digits that n = 200 leaves
    for testing: what it cannot tell from chance on one split may be clear in the mean over splits,
    which the notes give.
    """
    cost: dict[str, Any] = scale.pick(
        smoke={"hidden": 16, "n_steps": 30},
        quick={"hidden": 512, "n_steps": 3000},
        full={"hidden": 512, "n_steps": 3000},
    )
    tables: dict[str, pl.DataFrame] = {}
    for n in (60, 200):
        digits: dict[str, Any] = {
            "design": "classes",
            "source": "digits",
            "n": n,
            "init_std": 1e-4 * 8,
        }
        tables[f"digits, n = {n}"] = image_table(
            seeds(scale, 5, 10), **digits, test_rows=700, step=0.5, **cost
        )
    large = {"source": "fashion-mnist", "n": 200, "test_rows": 1000}
    pairs: dict[str, Any] = scale.pick(
        smoke={"source": "digits", "n": 60, "test_rows": 100}, quick=large, full=large
    )
    cost["n_steps"] = min(cost["n_steps"], 2000)
    tables["pairs of images"] = image_table(
        scale.seeds, design="pairs", init_std=1e-3, step=0.05, **pairs, **cost
    )
    parts: dict[str, Part] = {}
    for name, table in tables.items():
        found = watched(table)
        share = exact_statistic(
            share_of(found, "late harm"), "seeds where the verdict is late harm"
        )
        drops = np.array([each.drop for each in found])
        test = np.array(table["test_accuracy"].to_list())
        fits = [each.fit_step for each in found]
        spread = 2 * drops.std(ddof=1) / np.sqrt(len(drops))
        note = (
            f"Drop of test accuracy {drops.mean():.3f} +- {spread:.3f} (two standard errors over "
            f"seeds), to {test[:, -1].mean():.3f}; labels fit at steps {fits}."
        )
        parts[name] = (share, at_least(1.0), note)
    # At the first step pairs are at chance, far below all that follows.
    return judged(long_curves(tables), accuracy_curves(tables, first=2), parts, exact=True)


@study.claim("C9", minutes={"quick": 0.3, "full": 0.8})
def noise_of_a_high_dimension_makes_it_grok(scale: Scale) -> dict[str, Evidence]:
    """The same images with 20,000 columns of noise: all labels are fit at chance first, and
    generalisation comes later."""
    whole = {"source": "fashion-mnist", "n": 400, "test_rows": 1000}
    whole |= {"noise_columns": 20_000, "hidden": 256}
    few = {"source": "digits", "n": 60, "test_rows": 100, "noise_columns": 1500, "hidden": 16}
    cost: dict[str, Any] = scale.pick(smoke=few, quick=whole, full=whole)
    shape: dict[str, Any] = {"design": "pairs", "init_std": 1e-3, "step": 0.02, "n_steps": 100}
    table = image_table(seeds(scale, 5, 10), **shape, **cost)
    steps = table["steps"].to_list()[0]

    def at(column: str, t: int) -> np.ndarray:
        return np.array(table[column].to_list())[:, steps.index(t)]

    verdicts = [each.verdict for each in watched(table)]
    parts: dict[str, Part] = {
        "train, t = 1": (
            t_statistic(at("train_accuracy", 1), "train accuracy as labelled"),
            at_least(0.9),
            "",
        ),
        "test, t = 1": (
            t_statistic(at("test_accuracy", 1), "test accuracy, clean labels"),
            at_most(0.6),
            "",
        ),
        "train, t = 50": (
            exact_statistic(at("train_accuracy", 50).min(), "train accuracy, least seed"),
            at_least(1.0),
            "",
        ),
        "test, t = 50": (
            t_statistic(at("test_accuracy", 50), "test accuracy, clean labels"),
            at_least(0.97),
            f"The watch says {', '.join(sorted(set(verdicts)))} on {len(verdicts)} seeds.",
        ),
    }
    tables = {"pairs with noise": table}
    return judged(long_curves(tables), accuracy_curves(tables), parts, exact=None)


def xor_cost(scale: Scale, setting: str = "A") -> dict[str, Any]:
    """What a descent of C1 to C6 costs."""
    whole = {"n": 400, "p": SETTINGS[setting], "hidden": 256, "test_rows": 1000}
    small = {"n": 60, "p": 1500, "hidden": 32, "test_rows": 100}
    return scale.pick(smoke=small, quick=whole, full=whole) | {"step": 0.02, "n_steps": END}


def xor_tables(scale: Scale) -> dict[str, pl.DataFrame]:
    """The descents of C1 to C6 by setting, which they share; a row a seed."""
    names = scale.pick(smoke=("A",), quick=("A",), full=("A", "B"))
    return {
        name: in_stacks(xor_descents, seeds(scale, 10, 20), **xor_cost(scale, name))
        for name in names
    }


def image_table(seeds: Sequence[int], noise_columns: int = 0, **settings: Any) -> pl.DataFrame:
    """Descents on images, a row a seed."""
    return in_stacks(image_descents, seeds, noise_columns=noise_columns, **settings)


def in_stacks(function: Any, seeds: Sequence[int], **settings: Any) -> pl.DataFrame:
    """A cell trains a few seeds as one stack."""
    return pl.concat(
        run(function, grid(seed=batched(seeds[i : i + TOGETHER]), **settings))
        for i in range(0, len(seeds), TOGETHER)
    )


def at_step(table: pl.DataFrame, column: str, t: int) -> np.ndarray:
    """A curve at step t, (seeds,)."""
    return np.array(table[column].to_list())[:, t]


def watched(table: pl.DataFrame, test_rows: int | None = None) -> list[Grokking]:
    """What the watch says of each seed."""
    found = []
    for row in table.iter_rows(named=True):
        n_test = row["test_rows"] if test_rows is None else test_rows
        curves = row["train_accuracy"], row["test_accuracy"], row.get("steps")
        found.append(grokking_watch(*curves, n_test=n_test))
    return found


def share_of(found: Sequence[Grokking], verdict: str) -> float:
    """Share of the runs with a verdict."""
    return float(np.mean([each.verdict == verdict for each in found]))


def shown(tables: Mapping[str, pl.DataFrame], columns: Mapping[str, str]) -> pl.DataFrame:
    """Some curves at some steps, a row a setting, seed and step."""
    rows = []
    for name, table in tables.items():
        for row in table.iter_rows(named=True):
            for t in SHOWN:
                at = {column: row[column][t] for column in columns.values()}
                rows.append({"setting": name, "seed": row["seed"], "t": t, **at})
    return pl.DataFrame(rows)


def over_steps(
    tables: Mapping[str, pl.DataFrame], columns: Mapping[str, str], y_title: str
) -> dict[str, Any]:
    """Means over seeds of some curves, with their intervals; step 0 is left of step 1."""
    long = pl.concat(
        pl.DataFrame(
            {
                "t": np.tile(np.arange(END + 1), table.height),
                "value": np.concatenate(table[column].to_list()),
                "curve": [f"{name}: {title}"] * (table.height * (END + 1)),
            }
        )
        for name, table in tables.items()
        for title, column in columns.items()
    )
    means = seed_means(long, "value", ["curve", "t"])
    return curve(
        means,
        "t",
        "value",
        color="curve",
        low="low",
        high="high",
        x_title="step",
        y_title=y_title,
    )


def long_curves(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Accuracies of image descents, a row a seed, step and split."""
    rows = []
    for name, table in tables.items():
        for row in table.iter_rows(named=True):
            for split in ("train, as labelled", "test, clean"):
                values = row[f"{split.split(',')[0]}_accuracy"]
                for step, value in zip(row["steps"], values, strict=True):
                    of = {"data": name, "seed": row["seed"], "split": split}
                    rows.append({**of, "step": step, "accuracy": value})
    return pl.DataFrame(rows)


def accuracy_curves(tables: Mapping[str, pl.DataFrame], first: int = 1) -> dict[str, Any]:
    """Their means over seeds, from the step `first` on."""
    long = long_curves(tables).filter(pl.col("step") >= first)
    short = pl.col("split").str.split(",").list.first()
    long = long.with_columns(curve=pl.format("{}: {}", "data", short))
    return curve(
        seed_means(long, "accuracy", ["curve", "step"]),
        "step",
        "accuracy",
        color="curve",
        low="low",
        high="high",
        log_x=True,
        x_title="step (log)",
        y_title="accuracy (train: labels as given, test: clean)",
    )
