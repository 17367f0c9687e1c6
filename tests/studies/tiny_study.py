"""A study that is no paper's: does a sample's mean move with its distribution's?"""

from __future__ import annotations

import os
import time

import numpy as np
import polars as pl

from overparam.evidence.cells import batched, grid, run
from overparam.evidence.intervals import exact_statistic, t_statistic
from overparam.evidence.papers import Paper
from overparam.evidence.regions import at_least, at_most
from overparam.evidence.scale import Scale
from overparam.evidence.verdict import Evidence
from overparam.report.figures import curve
from overparam.studies.study import Study

study = Study(Paper("tiny-means", "Means Move", "0000.00000", "2000-01-01", 1))

# What the tests turn: 1 is as it should be, -1 reverses the effect.
SIGN = float(os.environ.get("TINY_SIGN", "1"))
BREAK = os.environ.get("TINY_BREAK", "")


def sample_means(shift: float, seed: list[int], sign: float) -> dict[str, list[float]]:
    if os.environ.get("TINY_LOG"):
        with open(os.environ["TINY_LOG"], "a") as log:
            log.write(f"{shift}\n")
    time.sleep(float(os.environ.get("TINY_SECONDS", "0")))
    if os.environ.get("TINY_BREAK") == f"cell{shift:g}":
        raise ValueError("the sample is broken")
    draws = [np.random.default_rng([s, int(shift)]).normal(sign * shift, 0.1, 200) for s in seed]
    return {"mean": [float(draw.mean()) for draw in draws]}


def rises(scale: Scale) -> tuple[pl.DataFrame, np.ndarray]:
    table = run(sample_means, grid(shift=[0.0, 1.0], seed=batched(scale.seeds), sign=SIGN))
    by_shift = table.pivot("shift", index="seed", values="mean").sort("seed")
    return table, (by_shift["1.0"] - by_shift["0.0"]).to_numpy()


@study.claim("C1", minutes={"quick": 0.1, "full": 0.2})
def mean_follows_the_shift(scale: Scale) -> Evidence:
    """The sample mean rises by at least 0.5 when the
    distribution moves by 1.

    A second paragraph is no part of the sentence.
    """
    table, rise = rises(scale)
    return Evidence(
        table, t_statistic(rise, "rise"), at_least(0.5), figure=curve(table, "shift", "mean")
    )


@study.claim("C2")
def two_parts(scale: Scale) -> dict[str, Evidence]:
    """The rise is the same for every seed, and three equals three."""
    table, rise = rises(scale)
    spread = np.concatenate([rise - 1, 1 - rise])  # across 0 by construction: inconclusive
    three = pl.DataFrame({"n": [3]})
    return {
        "spread": Evidence(table, t_statistic(spread, "spread"), at_most(0.0)),
        "three": Evidence(three, exact_statistic(3, "n"), at_least(3), exact=True),
    }


@study.claim("C3", minutes={"full": 11})
def a_long_claim(scale: Scale) -> Evidence:
    """A claim that takes longer than full scale allows."""
    if BREAK == "claim":
        raise KeyError("no such column")
    table, rise = rises(scale)
    return Evidence(table, t_statistic(rise, "rise"), at_most(2.0))
