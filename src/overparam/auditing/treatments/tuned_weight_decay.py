"""Weight decay chosen on held-out rows instead of left at its usual value."""

from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.findings.weight_decay import chosen_decay
from overparam.auditing.registry import treatment
from overparam.auditing.treatments.single_nets import trained


@treatment("OT002", "tuned-weight-decay", title="tuned weight decay")
def tuned_weight_decay(context: Context) -> Candidate:
    """Take the decay of the sweep with the least loss on the held-out tenth, and train with it."""
    decay = chosen_decay(context)
    recipe = context.recipe.but(weight_decay=decay)
    return trained(
        context,
        "tuned-weight-decay",
        "tuned weight decay",
        Build(recipe, 1),
        setting=f"weight decay {decay:g} instead of {context.recipe.weight_decay:g}",
    )
