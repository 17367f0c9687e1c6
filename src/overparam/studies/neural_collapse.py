"""Neural Collapse in Deep Linear Networks: From Balanced to Imbalanced Data (arXiv 2301.00437).

C1 to C3 compare minima of the model with free features with the closed forms of `theory.collapse`:
deterministic, so decided without an interval (the lowest of some random starts: with three layers
or more a class at 0 is a local minimum). C4 asks of cross-entropy what C1 asks of squared error,
and finds that depth prefers frames of lower rank. C5 and C6 are trained networks, over seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from overparam.evidence.cells import fixed, grid, run
from overparam.evidence.intervals import exact_statistic, t_statistic
from overparam.evidence.regions import at_least, at_most, between, less_than
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import seed_means
from overparam.evidence.verdict import Evidence, Part, judged
from overparam.report.figures import curve
from overparam.studies.neural_collapse_minima import (
    balanced_minimum,
    cross_entropy_minima,
    imbalanced_minimum,
)
from overparam.studies.neural_collapse_networks import balanced_network, imbalanced_network
from overparam.studies.study import Study

study = Study("neural-collapse")

SIZES = (200, 100, 50, 20)  # C2, C3
IMBALANCED = (600, 400, 250, 150, 100, 60)  # C6
EXCESS, SCATTER, FRAME, BALANCE = 1e-5, 1e-6, 1e-2, 1e-3  # C1
ALL_ETF = 1e-3  # C4 (a)
FULLY_FITTED = 0.995  # reads 1.00
# C5: what must be left of each metric at the end, as a share of its start.
LEFT = {"nc1": 1 / 20, "nc2": 1 / 2.5, "nc3": 1 / 2.5}
CHANNELS = (8, 16)  # C5 at full scale: of the convolutional network's two blocks
ORDER = 0.9  # C6: Spearman's correlation
# Weight decay by (loss, linear layers): with less, 200 epochs do not reach the end.
DECAYS = {
    ("squared", 1): 5e-3,
    ("squared", 3): 2e-3,
    ("cross_entropy", 1): 5e-3,
    ("cross_entropy", 3): 5e-4,
}


@study.claim("C1", minutes={"quick": 0.4, "full": 1.5})
def balanced_minima(scale: Scale) -> dict[str, Evidence]:
    """With equal classes and squared error every minimum is collapsed in all linear layers: equal
    columns, orthogonal means, the layers' product aligned with them, the layers balanced."""
    ks = scale.pick(smoke=[4], quick=[4, 10], full=[4, 10])
    rows = scale.pick(smoke=10, quick=100, full=100)
    decays = scale.pick(smoke=[5e-4], quick=[5e-4], full=[5e-4, 2e-3])
    few, many = scale.pick(smoke=(1, 2), quick=(3, 6), full=(6, 6))
    shallow: dict[str, Any] = {"depth": [1, 3], "per_class": rows, "starts": few}
    deep: dict[str, Any] = {"depth": [6], "per_class": rows // 2, "starts": many}
    table = pl.concat(minima(k=ks, decay=decays, **axes) for axes in (shallow, deep))
    once: dict[str, Any] = {"k": [4], "decay": [5e-4], "per_class": rows, "starts": few}
    layers = minima(depth=[3], growth=[1.0, 2.0], **once)
    biased = minima(depth=[1], bias=True, **once)
    worst = {name: largest(table[name]) for name in ("excess", "nc1", "nc2_orthogonal", "nc3")}
    balance, etf = largest(layers["balance"]), largest(biased["nc2_etf"])
    parts: dict[str, Part] = {
        "loss above the closed form": exact(worst["excess"], "relative", at_most(EXCESS)),
        "columns of a class": exact(worst["nc1"], "nc1, largest", less_than(SCATTER)),
        "means": exact(worst["nc2_orthogonal"], "nc2_orthogonal, largest", less_than(FRAME)),
        "alignment": exact(worst["nc3"], "nc3, largest", less_than(FRAME)),
        "layers balanced": exact(balance, "relative, largest", less_than(BALANCE)),
        "with a bias: simplex": exact(etf, "nc2_etf", less_than(FRAME)),
    }
    names = ["nc1", "nc2_orthogonal", "nc3", "excess"]
    first = table.filter(decay=decays[0])  # the other decay of full scale looks the same
    long = first.select(pl.format("K = {}, M = {}", "k", "depth").alias("setting"), *names).unpivot(
        names, index="setting", variable_name="quantity"
    )
    floored = long.with_columns(pl.col("value").clip(lower_bound=1e-18))
    picture = curve(
        floored,
        "setting",
        "value",
        color="quantity",
        log_y=True,
        y_title="distance from the theory",
    )
    return judged(table, picture, parts, exact=True)


@study.claim("C2", minutes={"quick": 0.1, "full": 0.2})
def imbalanced_minima(scale: Scale) -> dict[str, Evidence]:
    """With unequal classes the means are orthogonal, and their norms and those of the classifier's
    rows are known functions of the class sizes."""
    starts = scale.pick(smoke=1, quick=3, full=6)
    settings = [(1, 2e-3, 5e-5), (2, 1e-3, 2e-5), (3, 2e-3, 2e-5), (2, 6e-3, 4e-3)]
    table = pl.concat(imbalanced_table(*setting, starts) for setting in settings)
    error = max(largest(table[name]) for name in ("feature_error", "weight_error"))
    cosine = largest(table["cosine"])
    parts: dict[str, Part] = {
        "norms": exact(error, "relative error, largest", at_most(0.01)),
        "angles": exact(cosine, "|cosine| between classes, largest", less_than(0.01)),
    }
    return judged(table, norms_by_size(table.head(3)), parts, exact=True)


@study.claim("C3", minutes={"quick": 0.1, "full": 0.1})
def minority_collapse(scale: Scale) -> dict[str, Evidence]:
    """A class with fewer examples than the threshold N^2 l_W l_H has features of norm 0."""
    table = imbalanced_table(1, 0.016, 0.016, scale.pick(smoke=1, quick=3, full=6))
    error = largest(table["feature_error"])
    note = f"Threshold: {0.016**2 * sum(SIZES) ** 2:.2f} examples; classes of {SIZES}."
    dead = exact(largest(table["dead_norm"]), "norm of its mean", less_than(1e-3))
    parts: dict[str, Part] = {
        f"class of {SIZES[-1]}": (*dead[:2], note),
        "other classes": exact(error, "relative error of norms", at_most(0.01)),
    }
    return judged(table, norms_by_size(table), parts, exact=True)


@study.claim("C4", minutes={"quick": 0.2, "full": 0.5})
def cross_entropy_geometry(scale: Scale) -> dict[str, Evidence]:
    """Under cross-entropy every minimum is a simplex, aligned with the classifier, whatever the
    number of linear layers."""
    rows, starts = scale.pick(smoke=(5, 2), quick=(50, 8), full=(50, 30))
    table = run(
        cross_entropy_minima, grid(k=[4, 6], depth=[1, 2, 3], per_class=rows, starts=starts)
    )
    one = table.filter(depth=1)
    parts: dict[str, Part] = {
        "M = 1, every start: simplex": exact(
            largest(one["worst_nc2_etf"]), "nc2_etf, largest", less_than(ALL_ETF)
        ),
        "M = 1, every start: self-dual": exact(
            largest(one["worst_nc3_centred"]), "nc3_centred, largest", less_than(ALL_ETF)
        ),
    }
    for row in table.filter(pl.col("depth") > 1).iter_rows(named=True):
        found = exact(row["nc2_etf"], "nc2_etf of the lowest loss found", less_than(FRAME))
        note = (
            f"Losses: simplex {row['etf_loss']:.6f}, frame of lower rank "
            f"{row['low_rank_loss']:.6f}, {starts} random starts {row['random_loss']:.6f}; "
            f"scatter within classes at the lowest {row['nc1']:.0e}."
        )
        parts[f"K = {row['k']}, M = {row['depth']}: simplex"] = (*found[:2], note)
    names = {"etf_loss": "simplex", "low_rank_loss": "lower rank", "random_loss": "random starts"}
    gains = table.with_columns(
        [(pl.col(n) / pl.col("etf_loss")).alias(title) for n, title in names.items()]
    )
    long = gains.select(
        pl.format("K = {}, M = {}", "k", "depth").alias("setting"), *names.values()
    ).unpivot(list(names.values()), index="setting", variable_name="start", value_name="loss")
    picture = curve(long, "setting", "loss", color="start", y_title="loss / loss of the simplex")
    return judged(table, picture, parts, exact=True)


@study.claim("C5", minutes={"quick": 2, "full": 10})
def balanced_networks(scale: Scale) -> dict[str, Evidence]:
    """Networks with batch norm, trained on balanced classes until everything fits, collapse:
    features to their means, the means to the theory's frame, the classifier to the means.

    Without batch norm the columns collapse too, but not the frame: told beside the verdict. At full
    scale a small convolutional network joins the perceptrons.
    """
    source = scale.pick(smoke=["digits"], quick=["digits"], full=["digits", "fashion-mnist"])
    rows, epochs = scale.pick(smoke=(300, 4), quick=(1797, 200), full=(5000, 200))
    cost = {"source": source, "rows": rows, "epochs": epochs}
    judged_nets = [("squared", 1), ("squared", 3), ("cross_entropy", 1)]
    tables = {
        (*net, "perceptron"): net_table(net, seed=scale.seeds, batch_norm=[True], **cost)
        for net in judged_nets
    }
    convolved = scale.pick(smoke=[], quick=[], full=[("squared", 1), ("cross_entropy", 1)])
    for net in convolved:
        tables[(*net, "convolutional")] = net_table(
            net,
            seed=scale.seeds,
            batch_norm=[True],
            channels=fixed(CHANNELS),
            **{**cost, "source": ["digits"]},
        )
    one_seed = scale.seeds[:1]
    beside = {"cross-entropy, M = 3": (("cross_entropy", 3), True)}
    beside["squared, M = 1, no batch norm"] = (("squared", 1), False)
    beside["cross-entropy, M = 1, no batch norm"] = (("cross_entropy", 1), False)
    told = [
        f"{name}: {falls(net_table(net, seed=one_seed, batch_norm=[norm], **cost), net[0])}"
        for name, (net, norm) in beside.items()
    ]
    parts: dict[str, Part] = {}
    accuracies = [
        table.group_by("seed").agg(pl.col("train_accuracy").min()) for table in tables.values()
    ]
    worst = np.min([t.sort("seed")["train_accuracy"].to_numpy() for t in accuracies], axis=0)
    parts["everything fits"] = (
        t_statistic(worst, "train accuracy, worst network"),
        at_least(FULLY_FITTED),
        f"One seed each: {'; '.join(told)}.",
    )
    for (loss, depth, kind), table in tables.items():
        name = f"{loss.replace('_', '-')}, M = {depth}"
        name += ", convolutional" if kind == "convolutional" else ""
        for short, metric in fitting(loss).items():
            share = pl.col(f"{metric}_end") / pl.col(f"{metric}_start")
            by = table.group_by("seed").agg(share.max().alias("left")).sort("seed")
            statistic = t_statistic(by["left"].to_numpy(), f"{metric} at the end / at the start")
            parts[f"{name}: {short}"] = (statistic, at_most(LEFT[short]), "")
    every = pl.concat(
        table.with_columns(loss=pl.lit(loss), depth=pl.lit(depth), net=pl.lit(kind))
        for (loss, depth, kind), table in tables.items()
    )
    kept = every.select(pl.exclude([c for c in every.columns if c.endswith("_curve")] + ["epoch"]))
    return judged(kept, collapse_curves(every), parts)


@study.claim("C6", minutes={"quick": 1, "full": 2})
def imbalanced_networks(scale: Scale) -> dict[str, Evidence]:
    """In networks trained on unequal classes larger classes have longer rows and shorter means, by
    about the theory's powers of the class size."""
    sizes = scale.pick(smoke=(60, 40, 25, 15), quick=IMBALANCED, full=IMBALANCED)
    source = scale.pick(smoke="digits", quick="fashion-mnist", full="fashion-mnist")
    epochs = scale.pick(smoke=3, quick=120, full=120)
    cost = {"source": source, "sizes": fixed(sizes), "epochs": epochs, "seed": scale.seeds}
    parts: dict[str, Part] = {}
    shown = []
    for depth in (1, 3):
        decay = DECAYS["squared", depth]
        axes = {"depth": depth, "weight_decay": decay, **cost}
        table = run(imbalanced_network, grid(batch_norm=[True, False], **axes))
        plain, table = table.filter(~pl.col("batch_norm")), table.filter("batch_norm")
        orders = ", ".join(f"{order:.2f}" for order in plain["row_order"].to_list())
        row_slope = 1 / (2 * (depth + 1))
        note = (
            f"Largest |cosine| between means {largest(table['mean_cosine']):.2f}, between rows "
            f"{largest(table['row_cosine']):.2f}. Without batch norm, order of rows: {orders}."
        )
        for name, sign, theory in (("row", 1, row_slope), ("mean", -1, row_slope - 0.5)):
            order = t_statistic(sign * table[f"{name}_order"].to_numpy(), f"{sign} x Spearman")
            slope = t_statistic(table[f"{name}_slope"].to_numpy() / theory, "slope / theory's")
            head = f"M = {depth}: norms of {name}s"
            parts[f"{head}, order"] = (order, at_least(ORDER), note if name == "row" else "")
            text = f"Theory: size to the power {theory:.3g}."
            parts[f"{head}, slope"] = (slope, between(0.5, 2), text)
        shown.append(table.with_columns(layers=pl.lit(depth)))
    every = pl.concat(shown)
    return judged(every, network_norms(every, sizes), parts)


def largest(column: pl.Series) -> float:
    """The largest value of a column."""
    return float(column.to_numpy().max())


def exact(value: float, label: str, region: Any) -> Part:
    """A part without an interval."""
    return exact_statistic(value, label), region, ""


def minima(*, growth: Any = 1.0, bias: bool = False, **axes: Any) -> pl.DataFrame:
    """Minima of C1."""
    return run(balanced_minimum, grid(growth=growth, bias=bias, **axes))


def imbalanced_table(depth: int, decay: float, feature_decay: float, starts: int) -> pl.DataFrame:
    """One setting of C2 or C3."""
    setting = {"depth": [depth], "decay": [decay], "feature_decay": [feature_decay]}
    return run(imbalanced_minimum, grid(**setting, sizes=fixed(SIZES), starts=starts))


def net_table(net: tuple[str, int], **axes: Any) -> pl.DataFrame:
    """Networks of C5 of one loss and depth."""
    loss, depth = net
    return run(balanced_network, grid(loss=loss, depth=depth, weight_decay=DECAYS[net], **axes))


def fitting(loss: str) -> dict[str, str]:
    """The metrics that fit a loss: orthogonal means without a bias, a simplex with one."""
    if loss == "squared":
        return {"nc1": "nc1", "nc2": "nc2_orthogonal", "nc3": "nc3"}
    return {"nc1": "nc1", "nc2": "nc2_etf", "nc3": "nc3_centred"}


def falls(table: pl.DataFrame, loss: str) -> str:
    """Start and end of the fitting metrics, in words."""
    row = table.row(0, named=True)
    return ", ".join(
        f"{metric} {row[f'{metric}_start']:.2g} to {row[f'{metric}_end']:.2g}"
        for metric in fitting(loss).values()
    )


def collapse_curves(table: pl.DataFrame) -> dict[str, Any]:
    """nc1 of every kind of network over epochs (the first epoch stands at 1)."""
    named = table.with_columns(
        network=pl.format("{}, M = {}", pl.col("loss").str.replace("_", "-"), "depth")
        + pl.when(pl.col("net") == "convolutional").then(pl.lit(", conv")).otherwise(pl.lit(""))
    )
    long = named.explode("epoch", "nc1_curve").with_columns(epochs=pl.col("epoch") + 1)
    means = seed_means(long.rename({"nc1_curve": "nc1"}), "nc1", ["network", "epochs"])
    return curve(
        means.select("network", "epochs", "nc1"),
        "epochs",
        "nc1",
        color="network",
        log_x=True,
        log_y=True,
        x_title="epochs done + 1",
        y_title="scatter within classes over that between (nc1)",
    )


def norms_by_size(table: pl.DataFrame) -> dict[str, Any]:
    """Norms of means and rows against the class size, found and by formula."""
    rows = [
        {"class size": str(size), "norm": norm, "what": f"{what}, M = {setting['depth']}"}
        for setting in table.iter_rows(named=True)
        for what in ("feature", "weight")
        for size, norm in zip(SIZES, setting[f"{what}_norms"], strict=True)
    ]
    return curve(rows, "class size", "norm", color="what", y_title="norm")


def network_norms(table: pl.DataFrame, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Norms of means and rows of the trained networks against the class size."""
    rows = [
        {"size": size, "norm": norm, "what": f"{what}, M = {net['layers']}"}
        for net in table.iter_rows(named=True)
        for what in ("mean", "row")
        for size, norm in zip(sizes, net[f"{what}_norms"], strict=True)
    ]
    means = seed_means(pl.DataFrame(rows), "norm", ["what", "size"])
    return curve(
        means,
        "size",
        "norm",
        color="what",
        log_x=True,
        log_y=True,
        x_title="examples of the class",
    )
