"""Losses over grids of depth and width, and what they say of depth / width (C9)."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from overparam.evidence.cells import batched, fixed, grid, run
from overparam.evidence.scale import Scale
from overparam.studies.deep_learning_theory_training_cells import trained_nets

IMAGE_SKIP, DIGIT_SKIP = 0.9, 0.8  # xi^2
SHALLOW, DEEP = 2, 17  # layers between which the price of depth is taken


def image_losses(scale: Scale) -> pl.DataFrame:
    """ReLU nets with and without skips on images, at layer-wise learning rates."""
    small = {"source": "digits", "parts": fixed((300, 100, 500)), "epochs": 1}
    whole = {"source": "fashion-mnist", "parts": fixed((1000, 1000, 2000))}
    depths = [2, 3, 5, 9, 17]
    settings = scale.pick(
        smoke=[([8, 16], [SHALLOW, DEEP], small)],
        quick=[([16, 64], depths, whole | {"epochs": 20})],
        full=[
            ([16, 64], [*depths, 33], whole | {"epochs": 50}),
            ([256], depths, whole | {"epochs": 30}),
        ],
    )
    found = []
    for widths, layers, cost in settings:
        rates = (1.0, 3.0, 10.0) if max(widths) < 256 else (3.0, 10.0)
        seeds = [batched(scale.seeds)]
        if max(widths) >= 256:  # a seed alone fills a cell
            seeds = [batched([seed]) for seed in scale.seeds]
        for some in seeds:
            axes = grid(
                activation="relu",
                residual=[0.0, IMAGE_SKIP],
                width=widths,
                layers=layers,
                seed=some,
                layerwise=True,
                rates=fixed(rates),
                factor=1.0,
                batch=100,
                momentum=0.9,
                clip=None,
                **cost,
            )
            found.append(run(trained_nets, axes).with_columns(activation=pl.lit("relu")))
    return _named(pl.concat(found))


def digit_losses(scale: Scale) -> pl.DataFrame:
    """Plain ReLU, plain tanh and ReLU with skips on digits, one rate for all layers."""
    hidden = scale.pick(smoke=[1, 3], quick=[1, 2, 4, 8, 16, 24], full=[1, 2, 4, 8, 16, 24])
    found = []
    for activation, residual in (("relu", 0.0), ("tanh", 0.0), ("relu", DIGIT_SKIP)):
        axes = grid(
            activation=activation,
            residual=residual,
            width=scale.pick(smoke=[8, 16], quick=[16, 64], full=[16, 32, 64, 128]),
            layers=[depth + 1 for depth in hidden],
            seed=batched(scale.seeds),
            layerwise=False,
            rates=fixed((0.03, 0.1, 0.3)),
            factor=1.0,
            source="digits",
            parts=fixed((600, 400, 797)),
            batch=100,
            epochs=scale.pick(smoke=2, quick=42, full=42),  # 250 steps
            momentum=0.0,
            clip=1.0,
        )
        kind = {"activation": pl.lit(activation), "residual": pl.lit(residual)}
        found.append(run(trained_nets, axes).with_columns(**kind))
    return _named(pl.concat(found))


def _named(table: pl.DataFrame) -> pl.DataFrame:
    form = pl.when(pl.col("residual") > 0).then(pl.lit(", skips")).otherwise(pl.lit(""))
    columns = ["width", "layers", "seed", "loss", "accuracy", "rate"]
    return table.select(pl.format("{}{}", "activation", form).alias("form"), *columns)


def seeds_of(table: pl.DataFrame) -> list[pl.DataFrame]:
    """The rows of each seed."""
    return [table.filter(seed=seed) for seed in table["seed"].unique().sort()]


def rank_correlations(table: pl.DataFrame) -> tuple[float, float]:
    """Spearman's correlation of the loss of plain ReLU nets with L / n, and with L."""
    plain = table.filter(form="relu")
    loss, layers = plain["loss"].to_numpy(), plain["layers"].to_numpy()
    ratio = layers / plain["width"].to_numpy()
    return tuple(float(spearmanr(loss, each).statistic) for each in (ratio, layers))  # type: ignore[return-value]


def best_depths(table: pl.DataFrame, form: str) -> np.ndarray:
    """Hidden layers of the net with the lowest loss at each width (widths,)."""
    found = []
    for _, part in table.filter(form=form).group_by("width", maintain_order=True):
        found.append(part["layers"][int(part["loss"].arg_min())] - 1)  # type: ignore[arg-type]
    return np.array(found, dtype=float)


def price_of_depth(table: pl.DataFrame) -> np.ndarray:
    """Loss that depth adds with skips over what it adds without, at each width (widths,)."""
    price = {}
    for form in ("relu", "relu, skips"):
        shallow, deep = (
            table.filter(form=form, layers=layers).sort("width")["loss"].to_numpy()
            for layers in (SHALLOW, DEEP)
        )
        price[form] = deep - shallow
    return price["relu, skips"] / price["relu"]
