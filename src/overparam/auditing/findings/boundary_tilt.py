"""Is the linear model tilted along directions in which the data hardly vary?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from overparam.auditing.answers import Answer, NotAffordable, NotApplicable
from overparam.auditing.boundary_cells import linear_tilt, net_boundary
from overparam.auditing.context import Context
from overparam.auditing.measurements import cost_of_one, own_argument
from overparam.auditing.registry import finding
from overparam.diagnostics.deviation_angle import TILTED
from overparam.diagnostics.tilt_path import best_and_strongest
from overparam.evidence.intervals import Statistic, t_statistic
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence
from overparam.report import figures

FARTHER = 1.25
ROWS = 600
DRAWS = 3
FEWEST = 15  # rows of a class to fit, and validation rows of the pair
NET_ROWS = 200
SECONDS = 1.0  # of one thread; four times as many where columns are as many as rows
NET_SECONDS = 3.0  # of one thread, beside training one net


@finding(
    "OP012",
    "boundary-tilt",
    title="Is the linear model tilted?",
    paper="boundary-tilting",
    order=7,
    thresholds={
        "angle": (TILTED, "degrees: half of the way to a boundary along the line of the means"),
        "farther": (
            FARTHER,
            "the margin must grow by a quarter, or regularising is not worth the trouble",
        ),
    },
)
def boundary_tilt(context: Context) -> Answer:
    """Whether a logistic regression is tilted away from the line of the class means for nothing.

    How: a logistic regression of two classes is fitted at scikit-learn's default C = 1 and at
    stronger regularisation, on three random draws of at most 600 training rows (half of them of
    each class), in the features that the audit's linear models see. The statistic is its deviation
    angle at C = 1: 0 degrees is the nearest-centroid classifier, at 90 the boundary runs along the
    line of the class means. Of more than two classes it is the pair that the nearest-centroid
    classifier confuses most on training rows: between classes that are easily told apart any level
    of regularisation will do, and a median over pairs would hide the one pair that matters. It is
    an issue (or a tip, where the interval reaches below 45 degrees) only where the angle is above
    45 degrees and a stronger level predicts validation rows as well as the best one, within a
    standard error, and moves the boundary away by a quarter; otherwise it is fine.

    Why: a boundary can be turned along directions in which the data hardly vary without changing
    what it says of them. It then comes close to every row, and a small change along such a
    direction flips the prediction. Some tilt is the price of accuracy; the rest is overfitting.

    What to do: regularise to the C that is named. Angles depend on the units of the features: they
    are those of standardised columns.
    """
    if not context.classification:
        raise NotApplicable("a regression has no boundary between classes.")
    columns = min(context.splits[0].preprocessor.n_flat / ROWS, 1.0)  # rows span no more
    [found] = context.cells(
        "nets",
        linear_tilt,
        [
            {
                "dataset": context.dataset,
                "split": context.split_keys[0].as_dict(),
                "rows": ROWS,
                "fewest": FEWEST,
                "draws": DRAWS,
            }
        ],
        label="tilt of a linear model",
        estimate=SECONDS * (1 + 3 * columns),
    )
    if "why_not" in found:
        raise NotApplicable(str(found["why_not"]))
    path = Path(found)
    statistic = t_statistic(found["angle"][:, -1], "deviation angle at C = 1, degrees")
    evidence = Evidence(path.table(), statistic, more_than(TILTED), path.figure())
    names = [context.dataset.classes[k] for k in found["pair"]]
    headline, action, outcome = _words(path, statistic, names, len(context.dataset.classes))
    return Answer(
        evidence,
        headline,
        action,
        details=[
            f"{int(found['rows'])} rows a draw, {DRAWS} draws, {int(found['validation_rows'])} "
            f"validation rows. {found['flat']:.0%} of the normal's squared length lie in the "
            "directions that together hold the last hundredth of the variance within classes.",
            f"Nearest-centroid classifier: {found['centroid_error']:.1%} wrong on validation rows; "
            f"logistic regression at C = 1: {path.error[-1]:.1%}.",
            *_net(context),
        ],
        caption="Relative margin (the cosine of the tilt; 1 is the nearest-centroid classifier) "
        "and validation error of a logistic regression over its regularisation.",
        outcome=outcome,
        extra={
            "angle": statistic.value,
            "recommended_c": path.recommended,
            "angle_there": float(path.angle[path.strongest]),
            "pair": names,
        },
    )


class Path:
    """Means over draws of what `linear_tilt` found, from the strongest regularisation to C = 1."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.c = np.asarray(found["c"])
        self.angles, self.errors = np.asarray(found["angle"]), np.asarray(found["error"])
        self.angle, self.error = self.angles.mean(axis=0), self.errors.mean(axis=0)
        _, self.strongest = best_and_strongest(self.error, int(found["validation_rows"]))

    @property
    def recommended(self) -> float:
        """The strongest level that is as accurate as the best."""
        return float(self.c[self.strongest])

    @property
    def farther(self) -> float:
        """Mean margin at the recommended level over that at C = 1."""
        cos = np.cos(np.radians(self.angles)).mean(axis=0)
        return float(cos[self.strongest] / cos[-1])

    def table(self) -> pl.DataFrame:
        """A row a level."""
        return pl.DataFrame(
            {
                "C": self.c,
                "angle": self.angle,
                "relative_margin": np.cos(np.radians(self.angles)).mean(axis=0),
                "validation_error": self.error,
            }
        )

    def figure(self) -> dict[str, Any]:
        """Margin and error over C."""
        series = {
            "relative margin": np.cos(np.radians(self.angles)),
            "validation error": self.errors,
        }
        rows = [
            {"C": c, "share": column.mean(), "low": column.min(), "high": column.max(), "of": name}
            for name, values in series.items()
            for c, column in zip(self.c, values.T, strict=True)
        ]
        return figures.curve(
            rows,
            "C",
            "share",
            color="of",
            low="low",
            high="high",
            log_x=True,
            rules=[(self.recommended, f"C = {self.recommended:.2g}")],
            x_title="C: to the right less regularisation (log)",
            y_title="share (band: least and largest draw)",
        )


