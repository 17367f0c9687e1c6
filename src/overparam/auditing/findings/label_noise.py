"""How many labels are probably wrong, and which?"""

from __future__ import annotations

import polars as pl

from overparam.auditing.answers import Answer
from overparam.auditing.context import Context
from overparam.auditing.label_quality import noise_share, quality, suspects
from overparam.auditing.measurements import out_of_fold_predictions
from overparam.auditing.registry import finding
from overparam.evidence.intervals import Interval, Statistic
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence
from overparam.report import figures

SHARE = 0.01
ENOUGH = 0.5
METHOD = {"classification": "posterior over channels", "regression": "Jeffreys over rows"}


@finding(
    "OP005",
    "label-noise",
    title="Are labels wrong?",
    order=4,
    thresholds={
        "enough": (ENOUGH, "share of the training rows below which nets mistake hard for wrong"),
        "share": (SHARE, "one label in a hundred: below this, cleaning hardly moves a score"),
    },
)
def label_noise(context: Context) -> Answer:
    """The share of wrong labels among the training rows, and the most suspect of them.

    How: every training row is predicted by nets that have not seen it (five folds, two seeds,
    stopped early before they memorise), by a logistic regression and by a forest. Where classes
    overlap, labels disagree less and less as the models get surer; wrong labels disagree however
    sure they are. A noisy channel from the true class to the label, alike for all classes or not,
    is fitted to both: it gives the share of wrong labels, and each label's quality, the probability
    that it is right. So many rows of the least quality are suspected. Regression: rows more than
    five robust standard deviations off.

    Why: an over-parameterised net fits wrong labels too, and pays for it on new rows.

    Nets that the budget gives less than half of the training rows take hard rows for wrong ones:
    the share is then an upper end, and the outcome at most a tip. Where no row is suspected it is
    fine, however few rows there are to tell.

    What to do: look at the suspected rows in `rows.csv` (least `label_quality` first). Correct what
    is wrong; a suspected row may also be right and rare.
    """
    rows = context.splits[0].train.rows
    found = out_of_fold_predictions(context, rows, stage="nets", name="training part 0")
    estimate = noise_share(context.dataset, found)
    q = quality(context.dataset, found)
    suspected = suspects(context.dataset, found)
    table = pl.DataFrame(
        {
            "row": context.dataset.row[found.rows],
            "label_quality": q,
            "part": ["suspected" if s else "other" for s in suspected],
        }
    ).sort("label_quality")
    evidence = Evidence(
        table.head(50),
        Statistic(
            estimate.share,
            Interval(estimate.low, estimate.high, method=METHOD[context.dataset.task]),
            "share of wrong labels",
            estimate.n,
        ),
        more_than(SHARE),
        figures.histogram(
            table,
            "label_quality",
            color="part",
            x_title="label quality (low is suspect)",
        ),
    )
    share, high = 100 * estimate.share, 100 * estimate.high
    count = int(suspected.sum())
    learners = f"nets that saw {context.recipe.rows:,} of {len(rows):,} training rows"
    weak = context.recipe.rows < ENOUGH * len(rows)
    if estimate.low > SHARE and weak:
        headline = (
            f"Up to about {share:.1f} % of the labels look wrong to {learners}; {count:,} rows are "
            "suspected."
        )
        action = (
            "Check the suspected rows in rows.csv, least label_quality first: some may be hard, "
            "not wrong, and a larger --budget tells them apart."
        )
    elif estimate.low > SHARE:
        headline = (
            f"About {share:.1f} % of the labels look wrong; {count:,} training rows are suspected."
        )
        action = "Check the suspected rows in rows.csv, the least label_quality first."
    elif estimate.high <= SHARE or count == 0:
        headline = f"Labels look clean: none is suspected, at most {high:.1f} % are wrong."
        if count:
            headline = f"Labels look clean: about {share:.1f} % wrong, at most {high:.1f} %."
        action = "Nothing to do."
    else:
        headline = f"Some labels may be wrong: about {share:.1f} %, at most {high:.1f} %."
        action = f"Look at the {count:,} suspected rows in rows.csv."
    kind = (
        "how labels disagree with models that have not seen them, by how sure the models are"
        if context.classification
        else "rows whose value is far from the prediction"
    )
    return Answer(
        evidence,
        headline,
        action,
        details=[
            f"Estimated from {kind}, on {estimate.n:,} training rows.",
            "The estimate assumes that wrong labels do not depend on the features: errors that a "
            "net learns to repeat are not seen.",
        ],
        caption="Quality of the training labels; suspected rows apart.",
        outcome="fine" if count == 0 else "tip" if weak and estimate.low > SHARE else None,
        extra={"share": estimate.share, "suspected": count},
    )
