"""Pre-training under infinite compute (arXiv 2509.14786).

A fixed text, read as often as one likes by a model as large as one likes: what then? Small GPTs on
24,576 characters of a dictionary, 1.3 to 17 parameters a character. Losses are nats a character on
65,536 held-out ones. At this size no single net beats counts of runs of three characters: the study
is about the order of recipes. What weight decay does in a run is rate x decay x steps / 2 foldings
of the weights: decay 3 over 768 steps at 0.003 is 3.5 of them; optima move with the number of
steps.

A recipe's seeds are models that differ in initial weights and data order. Ensembles average logits.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from overparam.evidence.cells import fixed, grid, run
from overparam.evidence.intervals import exact_statistic, t_statistic
from overparam.evidence.regions import at_least, less_than, more_than
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import by_seed, seed_means, worst_interval
from overparam.evidence.verdict import Evidence, judged
from overparam.report.figures import forest
from overparam.studies.infinite_compute_cells import ORDERS, ensemble_losses, student
from overparam.studies.infinite_compute_members import models
from overparam.studies.infinite_compute_pictures import loss_curve, member_curve, over_members
from overparam.studies.infinite_compute_subsets import (
    difference,
    mean_over_subsets,
    pseudo_values,
)
from overparam.studies.study import Study
from overparam.theory.scaling import PowerLaw, bootstrap, data_efficiency, fit_power_law

study = Study("infinite-compute")

RATE = 3e-3
USUAL = 0.1  # the standard recipe's weight decay
TUNED = {32: 1.0, 64: 3.0, 128: 3.0}  # best decay of each width at 32 epochs (C2)
PARAMETERS = {32: 32_928, 64: 115_008, 128: 426_624}
RISE = 0.1  # C1
GAIN = 0.08  # C2: of tuning the decay, nats
TIMES = 10  # C2: the best decay over the usual one
TOGETHER, SMALLER = 0.05, 0.03  # C4: ensemble below a single, below a larger single
MULTIPLE = 1.5  # C6: of the data
KEPT = 0.5  # C7: of the ensemble's gain


@study.claim("C1", minutes={"quick": 0.6, "full": 3})
def standard_recipe_overfits(scale: Scale) -> dict[str, Evidence]:
    """Under the usual weight decay more epochs and more parameters end up raising the loss."""
    widths = scale.pick(smoke=[32, 64], quick=[32, 64], full=[32, 64, 128])
    few, many = epochs(scale)
    grown = trained(scale, recipes(widths, [USUAL], [many]))
    read = trained(scale, recipes([64], [USUAL], [few, many]))
    parts: dict[str, Any] = {}
    above = more_than(RISE)
    steps = np.diff(by_seed(grown, "loss", "d")).T
    for before, after, step in zip(widths, widths[1:], steps, strict=False):
        rise = t_statistic(step, "rise of the loss, nats")
        parts[f"{many} epochs: width {before} to {after}"] = (rise, above, "")
    turn = t_statistic(np.diff(by_seed(read, "loss", "epochs"))[:, 0], "rise of the loss, nats")
    parts[f"width 64: {few} to {many} epochs"] = (turn, more_than(0), said(read))
    tables = [grown, read]
    if 128 in widths:
        large = trained(scale, recipes([128], [USUAL], [few // 2, few]))
        turn = t_statistic(np.diff(by_seed(large, "loss", "epochs"))[:, 0], "rise, nats")
        parts[f"width 128: {few // 2} to {few} epochs"] = (turn, more_than(0), "")
        tables.append(large)
    table = pl.concat(tables).unique(maintain_order=True)
    picture = loss_curve(table, "epochs", [f"width {d}" for d in table["d"]])
    return judged(table, picture, parts)


@study.claim("C2", minutes={"quick": 1.3, "full": 9})
def best_decay_is_far_above_the_usual(scale: Scale) -> dict[str, Evidence]:
    """The best weight decay is at least ten times the usual one, and it pays to find it."""
    widths = scale.pick(smoke=[64], quick=[64], full=[32, 64, 128])
    some = scale.pick(smoke=[USUAL, 3.0], quick=[USUAL, 1.0, 3.0], full=[USUAL, 1.0, 3.0])
    grids = dict.fromkeys(widths, some) | scale.pick(smoke={}, quick={}, full={64: [*some, 10.0]})
    passes = epochs(scale)
    table = trained(scale, [one for d in widths for one in recipes([d], grids[d], passes)])
    parts: dict[str, Any] = {}
    optima = []
    for d in widths:
        losses = np.stack([by_decay(table, d, decay) for decay in grids[d]])  # (decays, seeds, ep)
        best = np.log10(np.array(grids[d])[losses.min(axis=2).argmin(axis=0)])  # (seeds,)
        optima.append(best)
        if d == 32:  # the paper's statement is of models with more parameters than characters
            continue
        ratio = t_statistic(best - math.log10(USUAL), "log10 of best decay / usual")
        gain = t_statistic(tuned(losses[0]) - tuned(*losses[1:]), "gain of tuning it, nats")
        where = f"tuned over {passes} epochs"
        parts[f"width {d}: best decay / {USUAL}"] = (ratio, at_least(math.log10(TIMES)), where)
        parts[f"width {d}: gain"] = (gain, more_than(GAIN), where)
    if len(widths) > 1:
        worst = worst_interval(np.diff(np.stack(optima, 1)), at_least(0), "log10 of best decay")
        parts["best decay does not fall with width"] = (worst, at_least(0), "")
    names = [f"width {d}, {e} epochs" for d, e in table.select("d", "epochs").iter_rows()]
    return judged(table, loss_curve(table, "weight_decay", names, log_x=True), parts)


@study.claim("C3", minutes={"quick": 1.1, "full": 1.8})
def larger_is_better_after_tuning(scale: Scale) -> dict[str, Evidence]:
    """With weight decay tuned, the loss falls with every enlargement, along a power law.

    Rate and epochs are not tuned here, only the decay: no gain beyond width 64 was to be expected.
    """
    widths = scale.pick(smoke=[32, 64, 128], quick=[32, 64, 128], full=[32, 64, 128])
    _, many = epochs(scale)
    table = trained(scale, [one for d in widths for one in recipes([d], [TUNED[d]], [many])])
    table = table.with_columns(parameters=pl.col("d").replace_strict(PARAMETERS))
    losses = by_seed(table, "loss", "d")
    law = bootstrap([PARAMETERS[d] for d in widths], list(losses.T))
    ends = law.interval()
    note = (
        f"Asymptote {law.law.asymptote:.3f}, 95 % of resampled seeds {ends.low:.3f} to "
        f"{ends.high:.3f}, losses range over {law.spread:.3f}: "
        f"{'identified' if law.identified else 'not identified'}. "
        f"{said(table)}"
    )
    steps = np.diff(losses)
    falls = worst_interval(steps, less_than(0), "largest rise from width to width, nats")
    harms = worst_interval(steps, less_than(RISE), "largest rise from width to width, nats")
    parts = {
        "each enlargement lowers the loss": (falls, less_than(0), note),
        "none raises it as under the usual decay": (harms, less_than(RISE), ""),
    }
    picture = loss_curve(table, "parameters", ["tuned decay"] * table.height, log_x=True)
    return judged(table, picture, parts)


@study.claim("C4", minutes={"quick": 1.1, "full": 1.8})
def ensembles_go_lower(scale: Scale) -> dict[str, Evidence]:
    """An ensemble has a lower loss than any single model, be it larger than all members together
    are."""
    n = size(scale)
    table = ensembles(scale, n, [64], [TUNED[64]], epochs(scale)[1:])
    losses = table["loss"][0]
    together = pseudo_values(lambda i: mean_over_subsets(losses, n - 1, i), n)
    gain = t_statistic(
        pseudo_values(
            lambda i: mean_over_subsets(losses, 1, i) - mean_over_subsets(losses, n - 1, i), n
        ),
        "mean single - ensemble, nats",
    )
    large = trained(scale, recipes([128], [TUNED[128]], epochs(scale)[1:]))["loss"].to_numpy()
    over = difference(large, together, "mean larger single - ensemble, nats")
    whole = len(losses) - 1
    note = (
        f"Over K: {listed(mean_over_subsets(losses, k) for k in range(1, n + 1))}. Averaging the "
        f"probabilities of all {n} instead: {table['loss_of_probabilities'][0][whole]:.4f}, logits "
        f"{losses[whole]:.4f}. Counts of runs of {', '.join(map(str, ORDERS))} characters: "
        f"{listed(table['counted'][0])}."
    )
    parts = {
        f"single - ensemble of {n - 1}": (gain, more_than(TOGETHER), note),
        f"single of width 128 - ensemble of {n - 1} of width 64": (over, more_than(SMALLER), ""),
    }
    curves = over_members({"width 64": losses})
    return judged(curves, member_curve(curves), parts)


@study.claim("C5", minutes={"quick": 0.8, "full": 6})
def members_want_less_regularisation(scale: Scale) -> dict[str, Evidence]:
    """Members of an ensemble want less weight decay, or more epochs, than the best single model."""
    n = size(scale)
    decays = scale.pick(smoke=[1.0, 3.0], quick=[1.0, 3.0], full=[0.3, 1.0, 3.0])
    _, many = epochs(scale)
    table = ensembles(
        scale, n, [64], decays, scale.pick(smoke=[many], quick=[many], full=[many, 2 * many])
    )
    losses = dict(
        zip(table.select("weight_decay", "epochs").iter_rows(), table["loss"], strict=True)
    )
    single = min(losses, key=lambda at: mean_over_subsets(losses[at], 1))
    weaker = [at for at in losses if at != single and at[0] <= single[0] and at[1] >= single[1]]
    rows = [
        {
            "recipe": f"decay {decay:g}, {passes} epochs",
            "models": name,
            "loss": mean_over_subsets(found, k),
        }
        for (decay, passes), found in losses.items()
        for name, k in (("single", 1), (f"ensemble of {n - 1}", n - 1))
    ]
    parts: dict[str, Any] = {}
    note = f"Best single: decay {single[0]:g}, {single[1]} epochs."
    if weaker:
        best = min(weaker, key=lambda at: mean_over_subsets(losses[at], n - 1))
        note += f" Best weaker ensemble: decay {best[0]:g}, {best[1]} epochs."

        def gain(at: tuple[float, int], i: int | None) -> float:
            return mean_over_subsets(losses[at], 1, i) - mean_over_subsets(losses[at], n - 1, i)

        more = pseudo_values(lambda i: gain(best, i) - gain(single, i), n)
        lower = pseudo_values(
            lambda i: (
                mean_over_subsets(losses[single], n - 1, i)
                - mean_over_subsets(losses[best], n - 1, i)
            ),
            n,
        )
        together = t_statistic(more, "gain of averaging there - at the best single's, nats")
        prefers = t_statistic(lower, "ensemble at the best single's recipe - there, nats")
    else:  # the weakest recipe is the singles' best: the grid cannot tell
        together = prefers = t_statistic([math.nan] * n, "no weaker recipe in the grid")
    parts["averaging gains more at the weaker recipe"] = (together, more_than(0), note)
    parts["and makes it the better one"] = (prefers, more_than(0), "")
    shown = pl.DataFrame(rows).with_columns(
        label=pl.format("{}, {}", "models", "recipe"), low=pl.lit(None), high=pl.lit(None)
    )
    picture = forest(
        shown, "label", "loss", "low", "high", reference=None, color="models", x_title="nats"
    )
    return judged(shown.drop("low", "high"), picture, parts)


@study.claim("C6", minutes={"quick": 2.2, "full": 4})
def both_together_save_data(scale: Scale) -> dict[str, Evidence]:
    """Fewer but larger members go lowest, and the usual recipe needs over 1.5 times the data."""
    n, pair, widths = max(3, len(scale.seeds)), 2, [32, 64, 128]
    _, many = epochs(scale)
    surface = {d: ensembles(scale, n, [d], [TUNED[d]], [many])["loss"][0] for d in widths}
    large = pseudo_values(lambda i: mean_over_subsets(surface[128], pair, i), n)
    small_ones = ensembles(scale, size(scale), [64], [TUNED[64]], [many])["loss"][0]
    together = size(scale) - 1
    small = pseudo_values(lambda i: mean_over_subsets(small_ones, together, i), together + 1)
    sizes = [factor * text(scale)["characters"] for factor in (1, 2, 4)]
    used = text(scale)["characters"]
    usual = standard_over_data(scale, sizes)
    losses = by_seed(usual, "loss", "characters")
    with_pair = [mean_over_subsets(surface[128], pair, i) for i in range(len(losses))]
    multiple = np.array(
        [
            data_efficiency(reached, fit(sizes, one), used)
            for one, reached in zip(losses, with_pair, strict=True)
        ]
    )
    times = t_statistic(multiple, "times the data for the usual recipe")
    whole = float(
        data_efficiency(
            mean_over_subsets(surface[128], pair), fit(sizes, losses.mean(axis=0)), used
        )
    )
    lower = difference(small, large, "nats")
    note = (
        f"Usual recipe at {sizes} characters: {listed(losses.mean(axis=0))}; pair of width 128: "
        f"{mean_over_subsets(surface[128], pair):.3f}. {joint_asymptote(surface)}"
    )
    parts = {
        f"{together} of width 64 - {pair} of width 128": (lower, more_than(0), ""),
        "data multiple, over seeds": (times, more_than(1), note),
        "data multiple, of the means": (
            exact_statistic(whole, "times the data"),
            more_than(MULTIPLE),
            "",
        ),
    }
    curves = over_members({f"width {d}": found for d, found in surface.items()})
    return judged(curves, member_curve(curves), parts, exact=None)


@study.claim("C7", minutes={"quick": 1.1, "full": 3.5})
def a_student_keeps_the_gain(scale: Scale) -> dict[str, Evidence]:
    """One student of a member's size, taught by an ensemble, keeps over half of its gain."""
    teachers = range(min(4, size(scale)))
    few, many = epochs(scale)
    losses = ensembles(scale, len(teachers), [64], [TUNED[64]], [many])["loss"][0]
    single, together = mean_over_subsets(losses, 1), losses[-1]
    cost = {"teacher_decay": TUNED[64], "teacher_epochs": many, "d": 64, "weight_decay": 1.0}
    cost |= {"epochs": few, "share": 0.75, "learning_rate": RATE}
    groups = scale.pick(smoke=[teachers], quick=[teachers], full=[teachers, teachers[:1]])
    taught = [
        run(
            student,
            grid(seed=scale.seeds, teacher_seeds=fixed(tuple(group)), **cost, **text(scale)),
        )
        for group in groups
    ]
    kept = t_statistic(
        (single - taught[0]["loss"].to_numpy()) / (single - together), "share of the gain kept"
    )
    note = (
        f"Mean single {single:.3f}, ensemble of {len(teachers)} {together:.3f}, students "
        f"{listed(taught[0]['loss'])}."
    )
    found = [
        one.with_columns(model=pl.lit(f"student of {len(group)}"))
        for one, group in zip(taught, groups, strict=True)
    ]
    if len(groups) > 1:
        alone = trained(scale, recipes([64], [1.0], [4 * few]))
        found.append(alone.with_columns(model=pl.lit("real text alone, as many steps")))
        note += (
            f" Taught by one member: {listed(taught[1]['loss'])}. Real text alone for as long: "
            f"{listed(alone['loss'])}."
        )
    table = pl.concat(found, how="diagonal")
    picture = forest(
        seed_means(table, "loss", ["model"]),
        "model",
        "loss",
        "low",
        "high",
        reference=together,
        x_title="nats a character (line: the ensemble)",
    )
    return judged(
        table, picture, {f"student of {len(teachers)} keeps": (kept, more_than(KEPT), note)}
    )


