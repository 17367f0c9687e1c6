"""Which rows carry the learning, and how many could be left out?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from overparam.auditing.answers import Answer, NotAffordable, NotApplicable
from overparam.auditing.comparison import crossed
from overparam.auditing.context import Context
from overparam.auditing.diet_cells import TWINS, early_scores, pruned_nets
from overparam.auditing.label_quality import OutOfFold, noise_share
from overparam.auditing.measurements import cost_of_one
from overparam.auditing.net_cells import fitted_rows
from overparam.auditing.reading import mean_with_interval, statistic
from overparam.auditing.recipes import Recipe
from overparam.auditing.registry import finding
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence
from overparam.report import figures

KEPT = (0.25, 0.5, 0.75)
HALF = 0.5
MARGIN = 0.01
SEEDS = 3
SCORERS = 5
SCORED_AT = 0.1  # of the passes: wrong labels are not yet learnt by heart
SCORED_STEPS = 100  # at least: before, a score tells more of the start than of the row
SHARE = 0.05  # of the budget
FEWEST_STEPS = 300
FEWEST_ROWS = 200  # a quarter of them is 50
CERTAIN = 0.01  # share of wrong labels that must be beyond doubt before they are left out
LISTED = 10


@finding(
    "OP013",
    "data-diet",
    title="Do few rows carry the learning?",
    paper="data-diet",
    order=13,
    thresholds={
        "half": (HALF, "share of the rows that must be dispensable before it is worth telling"),
        "margin": (MARGIN, "loss of accuracy, one point, that is not yet beyond doubt"),
    },
)
def data_diet(context: Context) -> Answer:
    """How many of the easiest rows could be left out, and which rows are the hardest.

    How: five nets score every row a tenth into their training, 100 steps at least, by EL2N, the
    length of the error vector. Nets are then trained on the hardest quarter, half and three
    quarters, on as many random rows, and on all of them; three seeds, the same number of steps for
    all. Where OP005 is sure of wrong labels, so many of the very hardest rows are left out first:
    most wrong labels are there.

    Why: where half of the rows carry everything, sweeps can run on them, and more rows like the
    easy ones are not worth their labels.

    It is at most a tip: as many rows as can be left out with a mean accuracy within one standard
    error over seeds of that on all rows, at least half of them, and no loss of more than a point
    that is beyond doubt. Otherwise it is fine: the rows are needed.

    What to do: search configurations on the hardest rows, and train the final model on all of them;
    look for new rows that are unlike those left out. The hardest rows deserve a second look.
    """
    measured = _measured(context)
    scored, twin, full = measured.right[:, 0:-1:2], measured.right[:, 1:-1:2], measured.right[:, -1]
    droppable = _droppable(scored, full)
    lost = crossed(scored[:, KEPT.index(HALF)] - full)
    table = _table(scored, twin, full)
    evidence = Evidence(
        table,
        statistic(lost, "accuracy on the hardest half minus that on all rows", SEEDS),
        more_than(-MARGIN),
        figures.curve(
            table,
            "kept",
            "accuracy",
            color="rows",
            low="low",
            high="high",
            x_title="share of the rows that is kept",
            y_title="validation accuracy",
        ),
    )
    fires = droppable >= HALF and lost.interval()[1] > -MARGIN
    headline, action = _words(scored, twin, full, droppable if fires else 0.0)
    hardest = context.dataset.row[measured.hardest[:LISTED]]
    details = [
        f"The hardest training rows, by their number in the input: "
        f"{', '.join(str(row) for row in hardest)}.",
        f"Nets of {measured.recipe.epochs} passes over {measured.n:,} rows, {SEEDS} seeds; rows "
        f"are scored by {SCORERS} nets after {measured.scored_at} passes.",
    ]
    if measured.drop_top:
        details.append(
            f"The hardest {100 * measured.drop_top:.1f} % are left out of the hardest rows, since "
            "so many labels look wrong."
        )
    return Answer(
        evidence,
        headline,
        action,
        details=details,
        caption="Validation accuracy by the share of the rows that is kept, the hardest of them "
        "and random ones; 95 % intervals over seeds and rows.",
        outcome="tip" if fires else "fine",
        extra={"droppable": droppable if fires else 0.0, "hardest": hardest.tolist()},
    )


@dataclass(frozen=True)
class _Measured:
    """Right (1) or wrong (0) (S, 2 K + 1, n) on validation rows; positions from the hardest."""

    right: np.ndarray
    hardest: np.ndarray
    recipe: Recipe
    scored_at: int
    drop_top: float
    n: int


def _measured(context: Context) -> _Measured:
    if not context.classification:
        raise NotApplicable("early scores are defined for classes, and the target is a number.")
    key = context.split_keys[0]
    n = len(fitted_rows(context.dataset, key, context.recipe.rows))
    if n < FEWEST_ROWS:
        raise NotApplicable(f"a part of {n} training rows says little; {FEWEST_ROWS} are needed.")
    recipe = _affordable(context)
    length = math.ceil(n / recipe.batch_size)
    scored_at = max(round(SCORED_AT * recipe.epochs), math.ceil(SCORED_STEPS / length))
    scorer = recipe.but(epochs=scored_at, schedule="constant")
    given = {"dataset": context.dataset, "split": key.as_dict()}
    [found] = context.cells(
        "nets",
        early_scores,
        [{**given, "recipe": scorer.as_dict(), "seeds": list(range(SCORERS))}],
        label="early scores",
        estimate=SCORERS * cost_of_one(context, scorer),
    )
    drop_top = _certainly_wrong(context)
    cells = [
        {
            **given,
            "recipe": recipe.as_dict(),
            "scores": found["el2n"],
            "kept": list(KEPT),
            "drop_top": drop_top,
            "seed": seed,
        }
        for seed in range(SEEDS)
    ]
    results = context.cells(
        "nets",
        pruned_nets,
        cells,
        label="nets on parts of the rows",
        estimate=_trainings() * cost_of_one(context, recipe),
    )
    order = np.argsort(-found["el2n"], kind="stable")
    return _Measured(
        np.stack([r["right"] for r in results]).astype(float),
        found["rows"][order],
        recipe,
        scored_at,
        drop_top,
        n,
    )


def _trainings() -> int:
    return SEEDS * (len(TWINS) * len(KEPT) + 1)


def _affordable(context: Context) -> Recipe:
    """The baseline net with as many passes as `SHARE` of the budget allows."""
    recipe, plan = context.recipe, context.plan
    trainings = _trainings() + SCORERS * SCORED_AT
    allowed = SHARE * plan.budget * plan.jobs / (trainings * cost_of_one(context, recipe))
    epochs = min(math.floor(allowed * recipe.epochs), recipe.epochs)
    steps = epochs * math.ceil(recipe.rows / recipe.batch_size)
    if epochs < recipe.epochs and steps < FEWEST_STEPS:
        least = FEWEST_STEPS / (recipe.epochs * math.ceil(recipe.rows / recipe.batch_size))
        seconds = trainings * cost_of_one(context, recipe) / plan.jobs * min(least, 1.0)
        raise NotAffordable(
            f"needs about {seconds:.0f} s for nets on parts of the rows, more than "
            f"{100 * SHARE:.0f} % of the budget; a larger --budget runs it."
        )
    return recipe.but(epochs=epochs)


def _certainly_wrong(context: Context) -> float:
    """Share of wrong labels as OP005 measured it, where it is sure of some; else 0."""
    found = context.memory.get("out_of_fold/training part 0")
    if not isinstance(found, OutOfFold):
        return 0.0
    estimate = noise_share(context.dataset, found)
    return estimate.share if estimate.low > CERTAIN else 0.0


def _droppable(scored: np.ndarray, full: np.ndarray) -> float:
    """Largest share without which the mean accuracy is within one standard error of all rows'."""
    whole = full.mean(axis=1)
    least = whole.mean() - whole.std(ddof=1) / np.sqrt(len(whole))
    enough = scored.mean(axis=(0, 2)) >= least
    return max((1 - share for share, ok in zip(KEPT, enough, strict=True) if ok), default=0.0)


