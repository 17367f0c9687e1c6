"""The baseline net with bounded weights: w = a arctan(v / b), v is trained."""

from __future__ import annotations

import numpy as np

from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.measurements import cost_of_one, remembered
from overparam.auditing.net_cells import fit_nets
from overparam.auditing.reading import held_loss
from overparam.auditing.registry import treatment
from overparam.auditing.treatments.single_nets import trained

SCALES = (1.0, 0.5)


@treatment(
    "OT011",
    "companded-twin",
    title="companded weights",
    paper="weight-compander",
    order=1,
    thresholds={
        "scale": (min(SCALES), "below it the nets of the study lose likelihood to their bound"),
    },
)
def companded_twin(context: Context) -> Candidate:
    """Train the baseline net with weights that are compressed when large and expanded when small.

    Every layer uses w = a arctan(v / b) of what is trained. The scale b is one initial standard
    deviation or half of it, whichever has the smaller loss on the held-out tenth; the height a
    keeps the variance of the initial weights. It helps a net that over-fits at its present learning
    rate, and little one whose rate or weight decay is tuned. The saved model has plain weights.
    """
    scale = chosen_scale(context)
    return trained(
        context,
        "companded-twin",
        "companded weights",
        Build(context.recipe.but(compander=scale), 1),
        setting=f"scale {scale:g} of each layer's initial standard deviation",
    )


def chosen_scale(context: Context) -> float:
    """The scale of the least mean loss on the first split's held-out tenth."""
    losses = remembered("compander_sweep", context, lambda: scale_losses(context))
    return SCALES[int(losses.argmin())]


def scale_losses(context: Context) -> np.ndarray:
    """Mean loss on the held-out tenth by scale."""
    recipes = [context.recipe.but(compander=scale) for scale in SCALES]
    seeds = context.plan.sweep_seeds
    results = context.cells(
        "treatments",
        fit_nets,
        [
            {
                "dataset": context.dataset,
                "split": context.split_keys[0].as_dict(),
                "recipe": recipe.as_dict(),
                "seeds": list(range(seeds)),
            }
            for recipe in recipes
        ],
        label="companded nets at two scales",
        estimate=sum(seeds * cost_of_one(context, recipe) for recipe in recipes),
    )
    return held_loss(context, np.stack([r["held"] for r in results])).mean(axis=1)
