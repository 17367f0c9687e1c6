"""Does a bigger net do worse on this data?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from overparam.auditing.answers import Answer
from overparam.auditing.comparison import Difference, crossed
from overparam.auditing.context import Context
from overparam.auditing.measurements import Sweep, width_sweep
from overparam.auditing.net_cells import fitted_rows
from overparam.auditing.random_readouts import FEWEST_ROWS, readout_sweep
from overparam.auditing.reading import (
    gains,
    held_loss,
    margin,
    points,
    score_with_interval,
    statistic,
)
from overparam.auditing.registry import finding
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence
from overparam.report import figures

MARGIN = 0.01
INTERPOLATES = 0.001  # training error below which every label counts as fitted
READOUT_RATIOS = (0.25, 0.5, 0.8, 1.0, 1.25, 2.0, 4.0, 8.0)
READOUT_ROWS = 200
READOUT_SEEDS = 2
READOUT_SECONDS = 2.0  # of one thread
REGRESSION_INTERPOLATES = 0.02  # training RMSE over the target's spread


@finding(
    "OP001",
    "width",
    title="Does a bigger net hurt?",
    paper="high-dimensional-dynamics",
    order=6,
    thresholds={
        "margin": (
            MARGIN,
            "one point of accuracy or R2, a hundredth of the spread in RMSE: what changes a choice",
        ),
        "interpolates": (INTERPOLATES, "at most one training row in a thousand is still wrong"),
    },
)
def width(context: Context) -> Answer:
    """Whether the widest of a range of nets is worse than the best narrower one.

    How: perceptrons with two hidden layers are trained without weight decay at seven widths, from
    1/8 to 8 parameters for each training row and output, three seeds each, long enough for the
    widest to fit every label. The best narrower width is chosen on held-out rows; the difference
    of the two is measured on the validation rows.

    Why: classical statistics expects harm beyond the point where the training error reaches zero,
    and near that point the error can indeed peak. Far beyond it, it usually falls again.

    Beside it stands what theory can say exactly: the error of read-outs of random layers, whose
    peak lies where they have one feature for each row, and which is gone when training stops in
    time.

    What to do: if wider is worse, add weight decay or stop early before making the net smaller.
    If it is not, take the wider net.
    """
    sweep = width_sweep(context)
    readouts = _readouts(context)
    scores = gains(context, sweep.validation)  # (V, S, n)
    narrower = int(held_loss(context, sweep.held).mean(axis=1)[:-1].argmin())
    loss = crossed(scores[narrower] - scores[-1])
    table = _table(context, sweep, scores)
    fitted_from = _interpolation(context, sweep)
    evidence = Evidence(
        table,
        statistic(loss, "best narrower minus widest", scores.shape[1]),
        more_than(margin(context, MARGIN)),
        figures.curve(
            table,
            "parameters",
            "score",
            color="part",
            low="low",
            high="high",
            log_x=True,
            rules=[]
            if fitted_from is None
            else [(int(sweep.parameters[fitted_from]), "training error 0")],
            x_title="parameters (log)",
            y_title=context.metric.title,
        ),
    )
    headline, action = _words(context, loss, sweep.parameters, narrower)
    return Answer(
        evidence,
        headline,
        action,
        details=[
            f"Nets of {sweep.parameters[0]:,} to {sweep.parameters[-1]:,} parameters on "
            f"{context.plan.sweep_rows:,} training rows, {scores.shape[1]} seeds each.",
            _fitting_sentence(sweep, fitted_from),
            _peak(scores, sweep),
            *([] if readouts is None else [_readout_sentence(readouts)]),
        ],
        caption="Validation and training score over the number of parameters, 95 % intervals.",
        pictures={} if readouts is None else {"readouts": _readout_picture(readouts)},
        extra={
            "interpolates_at": None if fitted_from is None else int(sweep.parameters[fitted_from])
        },
    )


def _readouts(context: Context) -> dict[str, Any] | None:
    """Read-outs of random layers over their size, where the budget and the rows allow it."""
    fitted = len(fitted_rows(context.dataset, context.split_keys[0], READOUT_ROWS))
    if fitted < FEWEST_ROWS or not context.ledger.affords("nets", READOUT_SECONDS):
        return None
    cell = {
        "dataset": context.dataset,
        "split": context.split_keys[0].as_dict(),
        "rows": READOUT_ROWS,
        "ratios": list(READOUT_RATIOS),
        "seeds": list(range(READOUT_SEEDS)),
    }
    return context.cells("nets", readout_sweep, [cell], label="read-outs of random layers")[0]


def _readout_sentence(found: Mapping[str, Any]) -> str:
    end, best = found["end"].mean(axis=1), found["best"].mean(axis=1)
    top = int(end.argmax())
    return (
        f"Read-outs of random layers on {int(found['rows'])} rows, trained to the end, are worst "
        f"with {READOUT_RATIOS[top]:g} features for each row (error {end[top]:.3g} of the "
        f"variance) and have {end[-1]:.3g} with {READOUT_RATIOS[-1]:g}; stopped in time no size "
        f"is worse than {best.max():.3g}."
    )


def _readout_picture(found: Mapping[str, Any]) -> tuple[dict[str, Any], str, str]:
    table = [
        {"features": ratio, "error": float(value), "training": training}
        for training, name in (("to the end", "end"), ("stopped at its best", "best"))
        for ratio, value in zip(READOUT_RATIOS, found[name].mean(axis=1), strict=True)
    ]
    picture = figures.curve(
        table,
        "features",
        "error",
        color="training",
        log_x=True,
        log_y=True,
        rules=[(1.0, "one for each row")],
        x_title="random features for each row (log)",
        y_title="squared error / variance",
    )
    return (
        picture,
        "The same question for read-outs of random layers",
        "Here theory is exact: the error peaks where a model can just fit its rows, because of "
        "directions that they hardly show; stopping in time does away with it.",
    )


def _words(
    context: Context, loss: Difference, parameters: np.ndarray, narrower: int
) -> tuple[str, str]:
    """Headline and action."""
    low, high = loss.interval()
    rows = context.plan.sweep_rows * (len(context.dataset.classes) or 1)
    widest, best = f"{parameters[-1]:,}", f"{parameters[narrower]:,}"
    worth = margin(context, MARGIN)
    if low > worth:
        return (
            f"Bigger is worse here: {widest} parameters lose {points(context, loss.value)} "
            f"against {best}.",
            "Regularise (see weight decay) or stop early before making the net smaller.",
        )
    if high <= worth:
        return (
            f"Bigger does not hurt: with {parameters[-1] / rows:.0f} parameters for each row and "
            f"output the net is as good as the best narrower one, or better.",
            "Do not shrink the net to fight overfitting.",
        )
    return (
        f"Whether bigger hurts is not clear: {widest} parameters against {best} make a difference "
        f"of {points(context, -loss.value)}, and the interval covers both answers.",
        "More rows, or a larger budget, would decide it; until then keep the middle of the range.",
    )


def _table(context: Context, sweep: Sweep, scores: np.ndarray) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for i, parameters in enumerate(sweep.parameters):
        training = float(sweep.train_error[i].mean())
        point = {"parameters": int(parameters), "training_error": training}
        measured = score_with_interval(context, scores[i])
        rows.append({**point, "part": "validation", **measured})
    if context.metric.name == "accuracy":
        for row in list(rows):
            score = 1 - row["training_error"]
            rows.append({**row, "part": "training", "score": score, "low": score, "high": score})
    return pl.DataFrame(rows)


def _interpolation(context: Context, sweep: Sweep) -> int | None:
    """Index of the first width whose training error is (almost) 0 for every seed."""
    limit = INTERPOLATES if context.classification else REGRESSION_INTERPOLATES
    reached = np.flatnonzero((sweep.train_error <= limit).all(axis=1))
    return int(reached[0]) if len(reached) else None


def _fitting_sentence(sweep: Sweep, index: int | None) -> str:
    if index is None:
        return (
            "No width fits every training label: the smallest training error is "
            f"{sweep.train_error.mean(axis=1).min():.3f}."
        )
    return f"The training error reaches 0 from {sweep.parameters[index]:,} parameters on."


def _peak(scores: np.ndarray, sweep: Sweep) -> str:
    """Whether the error rises and falls again on the way to the widest net."""
    mean = scores.mean(axis=(1, 2))
    level = 1 - 0.05 / max(len(mean) - 2, 1)  # so many places are looked at
    for i in range(1, len(mean) - 1):
        before, after = int(mean[:i].argmax()), i + 1 + int(mean[i + 1 :].argmax())
        down, up = crossed(scores[before] - scores[i]), crossed(scores[after] - scores[i])
        if down.interval(level)[0] > 0 and up.interval(level)[0] > 0:
            return (
                f"There is an interpolation peak: at {sweep.parameters[i]:,} parameters the score "
                "is worse than on both sides."
            )
    return "No interpolation peak stands out from the noise."
