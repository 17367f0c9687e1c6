"""A Boundary Tilting Perspective on the Phenomenon of Adversarial Examples (arXiv 1608.07690).

C1 to C5, C8 and C9 are linear classifiers of two classes, fitted to the end; C6 and C7 are
networks. Pairs of Fashion-MNIST carry the claims, digits are the case in which nothing has to be
tilted.
"Strength" is 1 / cos of the deviation angle; the paper's own normalisation was not at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from overparam.evidence.cells import batched, fixed, grid, run
from overparam.evidence.intervals import exact_statistic, t_statistic
from overparam.evidence.regions import at_least, at_most, less_than, more_than
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import by_seed, worst_interval
from overparam.evidence.verdict import Evidence, Part, judged
from overparam.studies.boundary_tilting_cells import (
    enlarged_images,
    half_images,
    margin_identity,
    strength_path,
    taxonomy,
    tilted_plane,
    tilted_twins,
)
from overparam.studies.boundary_tilting_nets import decayed_networks, two_perturbations
from overparam.studies.boundary_tilting_pictures import (
    by_decay,
    by_level,
    by_side,
    by_size,
    margins,
    outside_shares,
    tilted_boundary,
    two_distances,
    types,
)
from overparam.studies.study import Study

study = Study("boundary-tilting")

LEVEL = 100.0  # c of the logistic regressions: near the best of each pair of Fashion-MNIST
CONTROL = 400.0  # c of C2's control
THETA = 80.0
STEEP = 89.0
IDENTITY = 1e-10  # C1, of d_B
SAME = 0.005  # C2: change of accuracy
STEEPER, DIGITS_STEEPER = 85.0, 80.0  # C2, degrees
ALIGNED, MIRRORED = 2.0, 0.99  # C3: degrees, share
TWO_DIGITS = 0.005  # C4: relative for angles, absolute for errors
ORDER = 0.9  # C5, C6: Spearman's correlation
HALF = 0.5  # C5: strength at the best level over that at the weakest
FARTHER, COST = 1.1, 0.005  # C6
OUTSIDE = 1.5  # C7: network / linear
TRANSFER = 0.5  # C7: "does not transfer": less than every other row flips
CLOSER, UNCHANGED = 5.0, 0.01  # C8
FASHION = ("Pullover/Shirt", "T-shirt/Shirt", "Sneaker/Boot")
DIGITS = ("3/7", "3/8")
STRENGTHS = tuple(10.0**k for k in range(-1, 8))
SVM_STRENGTHS = STRENGTHS[:6]


@study.claim("C1", minutes={"quick": 0.1, "full": 2})
def strength_is_the_angle(scale: Scale) -> Evidence:
    """The margin of any linear classifier, as the mean of signed distances over all rows, is that
    of the nearest-centroid one times the cosine of the deviation angle."""
    pairs = scale.pick(smoke=list(DIGITS), quick=[FASHION[0]], full=every_pair())
    rows, normals = scale.pick(smoke=(300, 20), quick=(4000, 200), full=(4000, 40))
    table = run(
        margin_identity, grid(**source(scale), pair=pairs, rows=rows, normals=normals, seed=0)
    )
    first = table.row(0, named=True)
    picture = margins(first)
    note = (
        "Not so over correctly classified rows only: near 0 degrees their mean distance is "
        f"{table['correct_only'].to_numpy().mean():.2g} d_B."
    )
    worst = exact_statistic(largest(table["worst"]), "|d_C - d_B cos(delta)| / d_B, largest")
    kept = table.select("pair", "worst", "correct_only")
    return Evidence(kept, worst, less_than(IDENTITY), picture, exact=True, note=note)


@study.claim("C2", minutes={"quick": 0.8, "full": 2.7})
def strength_without_a_trace(scale: Scale) -> dict[str, Evidence]:
    """Tilting along a direction in which the data do not vary makes adversarial examples as strong
    as one likes and leaves the classification as it is."""
    strong, weak = twins(scale, FASHION[:2]), twins(scale, DIGITS[:1])
    steep = strong.filter(theta=STEEP) if strong.height else weak.filter(theta=THETA)
    plain = weak.filter(theta=THETA)
    parts: dict[str, Part] = {}
    for name, rows, angle in (
        ("Fashion-MNIST", steep, STEEPER),
        ("digits", plain, DIGITS_STEEPER),
    ):
        theta = STEEP if rows is not plain else THETA
        turned = worst_interval(by_seed(rows, "angle", "pair"), more_than(angle), "delta, degrees")
        lost = worst_interval(
            np.abs(by_seed(rows, "change", "pair")), at_most(SAME), "|change of test accuracy|"
        )
        parts[f"{name}: angle at theta = {theta:g}"] = (turned, more_than(angle), "")
        parts[f"{name}: accuracy"] = (lost, at_most(SAME), "")
    first = next(iter(parts))
    parts[first] = (*parts[first][:2], controls(scale, weak))
    table = pl.concat([strong, weak], how="diagonal_relaxed")
    return judged(table, plane(scale), parts)


@study.claim("C3", minutes={"quick": 0.1, "full": 0.2})
def linear_need_not_suffer(scale: Scale) -> dict[str, Evidence]:
    """A linear classifier need not have adversarial examples: where the classes differ in bright
    halves of an image, the mirror image of a row looks like the other class."""
    sides = scale.pick(smoke=[6, 10], quick=[10, 20, 28], full=[10, 20, 28])
    rows = scale.pick(smoke=100, quick=1000, full=1000)
    seeds = scale.pick(smoke=scale.seeds, quick=scale.seeds, full=tuple(range(10)))
    table = run(half_images, grid(side=sides, seed=seeds, rows=rows, c=LEVEL))
    angle = worst_interval(by_seed(table, "angle", "side"), less_than(ALIGNED), "delta, degrees")
    shared = by_seed(table, "mirrored", "side")
    mirrored = worst_interval(shared, more_than(MIRRORED), "mirror images of the other class")
    note = (
        f"Test accuracy {table['accuracy'].to_numpy().min():.4g} at least, median distance "
        f"{table['distance'].to_numpy().mean():.3g} d_B."
    )
    picture = by_side(table)
    parts: dict[str, Part] = {
        "angle": (angle, less_than(ALIGNED), note),
        "mirror images": (mirrored, more_than(MIRRORED), ""),
    }
    return judged(table, picture, parts)


@study.claim("C4", minutes={"quick": 0.4, "full": 5})
def dimension_is_not_the_cause(scale: Scale) -> dict[str, Evidence]:
    """Larger images do not make a linear classifier more fragile: with its regularisation in the
    same units, angle and error under a small change of every pixel stay what they were."""
    factors = scale.pick(smoke=[1, 2], quick=[1, 2], full=[1, 2, 4])
    pairs = scale.pick(smoke=DIGITS[:1], quick=FASHION[:1], full=FASHION)
    sizes = scale.pick(smoke=(150, 150), quick=(2000, 2000), full=(2000, 2000))
    axes = grid(
        **source(scale),
        pair=list(pairs),
        scaled=[True, False],
        factor=factors,
        seed=scale.seeds,
        sizes=fixed(sizes),
        c=LEVEL,
    )
    table = run(enlarged_images, axes)
    found = {name: spread(table.filter(scaled=True), name) for name in ("angle", "attacked_error")}
    near = at_most(TWO_DIGITS)
    turned = worst_interval(found["angle"][0] / found["angle"][1], near, "relative, largest")
    broken = worst_interval(found["attacked_error"][0], near, "absolute, largest")
    weaker = averages(table.filter(scaled=False), ["factor"], ["angle", "attacked_error"])
    listed = ", ".join(
        f"x{row['factor']}: {row['angle']:.1f} degrees, error {row['attacked_error']:.3f}"
        for row in weaker.iter_rows(named=True)
    )
    note = f"With the same c the larger image is in effect less regularised: {listed}."
    picture = by_size(table)
    parts: dict[str, Part] = {
        "angle": (turned, near, note),
        "error under a change of 0.02": (broken, near, ""),
    }
    return judged(table, picture, parts)


@study.claim("C5", minutes={"quick": 0.4, "full": 4})
def regularisation_sets_the_strength(scale: Scale) -> dict[str, Evidence]:
    """The level of regularisation sets the strength of adversarial examples; the strongest ones
    come with overfitting."""
    pairs = scale.pick(smoke=(), quick=FASHION[:1], full=FASHION)
    digits = scale.pick(smoke=DIGITS[:1], quick=DIGITS[:1], full=DIGITS)
    models = scale.pick(smoke=["logistic"], quick=["logistic"], full=["logistic", "svm"])
    table = pl.concat(
        run(
            strength_path,
            grid(
                source=name,
                model=model,
                pair=list(chosen),
                seed=scale.seeds,
                sizes=fixed(sizes),
                c=fixed(STRENGTHS if model == "logistic" else SVM_STRENGTHS),
            ),
        ).with_columns(pl.format("{}, {}", pl.lit(model), "pair").alias("setting"))
        for model in models
        for name, chosen, sizes in (
            ("fashion-mnist", pairs, (2000, 2000, 2000)),
            ("digits", digits, (178, 89, 89)),
        )
        if chosen
    )
    order = worst_interval(by_seed(table, "order", "setting"), at_least(ORDER), "Spearman")
    strong = table.filter(pl.col("pair").is_in(list(pairs) or list(digits)))
    columns = ("best_strength", "weakest_strength", "best_test_error", "weakest_test_error")
    best, weakest, error, late = (by_seed(strong, name, "setting") for name in columns)
    ratio = worst_interval(best / weakest, less_than(HALF), "at the best level / at the weakest")
    saved = worst_interval(error - late, less_than(0), "at the best level - at the weakest")
    lists = ["level", "angle", "strength", "validation_error", "training_error", "test_error"]
    levels = table.select("setting", "seed", *lists).explode(lists)
    picture = by_level(levels)
    parts: dict[str, Part] = {
        "c and angle": (order, at_least(ORDER), ends(table)),
        "strength": (ratio, less_than(HALF), ""),
        "test error": (saved, less_than(0), ""),
    }
    return judged(levels, picture, parts)


@study.claim("C6", minutes={"quick": 0.8, "full": 5.5})
def networks_too(scale: Scale) -> dict[str, Evidence]:
    """Networks can avoid the strongest adversarial examples as well: weight decay moves the
    boundary away at no cost, up to a level."""
    decays = scale.pick(
        smoke=[0.0, 1e-2],
        quick=[0.0, 3e-3, 1e-2],
        full=[0.0, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 6e-2],
    )
    few = {"rows": 500, "test_rows": 500, "walked": 50, "width": 32, "epochs": 5}
    whole = {"rows": 4000, "test_rows": 10_000, "walked": 200, "width": 200, "epochs": 40}
    cost = scale.pick(smoke=few, quick=whole, full=whole)
    axes = grid(**source(scale), decay=batched(decays), seed=scale.seeds, **cost)
    table = run(decayed_networks, axes)
    distance, accuracy = by_seed(table, "distance", "decay"), by_seed(table, "accuracy", "decay")
    ratio, loss = distance[:, 1:] / distance[:, :1], accuracy[:, :1] - accuracy[:, 1:]
    # The farthest of the levels that cost nothing on average; the cheapest where all cost.
    cheap = np.flatnonzero(loss.mean(axis=0) <= COST)
    reach = ratio.mean(axis=0)
    place = cheap[reach[cheap].argmax()] if len(cheap) else loss.mean(axis=0).argmin()
    order = [spearmanr(decays, row).statistic for row in distance]
    label = f"decay {decays[1:][place]:g} / no decay"
    note = "; ".join(
        f"{decay:g}: {a:.3f} accurate, {d:.3f}"
        for decay, a, d in zip(decays, accuracy.mean(axis=0), distance.mean(axis=0), strict=True)
    )
    picture = by_decay(table)
    parts: dict[str, Part] = {
        "relative distance": (t_statistic(ratio[:, place], label), at_least(FARTHER), note),
        "accuracy lost there": (t_statistic(loss[:, place], "test accuracy"), at_most(COST), ""),
        "decay and distance": (t_statistic(order, "Spearman"), at_least(ORDER), ""),
    }
    return judged(table, picture, parts)


@study.claim("C7", minutes={"quick": 0.6, "full": 3})
def networks_differ(scale: Scale) -> dict[str, Evidence]:
    """Adversarial examples of linear classifiers differ from those of networks: these lie farther
    outside the directions in which the data vary, and the two do not transfer."""
    pairs = scale.pick(smoke=DIGITS[:1], quick=FASHION[:1], full=FASHION)
    few = {"width": 32, "epochs": 10, "walked": 60}
    whole = {"width": 256, "epochs": 30, "walked": 500}
    cost = scale.pick(smoke=few, quick=whole, full=whole)
    kept = scale.pick(smoke=20, quick=100, full=100)
    sizes = scale.pick(smoke=(178, 178), quick=(4000, 2000), full=(4000, 2000))
    axes = grid(
        **source(scale),
        pair=list(pairs),
        seed=scale.seeds,
        sizes=fixed(sizes),
        kept=kept,
        c=LEVEL,
        **cost,
    )
    table = run(two_perturbations, axes)
    both = {name: by_seed(table, f"network_{name}", "pair") for name in ("outside", "to_means")}
    line = {name: by_seed(table, f"linear_{name}", "pair") for name in ("outside", "to_means")}
    ratio = worst_interval(
        both["outside"] / line["outside"], more_than(OUTSIDE), "network / linear"
    )
    turned = worst_interval(
        line["to_means"] - both["to_means"], more_than(0), "|cos| with b, linear - network"
    )
    flips = by_seed(table, "linear_flips", "pair")
    moved = worst_interval(flips, less_than(TRANSFER), "share of rows that flip the network")
    cosine, back = (table[name].to_numpy().mean() for name in ("cosine", "network_flips"))
    note = (
        f"They are related: mean |cosine| {cosine:.2f}. Twice the network's own perturbation flips "
        f"the linear classifier on {back:.0%} of rows."
    )
    picture = outside_shares(table, kept)
    parts: dict[str, Part] = {
        "outside the data's directions": (ratio, more_than(OUTSIDE), note),
        "network more tilted": (turned, more_than(0), ""),
        "does not transfer": (moved, less_than(TRANSFER), ""),
    }
    return judged(table, picture, parts)


@study.claim("C8", minutes={"quick": 0.4, "full": 0.6})
def boundary_close_to_the_data(scale: Scale) -> dict[str, Evidence]:
    """Adversarial examples exist because the boundary lies close to the submanifold of the data:
    tilting shortens the least distance and leaves that inside the submanifold unchanged."""
    pairs = scale.pick(smoke=(), quick=FASHION, full=FASHION)
    digits = scale.pick(smoke=DIGITS[:1], quick=(), full=())
    table = pl.concat([twins(scale, pairs), twins(scale, digits)], how="diagonal_relaxed")
    tilted, plain = table.filter(theta=THETA), table.filter(theta=0.0)
    inside = by_seed(tilted, "inside", "pair")
    closer = worst_interval(
        inside / by_seed(tilted, "distance", "pair"), more_than(CLOSER), "inside / least distance"
    )
    changed = worst_interval(
        np.abs(inside / by_seed(plain, "inside", "pair") - 1),
        less_than(UNCHANGED),
        "relative change inside",
    )
    picture = two_distances(table)
    parts: dict[str, Part] = {
        "inside / least distance": (closer, more_than(CLOSER), "1 / cos(80 degrees) = 5.76."),
        "distance inside": (changed, less_than(UNCHANGED), ""),
    }
    return judged(table, picture, parts)


@study.claim("C9", minutes={"quick": 0.5, "full": 1})
def taxonomy_of_boundaries(scale: Scale) -> dict[str, Evidence]:
    """Linear boundaries are of three types: not tilted; tilted and no better than the
    nearest-centroid classifier; tilted and better."""
    table = on_pairs(
        taxonomy,
        scale.pick(smoke=(), quick=FASHION, full=FASHION),
        DIGITS,
        seed=scale.seeds,
        c=LEVEL,
        theta=THETA,
    )
    right = table.with_columns(
        (pl.col("type") == pl.when(pl.col("pair").is_in(DIGITS)).then(0).otherwise(2))
        .cast(pl.Float64)
        .alias("as_said"),
        (pl.col("twin_type") == 1).cast(pl.Float64).alias("twin_as_said"),
    )
    whole = at_least(1)
    own = worst_interval(by_seed(right, "as_said", "pair"), whole, "share of seeds, worst pair")
    twin = worst_interval(
        by_seed(right, "twin_as_said", "pair"), whole, "share of seeds, worst pair"
    )
    means = averages(table, ["pair"], ["angle", "accuracy", "centroid_accuracy", "type"])
    note = "; ".join(
        f"{row['pair']}: {row['accuracy']:.3f}, nearest centroid {row['centroid_accuracy']:.3f}"
        for row in means.iter_rows(named=True)
    )
    picture = types(means)
    parts: dict[str, Part] = {
        "logistic regressions: type 2, on digits type 0": (own, whole, note),
        "tilted twins of the nearest-centroid classifier: type 1": (twin, whole, ""),
    }
    return judged(right, picture, parts)


def source(scale: Scale) -> dict[str, str]:
    """Smoke runs on digits, which need no package."""
    return {"source": scale.pick(smoke="digits", quick="fashion-mnist", full="fashion-mnist")}


def every_pair() -> list[str]:
    """All pairs of the ten classes of Fashion-MNIST."""
    names = [
        "T-shirt",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Boot",
    ]
    return [f"{a}/{b}" for place, a in enumerate(names) for b in names[place + 1 :]]


def on_pairs(
    function: Any, fashion: Sequence[str], digits: Sequence[str], **axes: Any
) -> pl.DataFrame:
    """A cell's function on pairs of both data sets: 4000 + 2000 rows, and halves of digits."""
    sets = (("fashion-mnist", fashion, (4000, 2000)), ("digits", digits, (178, 178)))
    return pl.concat(
        [
            run(function, grid(source=name, pair=list(pairs), sizes=fixed(sizes), **axes))
            for name, pairs, sizes in sets
            if pairs
        ],
        how="diagonal_relaxed",
    )


