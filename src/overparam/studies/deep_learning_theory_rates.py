"""Deep nets off criticality, and sweeps of learning rates over depths: runs of C3 and C8."""

from __future__ import annotations

import numpy as np
import polars as pl

from overparam.evidence.cells import batched, fixed, grid, run
from overparam.evidence.scale import Scale
from overparam.studies.deep_learning_theory_training_cells import trained_nets

GLOBAL = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # half a decade apart
LAYERWISE = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


def deep_nets(scale: Scale, factors: list[float]) -> pl.DataFrame:
    """C3: `accuracy` of deep nets by `activation`, `factor` (of C_W) and `seed`."""
    axes = grid(
        activation=["relu", "tanh"],
        factor=factors,
        layers=scale.pick(smoke=6, quick=50, full=50),
        rates=fixed(scale.pick(smoke=(0.03,), quick=(0.01, 0.03, 0.1), full=(0.01, 0.03, 0.1))),
        residual=0.0,
        layerwise=False,
        batch=100,
        momentum=0.9,
        clip=1.0,
        seed=batched(scale.seeds),
        **_images(scale, (4000, 1000, 2000)),
    )
    return run(trained_nets, axes).drop("train_losses")


def rate_sweeps(scale: Scale) -> pl.DataFrame:
    """C8: `train_loss` by `activation`, `layers`, `scheme`, `seed` and `rate`."""
    tables = []
    for scheme, rates in (("global", GLOBAL), ("layer-wise", LAYERWISE)):
        axes = grid(
            activation=scale.pick(smoke=["tanh"], quick=["tanh"], full=["tanh", "relu"]),
            layers=scale.pick(smoke=[2, 4], quick=[5, 20, 40], full=[5, 20, 40]),
            layerwise=scheme == "layer-wise",
            rates=fixed(rates),
            factor=1.0,
            residual=0.0,
            batch=100,
            momentum=0.0,
            clip=None,
            seed=batched(scale.seeds),
            **_images(scale, (2000, 500, 500)),
        )
        found = run(trained_nets, axes)
        values = np.array(found["train_losses"].to_list())
        keys = found.select("activation", "layers", "seed").with_columns(scheme=pl.lit(scheme))
        tables += [
            keys.with_columns(rate=pl.lit(rate), train_loss=pl.Series(values[:, i]))
            for i, rate in enumerate(rates)
        ]
    return pl.concat(tables)


def losses_by_rate(table: pl.DataFrame, activation: str, scheme: str) -> np.ndarray:
    """Train losses (depths, seeds, rates) of one activation and scheme."""
    part = table.filter(activation=activation, scheme=scheme).sort("layers", "seed", "rate")
    shape = [part[column].n_unique() for column in ("layers", "seed", "rate")]
    return part["train_loss"].to_numpy().reshape(shape)


def _images(scale: Scale, parts: tuple[int, int, int]) -> dict[str, object]:
    small = {"source": "digits", "parts": fixed((300, 100, 500)), "width": 16, "epochs": 1}
    whole = {"source": "fashion-mnist", "parts": fixed(parts), "width": 64, "epochs": 4}
    return scale.pick(smoke=small, quick=whole, full=whole)