def _table(scored: np.ndarray, twin: np.ndarray, full: np.ndarray) -> pl.DataFrame:
    lines = []
    for name, right in zip(TWINS, (scored, twin), strict=True):
        for i, share in enumerate((*KEPT, 1.0)):
            values = full if share == 1 else right[:, i]
            mean, low, high = mean_with_interval(values)
            lines.append({"rows": name, "kept": share, "accuracy": mean, "low": low, "high": high})
    return pl.DataFrame(lines)


def _words(
    scored: np.ndarray, twin: np.ndarray, full: np.ndarray, droppable: float
) -> tuple[str, str]:
    whole = 100 * full.mean()
    if not droppable:
        half = KEPT.index(HALF)
        hard, chance = 100 * scored[:, half].mean(), 100 * twin[:, half].mean()
        enough = chance >= whole - 100 * MARGIN
        opening = "The hardest rows alone do not carry it" if enough else "The rows are needed"
        return (
            f"{opening}: on the hardest half nets reach {hard:.1f} % accuracy, on a random half "
            f"{chance:.1f} %, on all {whole:.1f} %.",
            "Keep all rows; a random half is enough for a search." if enough else "Keep all rows.",
        )
    i = KEPT.index(1 - droppable)
    part = "Half" if droppable == HALF else "A quarter"
    hard, chance = 100 * scored[:, i].mean(), 100 * twin[:, i].mean()
    headline = (
        f"{part} of the rows carries all of it: the hardest {100 * KEPT[i]:.0f} % give "
        f"{hard:.1f} % accuracy, all rows {whole:.1f} %, as many random ones {chance:.1f} %."
    )
    if chance >= whole - 100 * MARGIN:
        return (
            headline,
            "Search configurations on a part of the rows; more rows like these bring little.",
        )
    return (
        headline,
        "Search configurations on the hardest rows; collect rows that are unlike the easy ones.",
    )