def twins(scale: Scale, pairs: Sequence[str]) -> pl.DataFrame:
    """Tilted twins along the flattest direction; smoke has none of Fashion-MNIST."""
    digits = [pair for pair in pairs if pair in DIGITS]
    fashion = [pair for pair in pairs if pair not in DIGITS]
    if scale.name == "smoke":
        fashion = []
    if not digits + fashion:
        return pl.DataFrame()
    thetas = batched([0.0, THETA, STEEP])
    return on_pairs(
        tilted_twins, fashion, digits, c=LEVEL, place=0.0, theta=thetas, seed=scale.seeds
    )


def controls(scale: Scale, digits: pl.DataFrame) -> str:
    """What the same tilt costs along directions that do vary, in a sentence."""
    steep = digits.filter(theta=STEEP)["change"].to_numpy().mean()
    text = (
        f"On digits theta = {STEEP:g} changes accuracy by {steep:+.4f}: pixels that are constant "
        "in training are not in test."
    )
    if scale.name == "smoke":
        return text
    table = on_pairs(
        tilted_twins,
        FASHION,
        (),
        c=CONTROL,
        place=[0.25, 0.5],
        theta=batched([THETA]),
        seed=scale.seeds,
    )
    means = averages(table, ["place", "pair"], ["change"])
    costs = ", ".join(
        f"{row['change']:+.3f} ({row['pair']}, {row['place']:g} of the spectrum)"
        for row in means.iter_rows(named=True)
    )
    return f"{text} Control at c = {CONTROL:g}, theta = {THETA:g} along components: {costs}."