@study.claim("C8", minutes={"quick": 0.8, "full": 1.1})
def the_order_holds_elsewhere(scale: Scale) -> dict[str, Evidence]:
    """On a text of another domain the recipes keep their order: tuned decay below the usual one,
    an ensemble below its members.

    A stand-in for the paper's downstream tasks and continued training, which are out of reach.
    """
    few, many = epochs(scale)
    n = size(scale)
    usual = trained(scale, recipes([64], [USUAL], [few, many]))
    strong = trained(scale, recipes([64], [TUNED[64]], [many]))
    best = usual.filter(pl.col("epochs") == best_of(usual, "epochs"))
    gap = best["elsewhere"].to_numpy() - strong["elsewhere"].to_numpy()
    losses = ensembles(scale, n, [64], [TUNED[64]], [many])["elsewhere"][0]
    gain = pseudo_values(
        lambda i: mean_over_subsets(losses, 1, i) - mean_over_subsets(losses, n - 1, i), n
    )
    parts = {
        "usual decay - tuned": (t_statistic(gap, "nats elsewhere"), more_than(0), ""),
        f"single - ensemble of {n - 1}": (t_statistic(gain, "nats elsewhere"), more_than(0), ""),
    }
    table = pl.concat([usual, strong])
    names = [f"decay {decay:g}" for decay in table["weight_decay"]]
    return judged(table, loss_curve(table, "epochs", names, y="elsewhere"), parts)


