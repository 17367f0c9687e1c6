"""On the Limitations of Temperature Scaling for Distributions with Overlaps (arXiv 2306.00740).

Where the supports of classes overlap, a network that fits every label is sure of one side of a fair
coin. One temperature has to serve that region and the clean one: what remains grows with the number
of classes k (C1), and Mixup of nearby points avoids it (C2). Both on generated data whose exact
conditionals are known; C3 is the paper's pair of Gaussians, C4 its label noise on images.

Mixup draws partners from the minibatch, in C2 within a radius. At k = 32 a batch holds 6 rows of
each pair of classes. That is enough: batches of 400 at equal steps gave no lower KL (0.19 against
0.14, one seed), so one batch size serves every k.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from overparam.evidence.cells import fixed, grid, run
from overparam.evidence.intervals import t_statistic
from overparam.evidence.regions import at_least, between, less_than, more_than
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import by_seed, seed_means, worst_interval
from overparam.evidence.verdict import Evidence, judged
from overparam.report.figures import curve, forest
from overparam.studies.study import Study
from overparam.studies.temperature_scaling_limits_cells import (
    gaussian_network,
    nearest_label,
    noisy_image_network,
    overlap_network,
)

study = Study("temperature-scaling-limits")

RADIUS = 14.0  # nearly all neighbours are of the pair, nine tenths of the pair are neighbours
NEAR_CLOSED_FORM = 0.06  # relative; 1-NN is not quite the interpolator of the closed form
KEPT = 0.8  # C2: of the KL that the best temperature leaves
FLAT = 1.4  # C2: largest over smallest KL; log k grows fivefold from k = 2 to 32
FACTOR = 1.4  # C4: of the log loss; smaller gains would not need Mixup


@study.claim("C1", minutes={"quick": 0.1, "full": 0.7})
def best_temperature_falls_behind(scale: Scale) -> dict[str, Evidence]:
    """The more overlapping classes, the further an interpolating network stays from the true
    conditionals, even at the best possible temperature."""
    ks = scale.pick(smoke=[2, 4], quick=[2, 8], full=[2, 4, 8, 16, 32])
    top, growth = scale.pick(smoke=(4, 1.0), quick=(8, 1.75), full=(16, 2.0))
    networks = overlap_table(scale, k=ks, mix_size=[1], radius=None)
    nearest = run(nearest_label, grid(k=ks, seed=scale.seeds, **overlap_rows(scale)))
    table = networks.join(nearest, on=["k", "seed"])
    kl = by_seed(table, "best_kl", "k")[:, : ks.index(top) + 1]
    miss = by_seed(table, "nearest_kl", "k") / by_seed(table, "closed_form", "k") - 1
    columns = ("best_kl", "nearest_kl", "uniform")
    network, sharp, uniform = (by_seed(table, c, "k")[:, -1].mean() for c in columns)
    note = (
        f"'No better than random' is not seen for the MLP: at k = {ks[-1]} it has {network:.2f} "
        f"where the uniform prediction has {uniform:.2f}; 1-NN, the sharp interpolator of the "
        f"theory, has {sharp / uniform:.0%} of that. {fitted(table)}"
    )
    series = {"MLP": "best_kl", "1-NN": "nearest_kl", "closed form": "closed_form"}
    picture = kl_curve({name: (table, column) for name, column in series.items()})
    ratio = t_statistic(kl[:, -1] / kl[:, 0], "ratio of KL at the best temperature")
    step = worst_interval(np.diff(kl), more_than(0), "smallest step up, nats")
    close = between(-NEAR_CLOSED_FORM, NEAR_CLOSED_FORM)
    worst = worst_interval(miss, close, "relative error at the worst k")
    parts = {
        f"MLP: k = {top} / k = 2": (ratio, more_than(growth), note),
        f"MLP: rises from k = 2 to {top}": (step, more_than(0), ""),
        "1-NN: closed form": (worst, close, ""),
    }
    return judged(table, picture, parts)


@study.claim("C2", minutes={"quick": 0.3, "full": 3})
def local_mixup_does_not_degrade(scale: Scale) -> dict[str, Evidence]:
    """Mixup of nearby points stays near the true conditionals however many classes overlap."""
    ks = scale.pick(smoke=[2, 4], quick=[2, 8], full=[2, 4, 8, 16, 32])
    top = scale.pick(smoke=4, quick=8, full=16)
    erm = overlap_table(scale, k=ks, mix_size=[1], radius=None)
    near = overlap_table(scale, k=ks, mix_size=[2, 3], radius=RADIUS)
    far = overlap_table(scale, k=[k for k in ks if k in (4, 8, 32)], mix_size=[3], radius=None)
    two, three = near.filter(mix_size=2), near.filter(mix_size=3)
    mixed, plain = by_seed(three, "raw_kl", "k"), by_seed(erm, "best_kl", "k")
    purity, reach = (near[c].to_numpy().min() for c in ("pair_purity", "pair_reach"))
    note = (
        f"At k = 2 Mixup of 3 has {mixed[:, 0].mean():.3f}, ERM at its best temperature "
        f"{plain[:, 0].mean():.3f}. Within radius {RADIUS:g} at least {purity:.2%} of the partners "
        f"are of the same pair, and at least {reach:.0%} of the pair are partners. From the whole "
        f"batch instead: {by_seed(far, 'raw_kl', 'k')[:, -1].mean():.3f} at k = {far['k'][-1]}."
    )
    picture = kl_curve(
        {
            "ERM, best T": (erm, "best_kl"),
            "Mixup 2 nearby": (two, "raw_kl"),
            "Mixup 3 nearby": (three, "raw_kl"),
            "Mixup 3, any": (far, "raw_kl"),
        }
    )
    ratio = t_statistic(mixed[:, ks.index(top)] / plain[:, ks.index(top)], "ratio of KL")
    name = f"Mixup of 3 / ERM at its best temperature, k = {top}"
    parts = {name: (ratio, less_than(KEPT), note)}
    if len(ks) > 2:  # two values of k say nothing about flatness
        most, least = mixed[:, mixed.mean(axis=0).argmax()], mixed[:, mixed.mean(axis=0).argmin()]
        spread = t_statistic(most / least, "largest / smallest KL over k")
        parts["Mixup of 3: flat in k"] = (spread, less_than(FLAT), "")
    return judged(pl.concat([erm, near, far], how="diagonal"), picture, parts)


@study.claim("C3", minutes={"quick": 1.7, "full": 7})
def mixup_on_gaussians(scale: Scale) -> dict[str, Evidence]:
    """On overlapping Gaussians Mixup has a lower log loss than ERM, raw or temperature-scaled."""
    means = scale.pick(smoke=[0.05], quick=[0.05, 0.01], full=[0.25, 0.05, 0.01])
    sizes = scale.pick(smoke=[2], quick=[5], full=[2, 3, 5])  # 5: the paper's best
    whole = {"rows": 5000, "width": 512, "epochs": 50}
    cost = scale.pick(smoke={"rows": 300, "width": 16, "epochs": 5}, quick=whole, full=whole)
    table = run(gaussian_network, grid(mean=means, mix_size=[1, *sizes], seed=scale.seeds, **cost))
    erm = table.filter(mix_size=1)
    raw, scaled = (by_seed(erm, column, "mean") for column in ("raw_nll", "scaled_nll"))
    mixed = np.stack([by_seed(table.filter(mix_size=m), "raw_nll", "mean") for m in sizes])
    over_raw = np.concatenate((mixed - raw)[:, :, np.array(means) <= 0.05], axis=1)
    over_scaled = mixed.min(axis=0) - scaled  # the best size for each seed: the claim's best case
    gaps = zip(means, over_scaled.mean(axis=0), strict=True)
    listed = ", ".join(f"{gap:+.3f} at mean {mean:g}" for mean, gap in gaps)
    note = (
        f"Mixup minus ERM + TS: {listed}. With two classes a converged T can retreat to the "
        f"uniform prediction: it goes up to {erm['temperature'].to_numpy().max():.3g}."
    )
    below = less_than(0)
    worst = worst_interval(over_raw, below, "difference of log loss, worst size, mean <= 0.05")
    least = worst_interval(over_scaled, below, "difference of log loss, best size, worst mean")
    parts = {
        "Mixup < ERM raw": (worst, below, fitted(erm)),
        "Mixup < ERM + TS": (least, below, note),
    }
    return judged(table, log_losses(table, "mean"), parts)


@study.claim("C4", minutes={"quick": 1.2, "full": 6.5})
def mixup_under_label_noise(scale: Scale) -> dict[str, Evidence]:
    """Trained on images with wrong labels, Mixup has a lower log loss on clean ones than ERM, raw
    or temperature-scaled."""
    noises = scale.pick(smoke=[0.25], quick=[0.25], full=[0.0, 0.25, 0.5])
    sizes = scale.pick(smoke=[2], quick=[2], full=[2, 3])
    few = {"source": "digits", "parts": fixed((300, 100, 500)), "width": 16, "epochs": 5}
    whole = {"source": "fashion-mnist", "parts": fixed((4500, 500, 5000)), "width": 512}
    whole["epochs"] = 40
    cost = scale.pick(smoke=few, quick=whole, full=whole)
    axes = grid(noise=noises, mix_size=[1, *sizes], seed=scale.seeds, **cost)
    table = run(noisy_image_network, axes)
    erm = table.filter(mix_size=1)
    mixed = by_seed(table.filter(mix_size=2), "raw_nll", "noise")
    columns = ("temperature", "released_temperature")
    converged, released = (erm[column].to_numpy().mean() for column in columns)
    note = f"{fitted(erm)} Mean T: {converged:.2f} converged, {released:.2f} as released."
    parts = {}
    for name, column in (("raw", "raw_nll"), ("+ TS as released", "released_nll")):
        ratio = by_seed(erm, column, "noise") / mixed
        least = worst_interval(ratio, at_least(FACTOR), "ratio of log loss, least over noise")
        parts[f"ERM {name} / Mixup of 2"] = (least, at_least(FACTOR), note if name == "raw" else "")
    gaps = (mixed - by_seed(erm, "scaled_nll", "noise")).T
    for noise, gap in zip(noises, gaps, strict=True):
        difference = t_statistic(gap, "difference of log loss")
        parts[f"Mixup of 2 < ERM + TS, noise {noise:g}"] = (difference, less_than(0), "")
    return judged(table, log_losses(table, "noise"), parts)


def overlap_rows(scale: Scale) -> dict[str, int]:
    """Training rows a class, and test rows, of C1 and C2."""
    return scale.pick(
        smoke={"rows": 10, "test_rows": 200},
        quick={"rows": 100, "test_rows": 4000},
        full={"rows": 100, "test_rows": 4000},
    )


def overlap_table(scale: Scale, **axes: Any) -> pl.DataFrame:
    """Networks on overlapping pairs of classes; C1 and C2 share those without Mixup."""
    net = scale.pick(smoke=(16, 5), quick=(512, 60), full=(512, 60))
    cost = dict(zip(("width", "epochs"), net, strict=True))
    return run(overlap_network, grid(**axes, seed=scale.seeds, **overlap_rows(scale), **cost))


def fitted(table: pl.DataFrame) -> str:
    """How far networks without Mixup are from interpolating, in a sentence."""
    accuracy = table["train_accuracy"].to_numpy()
    return f"ERM's train accuracy: {accuracy.min():.3f} to {accuracy.max():.3f}."


def kl_curve(series: Mapping[str, tuple[pl.DataFrame, str]]) -> dict[str, Any]:
    """KL against the number of classes (as words: doublings), a line for each (table, column)."""
    long = pl.concat(
        table.select(pl.col("k").cast(pl.String), pl.col(column).alias("KL"), model=pl.lit(name))
        for name, (table, column) in series.items()
    )
    means = seed_means(long, "KL", ["model", "k"])
    return curve(
        means,
        "k",
        "KL",
        color="model",
        low="low",
        high="high",
        x_title="classes",
        y_title="KL from the true conditionals, nats",
    )


def log_losses(table: pl.DataFrame, setting: str) -> dict[str, Any]:
    """Log loss of every model at every value of `setting`."""
    erm = table.filter(mix_size=1)
    size = pl.col("mix_size")
    named = pl.when(size == 1).then(pl.lit("ERM")).otherwise(pl.format("Mixup {}", size))
    parts = [
        table.select(setting, loss="raw_nll", model=named),
        erm.select(setting, loss="scaled_nll", model=pl.lit("TS")),
        erm.select(setting, loss="released_nll", model=pl.lit("TS released")),
    ]
    means = seed_means(
        pl.concat(parts).sort(setting, maintain_order=True), "loss", [setting, "model"]
    )
    means = means.with_columns(label=pl.format("{}, " + setting + " {}", "model", setting))
    return forest(
        means,
        "label",
        "loss",
        "low",
        "high",
        reference=None,
        color="model",
        x_title="log loss, nats",
    )