def plane(scale: Scale) -> dict[str, Any]:
    """The boundary and its twin in the plane in which it is tilted."""
    name, pair, sizes = scale.pick(
        smoke=("digits", DIGITS[0], (178, 178)),
        quick=("fashion-mnist", FASHION[0], (4000, 2000)),
        full=("fashion-mnist", FASHION[0], (4000, 2000)),
    )
    at = grid(source=name, pair=pair, sizes=fixed(sizes), c=LEVEL, theta=THETA, seed=0, shown=120)
    found = run(tilted_plane, at).row(0, named=True)
    return tilted_boundary(found, pair.split("/"), THETA)


def spread(table: pl.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Range of a figure over factors, and its value at factor 1, each (seeds, pairs)."""
    wide = [
        by_seed(group, name, "factor") for _, group in table.group_by("pair", maintain_order=True)
    ]
    return (
        np.stack([np.ptp(each, axis=1) for each in wide], axis=1),
        np.stack([each[:, 0] for each in wide], axis=1),
    )


def ends(table: pl.DataFrame) -> str:
    """Strength and test error at the best level and at the weakest regularisation."""
    means: Mapping[Any, pl.DataFrame] = table.partition_by(
        "setting", as_dict=True, maintain_order=True
    )
    return " ".join(
        f"{setting}: strength {part['best_strength'].to_numpy().mean():.2f} at the best level, "
        f"{part['weakest_strength'].to_numpy().mean():.2f} at the weakest; test error "
        f"{part['best_test_error'].to_numpy().mean():.3f} and "
        f"{part['weakest_test_error'].to_numpy().mean():.3f}."
        for (setting,), part in means.items()
    )


def averages(table: pl.DataFrame, by: list[str], names: list[str]) -> pl.DataFrame:
    """Means of some columns over seeds, groups in their order."""
    return table.group_by(by, maintain_order=True).agg(pl.col(names).mean())


def largest(values: pl.Series) -> float:
    """The largest number of a column."""
    return float(values.to_numpy().max())
