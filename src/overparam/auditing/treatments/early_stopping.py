"""Stop each net when the held-out loss no longer falls."""

from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.registry import treatment
from overparam.auditing.treatments.single_nets import trained


@treatment("OT001", "early-stopping", title="early stopping")
def early_stopping(context: Context) -> Candidate:
    """Train the baseline net and keep the epoch with the least loss on the held-out tenth."""
    recipe = context.recipe.but(early_stopping=True)
    return trained(context, "early-stopping", "early stopping", Build(recipe, 1))