def text(scale: Scale) -> dict[str, Any]:
    """Source, training characters and held-out ones."""
    dictionary = {"source": "gcide", "characters": 24_576, "valid": 65_536}
    small = {"source": "python-topics", "characters": 2_048, "valid": 2_048}
    return scale.pick(smoke=small, quick=dictionary, full=dictionary)


def epochs(scale: Scale) -> list[int]:
    """The usual recipe's best number of epochs, and the regularised one's."""
    return scale.pick(smoke=[1, 2], quick=[16, 32], full=[16, 32])


def size(scale: Scale) -> int:
    """Models to make ensembles of: one more than are averaged, for the spread over seeds."""
    return scale.pick(smoke=3, quick=4, full=7)


def recipes(
    widths: Sequence[int], decays: Sequence[float], passes: Sequence[int]
) -> list[dict[str, Any]]:
    """All combinations."""
    return [
        {"d": d, "weight_decay": decay, "epochs": number}
        for d in widths
        for decay in decays
        for number in passes
    ]


def trained(scale: Scale, asked: Sequence[dict[str, Any]], **other: Any) -> pl.DataFrame:
    """A row a model of each recipe and seed."""
    return models(scale.seeds, asked, **{"learning_rate": RATE, **text(scale), **other})


def standard_over_data(scale: Scale, characters: Sequence[int]) -> pl.DataFrame:
    """The usual recipe on more or less text, at its best number of epochs on the usual amount."""
    few = epochs(scale)[:1]
    return pl.concat(
        trained(scale, recipes([64], [USUAL], few), characters=number) for number in characters
    )


