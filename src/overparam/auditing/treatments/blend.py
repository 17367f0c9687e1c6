"""Average nets and boosted trees: two kinds of model that err differently."""

from dataclasses import replace

from overparam.auditing.answers import NotApplicable
from overparam.auditing.candidates import Candidate
from overparam.auditing.context import Context
from overparam.auditing.registry import treatment
from overparam.auditing.treatments.ensemble import ensemble

TREES = "gradient-boosting"


@treatment("OT008", "nets-and-trees", title="average of nets and gradient boosting", order=2)
def nets_and_trees(context: Context) -> Candidate:
    """Average an ensemble of nets with the tuned gradient boosting, half and half.

    The nets are those on all training rows where these exist, else the baseline nets.
    """
    trees = context.baselines.get(TREES)
    if trees is None:
        raise NotApplicable("gradient boosting was not fitted.")
    nets = context.treated.get("all-rows") or context.treated.get("ensemble") or ensemble(context)
    return Candidate(
        "nets-and-trees",
        "average of nets and gradient boosting",
        replace(nets.build, baseline=TREES),
        [(p + q) / 2 for p, q in zip(nets.predictions, trees.predictions, strict=True)],
        nets.seconds + trees.seconds,
        nets=nets.nets,
        nets_on_test=nets.nets_on_test,
    )