def _words(
    path: Path, statistic: Statistic, names: list[str], classes: int
) -> tuple[str, str, str]:
    angle, interval = statistic.value, statistic.interval
    assert interval is not None
    model = "The linear model"
    if classes > 2:
        model += f" between {names[0]} and {names[1]}"
    if angle <= TILTED:
        return (
            f"{model} is tilted by {angle:.0f} degrees only: small changes along directions in "
            "which your data do not vary do not flip it.",
            "There is nothing to do.",
            "fine",
        )
    if path.farther < FARTHER:
        return (
            f"{model} is tilted by {angle:.0f} degrees, and has to be: regularised more strongly "
            "it predicts worse, or hardly stands farther off.",
            "Keep it; better features would need less tilt.",
            "fine",
        )
    there, error = path.angle[path.strongest], path.error[path.strongest]
    return (
        f"{model} is tilted by {angle:.0f} degrees at C = 1: small changes along directions in "
        "which your data hardly vary flip it.",
        f"Regularise to C = {path.recommended:.2g}: tilted by {there:.0f} degrees, the boundary "
        f"stands {path.farther:.1f} times as far off, and {error:.1%} of validation rows are wrong "
        f"({path.error[-1]:.1%} at C = 1).",
        "issue" if interval.low > TILTED else "tip",
    )


def _net(context: Context) -> list[str]:
    """How close the boundary of one of the baseline nets lies, where the budget reaches."""
    cell = {
        "dataset": context.dataset,
        "split": context.split_keys[0].as_dict(),
        "recipe": context.recipe.as_dict(),
        "rows": NET_ROWS,
    }
    try:
        [found] = context.cells(
            "nets",
            net_boundary,
            [cell | own_argument(context, context.recipe)],
            label="boundary of a net",
            estimate=cost_of_one(context, context.recipe) + NET_SECONDS,
        )
    except NotAffordable:
        return ["How close a net's boundary lies was not measured: the budget does not reach."]
    if not found["crossed"]:
        return []
    return [
        f"The baseline net's own boundary lies {found['distance']:.2g} times half the distance of "
        f"the two class means away from a validation row (median of {int(found['crossed'])}); it "
        f"is turned by {found['angle']:.0f} degrees there."
    ]