def ensembles(
    scale: Scale, n: int, widths: Sequence[int], decays: Sequence[float], passes: Sequence[int]
) -> pl.DataFrame:
    """Losses of all ensembles of n models of each recipe, a row a recipe.

    The models are trained first, as cells of their own, where they are not yet.
    """
    asked = recipes(widths, decays, passes)
    models(range(n), asked, learning_rate=RATE, **text(scale))
    return pl.concat(
        run(
            ensemble_losses,
            grid(
                **{name: [value] for name, value in one.items()},
                seeds=fixed(tuple(range(n))),
                learning_rate=RATE,
                **text(scale),
            ),
        )
        for one in asked
    )


def by_decay(table: pl.DataFrame, d: int, decay: float) -> np.ndarray:
    """Losses (seeds, epochs) of a width and a decay."""
    return by_seed(table.filter(d=d, weight_decay=decay), "loss", "epochs")


def tuned(*losses: np.ndarray) -> np.ndarray:
    """Losses (seeds,) of the setting with the lowest mean, of tables (seeds, settings)."""
    settings = np.concatenate(losses, axis=1)
    return settings[:, settings.mean(axis=0).argmin()]


def best_of(table: pl.DataFrame, column: str) -> Any:
    """The value of a column with the lowest mean loss."""
    means = table.group_by(column, maintain_order=True).agg(pl.col("loss").mean())
    return means.sort("loss")[column][0]


def fit(sizes: Sequence[float], losses: Any) -> PowerLaw:
    """The law in the number of characters: three of them, which identify no asymptote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit_power_law(sizes, losses)


def joint_asymptote(surface: dict[int, Sequence[float]]) -> str:
    """Members to infinity at each width, then width, in a sentence."""
    limits = []
    for losses in surface.values():
        n = (len(losses) + 1).bit_length() - 1
        members = range(1, n + 1)
        limits.append(fit(members, [mean_over_subsets(losses, k) for k in members]).asymptote)
    joint = fit([PARAMETERS[d] for d in surface], limits).asymptote
    return (
        f"Asymptote over members at widths {list(surface)}: {listed(limits)}; over both: "
        f"{joint:.3f}, from three points each, which identify none."
    )


def said(table: pl.DataFrame) -> str:
    """Mean losses of a table's recipes, in a sentence."""
    means = table.group_by("d", "weight_decay", "epochs", maintain_order=True).agg(
        pl.col("loss").mean()
    )
    return f"Mean losses {listed(means['loss'])}."


def listed(numbers: Any) -> str:
    """Numbers with three decimals."""
    return ", ".join(f"{number:.3f}" for number in numbers)
