"""Wide and Deep Neural Networks Achieve Optimality for Classification (arXiv 2204.14126).

An infinitely wide and deep network is the nearest neighbour, the majority vote, or a rule with
weights dist^-alpha, and the activation decides which (C1, C2). Where alpha is the dimension d of
the data, the error tends to the Bayes error whatever the distribution (C3, C4). Networks of finite
width follow their kernel (C5). The same depth ruins regression (C6).

Risks are the excess over the Bayes rule on points whose label probabilities are known, so that no
noise of test labels is in them. A seed's figure in C3 to C6 is the mean over several samples:
the sample of 200 points alone moves the excess by a sixth, as much as the fall to 800 is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from overparam.evidence.cells import batched, fixed, grid, run
from overparam.evidence.intervals import exact_statistic, t_statistic
from overparam.evidence.regions import at_least, at_most, less_than, more_than
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import by_seed, seed_means, worst_interval
from overparam.evidence.verdict import Evidence, Part, judged
from overparam.report.figures import curve
from overparam.studies.study import Study
from overparam.studies.wide_deep_optimality_cells import (
    ACTIVATIONS,
    depth_errors,
    excess_risks,
    finite_network,
    limit_agreement,
    weight_slopes,
)

study = Study("wide-deep-optimality")

EARLY, LATE = 30, 300  # layers after which kinds 1 and 2, and kind 3, have reached their limits
REACHED = {"nearest-neighbor": 0.99, "majority-vote": 0.99}
SINGULAR = {100: 0.97, 300: 0.98}  # by the depth: the singular kernel comes like 1 / depth
SLOPE = 1e-3  # relative, of alpha
LEVEL = 0.961  # of an interval that reaches 3 standard errors with five seeds; wider with three
AGREES = 0.98  # of finite networks at the largest width, on 500 test images
RUINED, LEARNT = 0.9, 0.01  # of the target's power: regression at >= 20 and at <= 3 layers
HALF = 0.5  # excess risk at 80 layers, of that at 1
RULES = ["alpha = d", "psi", "alpha = d/2", "alpha = 2d", "1-NN", "majority"]
HARD = ["rings", "patch", "long tail"]


@study.claim("C1", minutes={"quick": 1, "full": 8})
def depth_leads_to_three_rules(scale: Scale) -> dict[str, Evidence]:
    """As depth grows an infinitely wide network becomes the nearest neighbour, the majority vote or
    a singular-kernel rule, as three numbers of its activation say."""
    pairs = scale.pick(
        smoke=["3/8"], quick=["Sneaker/Boot"], full=["Pullover/Shirt", "Sneaker/Boot"]
    )
    depths = scale.pick(
        smoke=[1, 10], quick=[1, 3, 10, 30, 100], full=[1, 3, 10, 30, 100, 300, 1000]
    )
    few: dict[str, Any] = {"source": "digits", "parts": fixed(((30, 20), (25, 25)))}
    whole: dict[str, Any] = {"source": "fashion-mnist", "parts": fixed(((300, 200), (250, 250)))}
    cost = scale.pick(smoke=few, quick=whole, full=whole)
    axes = grid(
        activation=list(ACTIVATIONS), depth=batched(depths), seed=scale.seeds, pair=pairs, **cost
    )
    table = run(limit_agreement, axes)
    table = table.with_columns(at=pl.format("{}, {}", "activation", "pair"))
    last = max(depth for depth in depths if depth <= LATE)
    parts: dict[str, Part] = {}
    for kind, share in REACHED.items():
        early = min(EARLY, last)
        agreed = by_seed(table.filter(kind=kind, depth=early), "agreement", "at")
        region = at_least(share)
        found = worst_interval(agreed, region, f"agreement at {early} layers, least")
        parts[f"{kind} at {early} layers"] = (found, region, "")
    singular = table.filter(kind="singular-kernel")
    first, end = (by_seed(singular.filter(depth=L), "agreement", "at") for L in (1, last))
    region = at_least(SINGULAR.get(last, SINGULAR[LATE]))
    found = worst_interval(end, region, f"agreement at {last} layers, least")
    parts[f"singular-kernel at {last} layers"] = (found, region, listed(singular, last))
    rise = worst_interval(end - first, more_than(0), "rise of agreement from 1 layer, least")
    parts[f"singular-kernel: rises from 1 to {last} layers"] = (rise, more_than(0), "")
    means = seed_means(table, "agreement", ["at", "depth"])
    figure = curve(
        means,
        "depth",
        "agreement",
        color="at",
        low="low",
        high="high",
        log_x=True,
        x_title="hidden layers",
        y_title="test images with the limit's label",
    )
    return judged(table, figure, parts)


@study.claim("C2", minutes={"quick": 0.1, "full": 0.1})
def explicit_activations_have_their_alpha(scale: Scale) -> dict[str, Evidence]:
    """The explicit activation for dimension d has weights of exponent alpha = d close to a
    training row.

    At a finite depth L the tangent kernel has d + 2 where 1 - xi < 1 / L: another exact part.
    """
    dims = scale.pick(smoke=[1, 2], quick=[1, 2, 4, 8, 32], full=[1, 2, 4, 8, 32, 100, 784])
    table = run(weight_slopes, grid(d=dims, depth=60))
    parts = {}
    for name, column, more in (("psi", "psi", 0), ("tangent kernel, 60 layers", "kernel", 2)):
        promised = table["d"].to_numpy() + more
        error = np.abs(table[column].to_numpy() / -promised - 1)
        label = "relative error of the slope, largest"
        parts[name] = (exact_statistic(float(error.max()), label), at_most(SLOPE), "")
    columns = {"psi": "psi", "kernel": "tangent kernel, 60 layers"}
    long = table.unpivot(list(columns), index="d", variable_name="of", value_name="slope")
    long = long.with_columns(pl.col("of").replace(columns), exponent=-pl.col("slope"))
    figure = curve(long, "d", "exponent", color="of", log_x=True, log_y=True, x_title="dimension d")
    return judged(table, figure, parts, exact=True)


@study.claim("C3", minutes={"quick": 0.7, "full": 9})
def the_right_exponent_nears_the_bayes_error(scale: Scale) -> dict[str, Evidence]:
    """With alpha = d the excess risk falls as rows are added, and lies below those of the nearest
    neighbour and of the majority vote.

    (On so smooth a problem alpha = d/2 is better: consistency is not the best rate.)
    """
    table = risks(scale, ["smooth"], full=[200, 800, 3200, 12_800])
    parts = {"alpha = d falls": fall(table, "smooth", "alpha = d")}
    for rule in ("1-NN", "majority"):
        parts[f"alpha = d < {rule}"] = lead(table, "smooth", rule)
    half, full, psi = (at_last(table, rule).mean() for rule in ("alpha = d/2", "alpha = d", "psi"))
    note = (
        f"At the last n alpha = d has {full:.4f}, psi of the explicit activation {psi:.4f}, and "
        f"alpha = d/2, which is not consistent, {half:.4f}."
    )
    first = parts["alpha = d falls"]
    parts["alpha = d falls"] = (first[0], first[1], note)
    return judged(table, risk_curve(table), parts)


@study.claim("C4", minutes={"quick": 1.5, "full": 7})
def whatever_the_distribution(scale: Scale) -> dict[str, Evidence]:
    """On rings, a noisy patch and a long tail alpha = d falls and ends below the nearest neighbour
    and alpha = 2d; alpha = d/2 does not fall on each of them."""
    table = risks(scale, HARD, full=[200, 800, 3200])
    parts: dict[str, Part] = {}
    for problem in HARD:
        parts[f"{problem}: alpha = d falls"] = fall(table, problem, "alpha = d")
        for rule in ("1-NN", "alpha = 2d"):
            parts[f"{problem}: alpha = d < {rule}"] = lead(table, problem, rule)
    falls = [fall(table, problem, "alpha = d/2")[0] for problem in HARD]
    least = min(range(len(HARD)), key=lambda i: falls[i].value)
    parts[f"alpha = d/2 does not fall: {HARD[least]}"] = (falls[least], at_most(0), "")
    return judged(table, risk_curve(table), parts)


@study.claim("C5", minutes={"quick": 1.5, "full": 5})
def finite_networks_follow_their_kernel(scale: Scale) -> dict[str, Evidence]:
    """Networks of the explicit activation agree with their kernel after the same number of steps of
    gradient descent, the more so the wider."""
    widths = scale.pick(smoke=[16, 64], quick=[256, 1024, 4096], full=[256, 1024, 4096])
    few: dict[str, Any] = {"source": "digits", "pair": "3/8", "pool": 2, "steps": 20}
    few["parts"] = fixed(((20, 20), (25, 25)))
    whole: dict[str, Any] = {"source": "fashion-mnist", "pair": "Sneaker/Boot", "pool": 4}
    whole |= {"parts": fixed(((100, 100), (250, 250))), "steps": 200}
    cost = scale.pick(smoke=few, quick=whole, full=whole)
    cost["draw"] = list(range(scale.pick(smoke=1, quick=4, full=4)))
    keys = ["layers", "width"]
    networks = run(finite_network, grid(layers=[1], width=widths, seed=scale.seeds, **cost))
    table = means_over_draws(networks, keys)
    agreed = by_seed(table.filter(width=widths[-1]), "agreement", "width")[:, 0]
    correlation = by_seed(table, "correlation", "width")
    apart = -np.diff(np.log(1 - correlation), axis=1)  # 1 - correlation goes like 1 / width
    rise = worst_interval(apart, more_than(0), "fall of log(1 - correlation), least of the steps")
    note = f"Correlation at widths {widths}: " + ", ".join(
        f"{value:.4f}" for value in correlation.mean(axis=0)
    )
    if scale.name in ("full", "long"):
        less = cost | {"parts": fixed(((50, 50), (250, 250)))}
        networks = run(finite_network, grid(layers=[2], width=[1024], seed=scale.seeds, **less))
        deeper = means_over_draws(networks, keys)
        means = [float(deeper[column].to_numpy().mean()) for column in ("agreement", "correlation")]
        note += f". Two layers of 1,024 on 100 rows: agreement {means[0]:.3f}, {means[1]:.3f}"
        table = pl.concat([table, deeper], how="diagonal_relaxed")
    label = f"agreement at width {widths[-1]}"
    parts: dict[str, Part] = {
        label: (t_statistic(agreed, label), at_least(AGREES), note + "."),
        "correlation rises with width": (rise, more_than(0), ""),
    }
    shown = table.filter(layers=1).with_columns(apart=1 - pl.col("correlation"))
    figure = curve(
        seed_means(shown, "apart", ["width"]),
        "width",
        "apart",
        log_x=True,
        log_y=True,
        y_title="1 - correlation with the kernel",
    )
    return judged(table, figure, parts)


@study.claim("C6", minutes={"quick": 1.5, "full": 5})
def depth_ruins_regression_only(scale: Scale) -> dict[str, Evidence]:
    """Depth takes a regression from no error to that of predicting 0, while the excess risk of
    classification on rings falls to that of the nearest neighbour or below.

    Not evenly: a few layers may be best at this n, or worst, where the kernel interpolates without
    decaying. What depth gains is a statement about many rows.
    """
    depths = scale.pick(
        smoke=[1, 3, 80], quick=[1, 2, 3, 5, 10, 20, 40, 80], full=[1, 2, 3, 5, 10, 20, 40, 80]
    )
    n, draws = scale.pick(smoke=(60, 1), quick=(400, 4), full=(400, 10))
    axes = grid(depth=batched(depths), seed=scale.seeds, draw=list(range(draws)), n=n)
    table = means_over_draws(run(depth_errors, axes), ["depth"])
    few, many = table.filter(pl.col("depth") <= 3), table.filter(pl.col("depth") >= 20)
    ruined = worst_interval(
        by_seed(many, "regression", "depth"), at_least(RUINED), "error / power of the target, least"
    )
    learnt = worst_interval(
        by_seed(few, "regression", "depth"), less_than(LEARNT), "error / power, largest"
    )
    risk = by_seed(table, "classification", "depth")
    nearest = by_seed(table, "nearest", "depth")[:, -1]
    over = np.stack([risk[:, -1] - nearest], axis=1)
    ratio = t_statistic(risk[:, -1] / risk[:, 0], "excess risk, 80 layers / 1")
    listed_risks = ", ".join(
        f"{r:.3f} at {L}" for L, r in zip(depths, risk.mean(axis=0), strict=True)
    )
    parts: dict[str, Part] = {
        "regression, >= 20 layers": (ruined, at_least(RUINED), ""),
        "regression, <= 3 layers": (learnt, less_than(LEARNT), ""),
        "classification: 80 layers / 1": (
            ratio,
            at_most(HALF),
            f"Excess risk: {listed_risks} layers; 1-NN {nearest.mean():.3f}.",
        ),
        "classification: 80 layers - 1-NN": (
            worst_interval(over, at_most(0), "difference of excess risk"),
            at_most(0),
            "",
        ),
    }
    long = table.unpivot(
        ["regression", "classification", "nearest"],
        index=["depth", "seed"],
        variable_name="of",
        value_name="error",
    ).sort("of", "depth")
    figure = curve(
        seed_means(long, "error", ["of", "depth"]),
        "depth",
        "error",
        color="of",
        low="low",
        high="high",
        log_x=True,
        x_title="hidden layers",
        y_title="error / power, or excess risk",
    )
    return judged(table, figure, parts)


def risks(scale: Scale, problems: Sequence[str], full: list[int]) -> pl.DataFrame:
    """Excess risk of every rule, averaged over the samples of a seed."""
    sizes = scale.pick(smoke=[50, 100], quick=[200, 800], full=full)
    draws = scale.pick(smoke=1, quick=20, full=20)
    axes = grid(problem=list(problems), n=sizes, seed=scale.seeds, draw=list(range(draws)))
    return means_over_draws(run(excess_risks, axes), ["problem", "n"])


def means_over_draws(table: pl.DataFrame, places: list[str]) -> pl.DataFrame:
    """One row a seed and place."""
    keys = [*places, "seed"]
    return table.group_by(keys, maintain_order=True).mean().drop("draw")


def fall(table: pl.DataFrame, problem: str, rule: str) -> Part:
    """By how much the excess risk of a rule falls from the first to the last n."""
    values = by_seed(table.filter(problem=problem), rule, "n")
    label = f"fall of the excess risk of {rule}, first to last n"
    return t_statistic(values[:, 0] - values[:, -1], label, LEVEL), more_than(0), ""


def lead(table: pl.DataFrame, problem: str, rule: str) -> Part:
    """By how much the excess risk of a rule exceeds that of alpha = d at the last n."""
    rows = table.filter(problem=problem)
    label = f"excess risk of {rule} minus that of alpha = d, last n"
    values = at_last(rows, rule) - at_last(rows, "alpha = d")
    return t_statistic(values, label, LEVEL), more_than(0), ""


def at_last(table: pl.DataFrame, rule: str) -> np.ndarray:
    """Excess risks of a rule at the last n, (seeds,)."""
    return by_seed(table, rule, "n")[:, -1]


def listed(table: pl.DataFrame, depth: int) -> str:
    """Mean agreement of each activation at a depth, in a sentence."""
    means = seed_means(table.filter(depth=depth), "agreement", ["at"])
    return "Mean: " + ", ".join(f"{r['at']} {r['agreement']:.3f}" for r in means.to_dicts()) + "."


def risk_curve(table: pl.DataFrame) -> dict[str, Any]:
    """Excess risk against the number of rows, a line a rule (and problem)."""
    long = table.unpivot(
        RULES, index=["problem", "n", "seed"], variable_name="rule", value_name="excess risk"
    )
    if table["problem"].n_unique() > 1:
        long = long.filter(pl.col("rule").is_in(["alpha = d", "alpha = d/2", "1-NN"]))
        long = long.with_columns(rule=pl.format("{}: {}", "problem", "rule"))
    return curve(
        seed_means(long, "excess risk", ["rule", "n"]),
        "n",
        "excess risk",
        color="rule",
        low="low",
        high="high",
        log_x=True,
        x_title="training rows",
        y_title="excess over the Bayes risk",
    )
