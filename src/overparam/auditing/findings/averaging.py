"""How far is one net from what ever more nets of its kind would reach together?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from overparam.auditing.answers import Answer, NotAffordable
from overparam.auditing.comparison import crossed
from overparam.auditing.context import Context
from overparam.auditing.measurements import fit_recipe, replicas
from overparam.auditing.reading import statistic
from overparam.auditing.registry import finding
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence, Verdict
from overparam.report import figures

ROOM = 0.02
NARROWER = (4, 2)  # the width divided by
MEMBERS = 4  # of the narrower nets
FEWEST = 4  # units or channels of the narrowest


@finding(
    "OP014",
    "averaging",
    title="How far is one net from the best of its kind?",
    paper="infinite-compute",
    order=8,
    thresholds={
        "room": (ROOM, "nats, or share of the target's variance: less is not worth two nets"),
    },
)
def averaging(context: Context) -> Answer:
    """How much averaging ever more nets of the baseline's recipe would gain, and what width gains.

    How: the loss of the average of K nets, over all subsets of the baseline nets, is fitted by
    E + A / K, for a log loss with a further term B / K^2; of squared errors this is exact. The
    statistic is the loss of one net minus E, the loss of an average without end. Its interval
    counts nets (a jackknife: every net is left out once) and validation rows. Nets of half and a
    quarter of the width are put beside it where the budget reaches.

    Why: nets that differ by their seed alone disagree, and averaging removes what they disagree in.
    E is the best that this recipe can do on these rows, however many nets one trains: what is above
    it can be bought, what is below it needs another model or more data.

    What to do: average nets, each doubling of which halves what is left, or distil them into one.
    """
    y = context.validation(0)
    unit = 1.0 if context.classification else float(np.var(context.splits[0].train.y)) or 1.0
    members = _of_labels(context, replicas(context).validation[0], y)
    curve = subset_curve(members, y, context.classification) / unit
    gaps = jackknife(members, y, context.classification) / unit
    found = statistic(crossed(gaps), _label(context), len(y))
    widths, note = _narrower(context, y, unit)
    for width, narrow in sorted(widths.items()):
        end = narrow[0] - above_asymptote(narrow, 2)
        note.append(
            f"Width {width}: one net {narrow[0]:.3f}, an average without end about {end:.3f}."
        )
    widths[context.recipe.width] = curve.mean(axis=1)
    floor = float(curve[0].mean() - found.value)
    evidence = Evidence(
        _table(widths), found, more_than(ROOM), _figure(widths, floor, context.classification)
    )
    here, together = float(curve[0].mean()), float(curve[-1].mean())
    if evidence.verdict is Verdict.FAILS:
        headline = (
            f"One net is near the best of its kind: loss {here:.3f}, and averaging without end "
            f"would reach {floor:.3f}."
        )
        action = "Train one net; a better one needs another model or more rows."
    else:
        sure = "is" if evidence.verdict is Verdict.HOLDS else "may be"
        share = (here - together) / found.value if found.value > 0 else 1.0
        headline = (
            f"One net {sure} {found.value:.3f} above the best of its kind: loss {here:.3f}, and "
            f"{floor:.3f} for an average without end; {len(members)} nets go {100 * share:.0f} % "
            "of the way."
        )
        action = (
            f"Average nets or distil them into one: each doubling halves what is left of "
            f"{found.value:.3f}. {_beyond(widths, context.recipe.width, floor)}"
        )
    return Answer(
        evidence,
        headline,
        action,
        details=[
            f"{len(members)} nets; the loss is {_unit(context)} on validation rows. Average of all "
            f"{len(members)}: {together:.3f}.",
            *note,
        ],
        caption="Loss of the average of so many nets, over all subsets, by width.",
        extra={"asymptote": floor},
    )


def _beyond(widths: dict[int, np.ndarray], own: int, floor: float) -> str:
    """What goes below the asymptote: narrower nets, where they were seen to."""
    narrow = {width: float(curve[-1]) for width, curve in widths.items() if width != own}
    best = min(narrow, key=lambda width: narrow[width], default=own)
    if best != own and narrow[best] < floor:
        count = len(widths[best])
        return f"Narrower is better: {count} nets of width {best} reach {narrow[best]:.3f} already."
    return f"Below {floor:.3f} only another model or more rows will go."


def subset_curve(values: np.ndarray, y: np.ndarray, classification: bool) -> np.ndarray:
    """Losses (M, n) of averages of 1 .. M members, the mean over all subsets of each size.

    `values` (M, n) are the members' probabilities of the label, or their predictions.
    """
    count = len(values)
    chosen = (np.arange(1, 2**count)[:, None] >> np.arange(count)) & 1
    sizes = chosen.sum(axis=1)
    total = np.zeros((count, values.shape[1]))
    for subset, size in zip(chosen, sizes, strict=True):
        mean = subset @ values / size
        loss = -np.log(np.maximum(mean, 1e-12)) if classification else (mean - y) ** 2
        total[size - 1] += loss
    return total / np.bincount(sizes)[1:, None]


def above_asymptote(curve: np.ndarray, terms: int) -> np.ndarray:
    """Loss of one member minus the asymptote in K, for each row (n,), of a curve (M, n).

    Least squares in so many powers of 1 / K, the constant among them.
    """
    k = np.arange(1, len(curve) + 1)
    design = k[:, None] ** -np.arange(terms, dtype=float)
    return curve[0] - np.linalg.pinv(design)[0] @ curve


def powers(members: int, classification: bool) -> int:
    """Terms of the fit: two for squared errors, three for a log loss where members suffice.

    One member less must still leave a point more than terms.
    """
    return 3 if classification and members > 4 else 2


def jackknife(values: np.ndarray, y: np.ndarray, classification: bool) -> np.ndarray:
    """Pseudo-values (M, n) of `above_asymptote`, one a member; their mean estimates it."""
    count = len(values)
    terms = powers(count, classification)
    whole = above_asymptote(subset_curve(values, y, classification), terms)
    without = [
        above_asymptote(subset_curve(np.delete(values, i, axis=0), y, classification), terms)
        for i in range(count)
    ]
    return count * whole - (count - 1) * np.stack(without)


def _of_labels(context: Context, logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    p = context.probabilities(logits)
    return p[:, np.arange(len(y)), y] if context.classification else p[..., 0]


def _narrower(
    context: Context, y: np.ndarray, unit: float
) -> tuple[dict[int, np.ndarray], list[str]]:
    """Curves of narrower nets by width, and what could not be trained."""
    found: dict[int, np.ndarray] = {}
    for by in NARROWER:
        width = context.recipe.width // by
        if width < FEWEST or ":" in context.recipe.net:
            continue
        try:
            fits = fit_recipe(
                context,
                context.recipe.but(width=width),
                MEMBERS,
                stage="nets",
                label="narrower nets",
            )
        except NotAffordable:
            return found, ["Narrower nets did not fit the budget."]
        values = _of_labels(context, fits.validation[0], y)
        found[width] = subset_curve(values, y, context.classification).mean(axis=1) / unit
    return found, []


def _table(widths: dict[int, np.ndarray]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"width": width, "members": k, "loss": float(loss)}
            for width, curve in sorted(widths.items())
            for k, loss in enumerate(curve, start=1)
        ]
    )


def _figure(widths: dict[int, np.ndarray], floor: float, classification: bool) -> dict[str, Any]:
    rules: Sequence[tuple[float, str, str]] = [(floor, "asymptote", "y")]
    return figures.curve(
        _table(widths).with_columns(net=pl.format("width {}", "width")),
        "members",
        "loss",
        color="net",
        rules=rules,
        x_title="nets that are averaged",
        y_title="log loss" if classification else "squared error / variance",
    )


def _label(context: Context) -> str:
    return f"loss of one net above that of ever more, {_unit(context)}"


def _unit(context: Context) -> str:
    return "nats" if context.classification else "squared error over the target's variance"
