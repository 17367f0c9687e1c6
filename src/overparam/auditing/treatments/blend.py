"""Average nets and boosted trees: two kinds of model that err differently."""

from overparam.auditing.answers import NotApplicable
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.measurements import replicas
from overparam.auditing.registry import treatment

TREES = "gradient-boosting"


@treatment("OT008", "nets-and-trees", title="average of nets and gradient boosting")
def nets_and_trees(context: Context) -> Candidate:
    """Average the ensemble of baseline nets with the tuned gradient boosting, half and half."""
    trees = context.baselines.get(TREES)
    if trees is None:
        raise NotApplicable("gradient boosting was not fitted.")
    fits = replicas(context)
    averaged = [
        (context.probabilities(logits).mean(axis=0, keepdims=True) + p) / 2
        for logits, p in zip(fits.validation, trees.predictions, strict=True)
    ]
    members = context.plan.replicas
    return Candidate(
        "nets-and-trees",
        "average of nets and gradient boosting",
        Build(context.recipe, members, baseline=TREES),
        averaged,
        members * fits.seconds + trees.seconds,
    )
