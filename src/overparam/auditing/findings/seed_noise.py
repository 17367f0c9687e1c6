"""How much of a difference between two training runs is luck?"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import chi2

from overparam.auditing.answers import Answer
from overparam.auditing.context import Context
from overparam.auditing.measurements import replicas
from overparam.auditing.reading import margin, points
from overparam.auditing.registry import finding
from overparam.evidence.intervals import Interval, Statistic
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence
from overparam.report import figures

LUCK = 0.01
Z = 1.96 * np.sqrt(2)  # two runs, 95 %


@finding(
    "OP003",
    "seed-noise",
    title="How much is luck?",
    order=1,
    thresholds={
        "luck": (
            LUCK,
            "one point, of the spread in RMSE: improvements of this size are often reported",
        )
    },
)
def seed_noise(context: Context) -> Answer:
    """The smallest difference between two single runs that is worth believing.

    How: the baseline net is trained under eight seeds on the same rows. If s is the standard
    deviation of its validation score, two runs that differ by their seed alone differ by up to
    2.77 s (95 %); the interval of s is the chi-squared one, over splits pooled.

    Why: a treatment that gains less than this in one run against one run has shown nothing.

    What to do: compare means over several seeds, or average an ensemble, which removes the luck.
    """
    fits = replicas(context)
    per_seed = np.stack([s.mean(axis=1) for s in context.scores_of_logits(fits.validation)])
    variance = float(per_seed.var(axis=1, ddof=1).mean())  # within a split, pooled over splits
    freedom = per_seed.shape[0] * (per_seed.shape[1] - 1)
    smallest = Z * np.sqrt(variance)
    low, high = Z * np.sqrt(variance * freedom / chi2.ppf([0.975, 0.025], freedom))
    luck = margin(context, LUCK)
    sign = context.metric.sign
    table = pl.DataFrame(
        {
            "seed": [f"seed {i}" for i in range(per_seed.shape[1])],
            "score": sign * per_seed.mean(axis=0),
        }
    )
    evidence = Evidence(
        table,
        Statistic(
            float(smallest),
            Interval(float(low), float(high), method="chi-squared over seeds"),
            "smallest difference worth believing",
            per_seed.shape[1],
        ),
        more_than(luck),
        figures.forest(
            table.with_columns(low=pl.lit(None, pl.Float64), high=pl.lit(None, pl.Float64)),
            "seed",
            "score",
            "low",
            "high",
            reference=float(sign * per_seed.mean()),
            x_title=f"{context.metric.title} on validation rows",
        ),
    )
    worth = points(context, float(smallest))
    return Answer(
        evidence,
        f"Two runs that differ by their seed alone can differ by up to {worth}.",
        f"Believe no single-run difference below {worth}; compare means over seeds."
        if smallest > luck
        else "A single run is reliable here; still compare on the same seeds.",
        details=[
            f"{per_seed.shape[1]} seeds on {per_seed.shape[0]} split(s); standard deviation "
            f"{np.sqrt(variance):.4f}.",
            "This is the luck of training only. The luck of which rows are in the validation part "
            "comes on top and stands in the intervals of every comparison.",
        ],
        caption="Validation score of each seed (mean over splits); the line is their mean.",
        extra={"standard_deviation": float(np.sqrt(variance))},
    )
