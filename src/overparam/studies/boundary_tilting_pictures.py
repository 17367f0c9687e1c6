"""The pictures of `boundary_tilting`: one a claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from overparam.evidence.seed_tables import seed_means
from overparam.report.boundary_plane import boundary_plane
from overparam.report.figures import bars, curve, forest

Picture = dict[str, Any]


def margins(found: Mapping[str, Any]) -> Picture:
    """C1: mean margin against the angle, over all rows and over correct ones."""
    series = {"all rows": found["all_rows"], "correct rows only": found["correct_rows"]}
    table = pl.concat(
        pl.DataFrame({"angle": found["angle"], "margin": values})
        .sort("angle")
        .with_columns(mean=pl.lit(name))
        for name, values in series.items()
    )
    return curve(
        table,
        "angle",
        "margin",
        color="mean",
        x_title="deviation angle, degrees",
        y_title="mean margin / d_B",
    )


def tilted_boundary(found: Mapping[str, Any], words: Sequence[str], theta: float) -> Picture:
    """C2: rows, their mirror images and both boundaries in the plane of the tilt."""
    points = [
        {"along": along, "flat": flat, "row": words[label]}
        for (along, flat), label in zip(found["rows"], found["label"], strict=True)
    ]
    points += [{"along": a, "flat": f, "row": "mirror images"} for a, f in found["images"]]
    return boundary_plane(
        points,
        "along",
        "flat",
        "row",
        {
            "as fitted": tuple(found["normal"]),
            f"tilted by {theta:g} degrees": tuple(found["tilted_normal"]),
        },
        x_title="along the normal / d_B",
        y_title="along the flattest direction / d_B",
    )


def by_side(table: pl.DataFrame) -> Picture:
    """C3: the angle by the side of the images."""
    return curve(
        seed_means(table, "angle", ["side"]),
        "side",
        "angle",
        low="low",
        high="high",
        x_title="side of the images, pixels",
        y_title="deviation angle, degrees",
    )


def by_size(table: pl.DataFrame) -> Picture:
    """C4: error under a small change of every pixel by how far images are enlarged."""
    how = pl.when("scaled").then(pl.lit("same problem")).otherwise(pl.lit("same c"))
    shown = table.with_columns(
        pl.format("{}, {}", "pair", how).alias("images"), pl.col("factor").cast(pl.String)
    )
    return curve(
        seed_means(shown, "attacked_error", ["images", "factor"]),
        "factor",
        "attacked_error",
        color="images",
        low="low",
        high="high",
        x_title="enlarged",
        y_title="error under a change of 0.02 of every pixel",
    )


def by_level(levels: pl.DataFrame) -> Picture:
    """C5: the angle by the level of regularisation."""
    return curve(
        seed_means(levels, "angle", ["setting", "level"]),
        "level",
        "angle",
        color="setting",
        low="low",
        high="high",
        log_x=True,
        x_title="c: to the right less regularisation",
        y_title="deviation angle, degrees",
    )


def by_decay(table: pl.DataFrame) -> Picture:
    """C6: accuracy and relative distance by weight decay."""
    shown = table.with_columns(pl.col("decay").cast(pl.String))
    long = shown.unpivot(
        ["accuracy", "distance"], index=["decay", "seed"], variable_name="figure"
    ).with_columns(pl.col("figure").replace("distance", "relative distance"))
    return curve(
        seed_means(long, "value", ["figure", "decay"]),
        "decay",
        "value",
        color="figure",
        low="low",
        high="high",
        x_title="weight decay",
        y_title="",
    )


def outside_shares(table: pl.DataFrame, kept: int) -> Picture:
    """C7: how much of a least perturbation lies where the data hardly vary."""
    long = table.unpivot(
        ["network_outside", "linear_outside"], index=["pair", "seed"], variable_name="model"
    ).with_columns(pl.col("model").str.strip_suffix("_outside"))
    means = seed_means(long, "value", ["pair", "model"])
    return forest(
        means.with_columns(label=pl.format("{}, {}", "pair", "model")),
        "label",
        "value",
        "low",
        "high",
        reference=None,
        color="model",
        x_title=f"share of the squared norm outside {kept} components",
    )


def two_distances(table: pl.DataFrame) -> Picture:
    """C8: the least distance and that inside the data's subspace, of the first pair."""
    long = table.filter(pl.col("pair") == table["pair"][0]).unpivot(
        ["distance", "inside"], index=["theta", "seed"], variable_name="way"
    )
    named = long.with_columns(
        pl.col("way").replace({"distance": "least", "inside": "inside the data's subspace"}),
        pl.col("theta").cast(pl.Int64).cast(pl.String),
    )
    return curve(
        seed_means(named, "value", ["way", "theta"]),
        "theta",
        "value",
        color="way",
        low="low",
        high="high",
        log_y=True,
        x_title="tilted by, degrees",
        y_title="median distance to the boundary / d_B",
    )


def types(means: pl.DataFrame) -> Picture:
    """C9: the angle of each pair's logistic regression, coloured by its type."""
    tilted = pl.when(pl.col("type") > 1).then(pl.lit("type 2")).otherwise(pl.lit("type 0"))
    return bars(
        means.with_columns(tilted.alias("type")),
        "pair",
        "angle",
        color="type",
        x_title="deviation angle, degrees",
    )
