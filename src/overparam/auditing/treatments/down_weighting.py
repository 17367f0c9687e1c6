"""Give training rows whose label is suspected a smaller weight."""

import numpy as np

from overparam.auditing.answers import NotApplicable
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.label_quality import suspects
from overparam.auditing.measurements import out_of_fold_predictions
from overparam.auditing.registry import treatment
from overparam.auditing.suspect_weighting import WEIGHT, suspect_weights
from overparam.auditing.treatments.single_nets import trained


@treatment(
    "OT007",
    "down-weighting",
    title="suspected labels down-weighted",
    order=-1,  # costs nothing where no label is suspected, and matters most where some are
    thresholds={"weight": (WEIGHT, "a suspected row may be right, so it is not dropped")},
)
def down_weighting(context: Context) -> Candidate:
    """Find suspects by out-of-fold predictions inside the training part; train with less of them.

    Nothing outside the training part is looked at; its own out-of-fold nets are trained for every
    split.
    """
    weights = [training_weights(context, index) for index in range(context.plan.repeats)]
    count = int(np.mean([(w < 1).sum() for w in weights]))
    if count == 0:
        raise NotApplicable("no training label is suspected.")
    return trained(
        context,
        "down-weighting",
        "suspected labels down-weighted",
        Build(context.recipe, 1, downweight=True),
        setting=f"{count:,} training rows at weight {WEIGHT:g}",
        row_weights=weights,
    )


def training_weights(context: Context, index: int) -> np.ndarray:
    """(n,) weights over the data set's rows from suspects inside the index-th training part."""
    rows = context.splits[index].train.rows
    first = index == 0
    found = out_of_fold_predictions(
        context,
        rows,
        stage="nets" if first else "treatments",
        name=f"training part {index}",
    )
    return suspect_weights(context.dataset.n, found.rows, suspects(context.dataset, found))
