"""Train on all training rows where the findings could afford only some of them."""

import numpy as np

from overparam.auditing.answers import NotAffordable, NotApplicable
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.final_fits import fit_nets_on
from overparam.auditing.measurements import cost_of_one
from overparam.auditing.registry import treatment

PASSES = 4  # fewer over all rows are not worth it
SHARE = 0.6  # of what is left for treatments


@treatment(
    "OT009",
    "all-rows",
    title="all training rows",
    order=-1,
    thresholds={"passes": (PASSES, "fewer over all rows would leave the nets half trained")},
)
def all_rows(context: Context) -> Candidate:
    """Average nets trained on all training rows, one a process, with the passes that time allows.

    The findings and the other treatments compare nets on a part of the rows where the budget does
    not reach further; a model for use should see them all.
    """
    split = context.splits[0]
    available = len(split.train)
    if context.recipe.rows >= int(0.9 * available):
        raise NotApplicable("every net is trained on all rows already.")
    if context.plan.repeats > 1:
        raise NotApplicable(
            "so few rows are compared over several splits; the refit sees them all."
        )
    members = context.plan.jobs
    recipe = context.recipe.but(rows=available, batch_size=128)
    one_pass = cost_of_one(context, recipe.but(epochs=1))
    left = SHARE * context.ledger.allowance("treatments")
    passes = int(min(left / one_pass, recipe.epochs))
    if passes < PASSES:
        raise NotAffordable(
            f"{PASSES} passes over {available:,} rows need about {PASSES * one_pass:.0f} s, "
            f"{max(left, 0):.0f} s are left."
        )
    build = Build(recipe.but(epochs=passes), members)
    n_validation = len(split.validation)
    nets = fit_nets_on(
        context,
        build,
        split.train.rows,
        np.concatenate([split.validation.rows, split.test.rows]),
        stage="treatments",
        label=f"nets on all {available:,} training rows",
        members_a_cell=1,
    )
    p = context.probabilities(nets.pop("logits")).mean(axis=0)
    return Candidate(
        "all-rows",
        f"{members} nets on all training rows" if members > 1 else "one net on all training rows",
        build,
        [p[None, :n_validation]],
        members * passes * one_pass,
        f"{passes} passes over {available:,} rows instead of {context.recipe.epochs} over "
        f"{context.recipe.rows:,}",
        nets=nets,
        nets_on_test=p[n_validation:],
    )
