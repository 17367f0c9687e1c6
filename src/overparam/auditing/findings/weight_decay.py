"""Is the usual weight decay too small for this data?"""

from __future__ import annotations

import numpy as np
import polars as pl

from overparam.auditing.answers import Answer
from overparam.auditing.comparison import Difference, crossed
from overparam.auditing.context import Context
from overparam.auditing.measurements import decay_sweep
from overparam.auditing.reading import (
    gains,
    held_loss,
    margin,
    points,
    score_with_interval,
    statistic,
)
from overparam.auditing.registry import finding
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence
from overparam.report import figures

MARGIN = 0.005


@finding(
    "OP002",
    "weight-decay",
    title="Is the weight decay too small?",
    order=3,
    thresholds={
        "margin": (
            MARGIN,
            "half a point, of the spread in RMSE: what one line of configuration is worth",
        )
    },
)
def weight_decay(context: Context) -> Answer:
    """Whether another weight decay than the usual 0.01 is clearly better.

    How: the baseline net is trained with AdamW at decays from 0.00001 to 10, three seeds each. The
    best is chosen by the loss on a held-out tenth of the training rows; its gain over 0.01 is
    measured on the validation rows.

    Why: nets with more parameters than rows fit noise unless something holds them back, and the
    best decay is often ten to a hundred times the usual one.

    What to do: use the decay that was chosen.
    """
    sweep = decay_sweep(context)
    scores = gains(context, sweep.validation)  # (V, S, n)
    usual = int(np.argmin(np.abs(np.log(sweep.values / context.recipe.weight_decay))))
    best = int(np.flatnonzero(sweep.values == chosen_decay(context))[0])
    gain = crossed(scores[best] - scores[usual])
    table = pl.DataFrame(
        [
            {"weight_decay": float(decay), **score_with_interval(context, one)}
            for decay, one in zip(sweep.values, scores, strict=True)
        ]
    )
    evidence = Evidence(
        table,
        statistic(gain, "chosen decay minus usual decay", scores.shape[1]),
        more_than(margin(context, MARGIN)),
        figures.curve(
            table,
            "weight_decay",
            "score",
            low="low",
            high="high",
            log_x=True,
            rules=[(context.recipe.weight_decay, "usual")],
            x_title="weight decay (log)",
            y_title=context.metric.title,
        ),
    )
    headline, action = _words(context, gain, float(sweep.values[best]))
    return Answer(
        evidence,
        headline,
        action,
        details=[
            f"AdamW, learning rate {context.recipe.learning_rate:g}, decays "
            f"{', '.join(f'{d:g}' for d in sweep.values)}; {scores.shape[1]} seeds each.",
            "Decay is decoupled: each step multiplies the weights by 1 - rate x decay.",
        ],
        caption="Validation score over weight decay, 95 % intervals over seeds and rows.",
        extra={"chosen": float(sweep.values[best])},
    )


def chosen_decay(context: Context) -> float:
    """The decay of the sweep with the least loss on the held-out tenth."""
    sweep = decay_sweep(context)
    return float(sweep.values[held_loss(context, sweep.held).mean(axis=1).argmin()])


def _words(context: Context, gain: Difference, decay: float) -> tuple[str, str]:
    usual = context.recipe.weight_decay
    low, high = gain.interval()
    if decay == usual:
        return (
            f"The usual weight decay of {usual:g} is the best of the range.",
            "Leave the weight decay as it is.",
        )
    worth = margin(context, MARGIN)
    direction = "more" if decay > usual else "less"
    if low > worth:
        return (
            f"A weight decay of {decay:g} gains {points(context, gain.value)} over the usual "
            f"{usual:g}.",
            f"Train with weight decay {decay:g}.",
        )
    if high <= worth:
        return (
            f"The weight decay hardly matters here: {decay:g} looked best and changes "
            f"{points(context, gain.value)}.",
            "Leave the weight decay as it is.",
        )
    return (
        f"There may be something to gain from {direction} weight decay: {decay:g} instead of "
        f"{usual:g} changes {points(context, gain.value)}, within the noise.",
        f"Try weight decay {decay:g} when the net is final.",
    )
