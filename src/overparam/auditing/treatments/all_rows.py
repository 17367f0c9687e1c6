"""Train on all training rows where the findings could afford only some of them."""

import numpy as np

from overparam.auditing.answers import NotAffordable, NotApplicable
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.final_fits import fit_nets_on
from overparam.auditing.measurements import cost_of_one
from overparam.auditing.registry import treatment


@treatment("OT009", "all-rows", title="all training rows", order=1)
def all_rows(context: Context) -> Candidate:
    """Average as many nets on all training rows as the time that is left can train.

    The findings and the other treatments compare nets on a part of the rows where the budget does
    not reach further; a model for use should see them all.
    """
    split = context.splits[0]
    available = len(split.train)
    recipe = context.recipe.but(rows=available)
    if context.recipe.rows >= int(0.9 * available):
        raise NotApplicable("every net is trained on all rows already.")
    if context.plan.repeats > 1:
        raise NotApplicable(
            "so few rows are compared over several splits; the refit sees them all."
        )
    one = cost_of_one(context, recipe)
    left = context.ledger.allowance("treatments") * context.plan.jobs
    members = min(int(left / one), context.plan.replicas)
    members -= members % context.plan.jobs if members > context.plan.jobs else 0
    if members < 1:
        raise NotAffordable(
            f"one net on {available:,} rows needs about {one:.0f} s, {max(left, 0):.0f} s are left."
        )
    build = Build(recipe, members)
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
        members * one,
        f"{available:,} rows instead of {context.recipe.rows:,}",
        nets=nets,
        nets_on_test=p[n_validation:],
    )
