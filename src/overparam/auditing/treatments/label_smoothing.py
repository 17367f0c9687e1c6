"""Train on targets that are not quite sure."""

from overparam.auditing.answers import NotApplicable
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.registry import treatment
from overparam.auditing.treatments.single_nets import trained

AMOUNT = 0.1  # the value of Szegedy et al. 2016, which introduced it


@treatment(
    "OT004",
    "label-smoothing",
    title="label smoothing",
    thresholds={"amount": (AMOUNT, "the value of the paper that introduced it")},
)
def label_smoothing(context: Context) -> Candidate:
    """Spread a tenth of each label's mass over all classes (Szegedy et al. 2016)."""
    if not context.classification:
        raise NotApplicable("labels of a regression are numbers, not classes.")
    recipe = context.recipe.but(label_smoothing=AMOUNT)
    return trained(context, "label-smoothing", "label smoothing", Build(recipe, 1))
