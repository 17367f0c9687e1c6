"""Learning rate chosen on a narrow net and carried over to the full width by muP."""

from __future__ import annotations

import numpy as np

from overparam.auditing.answers import NotApplicable
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.measurements import Sweep, cost_of_one, member_sweep, remembered
from overparam.auditing.reading import held_losses
from overparam.auditing.registry import treatment
from overparam.auditing.treatments.single_nets import trained

RATES = (1e-4, 3.2e-4, 1e-3, 3.2e-3, 1e-2)
NARROWER = 4
FEWEST = 4  # units of the narrow net


@treatment(
    "OT010",
    "tuned-rate",
    title="learning rate tuned on a quarter-width net",
    paper="feature-learning-limit",
    order=1,
    thresholds={
        "narrower": (NARROWER, "below a quarter the narrow net is a different animal"),
    },
)
def tuned_rate(context: Context) -> Candidate:
    """Take the learning rate that is best for a quarter of the width, and train the full width.

    The baseline net at a quarter of its width is trained at five learning rates from 0.0001 to
    0.01, all rates in one stack; the one with the least loss on the held-out tenth is taken,
    unless the usual one is within a standard error of it. The full net is then trained with it
    under the maximal update parametrisation (muP), whose base is the narrow net. Under the usual
    parametrisation the best rate of a wide net is a smaller one.
    """
    rate = transferred_rate(context)
    recipe, usual = context.recipe, context.recipe.learning_rate
    base = base_width(context)
    values = len(RATES) * context.plan.sweep_seeds
    narrow = values * cost_of_one(context, recipe.but(width=base))
    full = values * cost_of_one(context, recipe)
    return trained(
        context,
        "tuned-rate",
        "learning rate tuned on a quarter-width net",
        Build(recipe.but(learning_rate=rate, base_width=base), 1),
        setting=(
            f"learning rate {rate:g} (usual {usual:g}) under muP, found at width {base} of "
            f"{recipe.width}: about {narrow:.3g} s of one thread, {full:.3g} s at full width"
        ),
    )


def base_width(context: Context) -> int:
    """A quarter of the baseline net's width."""
    width = context.recipe.width
    if width < FEWEST * NARROWER:
        raise NotApplicable(f"the baseline net has width {width}: a quarter of it is no net.")
    return width // NARROWER


def rate_sweep(context: Context) -> Sweep:
    """The baseline net at a quarter of its width over learning rates.

    There muP and the usual parametrisation are the same: it is the base.
    """
    recipe = context.recipe.but(width=base_width(context))
    return remembered(
        "rate_sweep",
        context,
        lambda: member_sweep(
            context,
            recipe,
            "learning_rate",
            RATES,
            stage="treatments",
            label="learning-rate sweep on narrow nets",
        ),
    )


def transferred_rate(context: Context) -> float:
    """The rate of the sweep with the least loss on the held-out tenth.

    The usual rate stays where the best one gains less than a standard error over the rows.
    """
    sweep = rate_sweep(context)
    losses = held_losses(context, sweep.held).mean(axis=1)  # (V, n)
    best = int(losses.mean(axis=1).argmin())
    if context.recipe.learning_rate in sweep.values:
        usual = list(sweep.values).index(context.recipe.learning_rate)
        gain = losses[usual] - losses[best]
        if gain.mean() <= gain.std() / np.sqrt(len(gain)):
            best = usual
    return float(sweep.values[best])
