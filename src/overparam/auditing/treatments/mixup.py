"""Train on convex combinations of examples and of their labels."""

from overparam.auditing.answers import NotApplicable
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.registry import treatment
from overparam.auditing.treatments.single_nets import trained

POINTS = 2


@treatment(
    "OT005",
    "mixup",
    title="Mixup",
    paper="temperature-scaling-limits",
    thresholds={"points": (POINTS, "more made images under-confident in the paper")},
)
def mixup(context: Context) -> Candidate:
    """Mix every example with another of its minibatch, with uniform weights.

    Categories are mixed as codes would be meaningless, so a table with categorical columns is left
    out.
    """
    if not context.classification:
        raise NotApplicable("Mixup here mixes class labels; the target is a number.")
    if context.recipe.net == "tabular" and context.splits[0].preprocessor.categorical:
        raise NotApplicable("the table has categories, of which no mixture exists.")
    recipe = context.recipe.but(mix_size=POINTS)
    return trained(context, "mixup", "Mixup", Build(recipe, 1))
