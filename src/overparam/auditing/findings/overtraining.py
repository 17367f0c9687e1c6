"""Does training to the end hurt on this data, and could that be known beforehand?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from overparam.auditing.answers import Answer, NotApplicable
from overparam.auditing.comparison import over_splits
from overparam.auditing.context import Context
from overparam.auditing.measurements import replicas
from overparam.auditing.net_cells import fitted_rows
from overparam.auditing.random_readouts import FEWEST_ROWS, MOST_ROWS, readouts
from overparam.auditing.reading import points
from overparam.auditing.registry import finding
from overparam.data.dataset import Dataset
from overparam.evidence.intervals import t_statistic
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence
from overparam.report import figures

WORTH = 0.01
NO_SIGNAL = 0.99  # of the variance of new targets around their mean: nothing was learnt
RATIO = 8  # random features a row: as many times over-parameterised as the widest net of the sweep
SEEDS = 3
SECONDS = 4.0  # of one thread
PLACES = 60  # of the curve that is drawn


@finding(
    "OP009",
    "overtraining",
    title="Does training to the end hurt?",
    paper="high-dimensional-dynamics",
    order=1,
    thresholds={
        "worth": (WORTH, "of the variance of the targets: a point of R2 is worth stopping for"),
    },
)
def overtraining(context: Context) -> Answer:
    """Whether error on new rows rises again late in training, and when theory says to stop.

    How: a fixed random layer of ReLU units, eight for each row, carries a linear read-out that is
    trained by gradient descent; all its error over time is known from one decomposition. Signal
    and noise of the targets are estimated from the training rows alone and give the best time to
    stop. The statistic is what stopping then saves on the validation rows, in units of the
    targets' variance (one-hot labels count as targets), over three random layers.

    Why: what is learnt late are the directions in which the data hardly vary; where targets are
    noisy, they carry noise. A net that learns its layers has another clock, but the same noise:
    the details compare it with its twin that stops early.

    What to do: stop early on held-out rows, or use ridge or weight decay: at its best it does what
    stopping does.
    """
    if len(fitted_rows(context.dataset, context.split_keys[0], MOST_ROWS)) < FEWEST_ROWS:
        raise NotApplicable("there are too few training rows to tell signal from noise.")
    cell = {
        "dataset": context.dataset,
        "split": context.split_keys[0].as_dict(),
        "rows": MOST_ROWS,
        "seeds": list(range(SEEDS)),
    }
    [found] = context.cells(
        "nets", stopping_times, [cell], label="stopping times", estimate=SECONDS
    )
    saved = found["end"] - found["stopped"]
    statistic = t_statistic(saved, "saved by stopping in time, in variances of the target")
    table = _table(found)
    evidence = Evidence(
        table,
        statistic,
        more_than(WORTH),
        figures.curve(
            table,
            "time",
            "error",
            color="part",
            log_x=True,
            rules=[
                (float(np.median(found["predicted_time"])), "predicted best"),
                (float(np.median(found["best_time"])), "measured best"),
            ],
            x_title="training time: rate x steps (log)",
            y_title="squared error / variance",
        ),
    )
    headline, action = _words(found, saved, statistic.interval)
    ratio = float(np.median(found["predicted_time"] / found["best_time"]))
    return Answer(
        evidence,
        headline,
        action,
        details=[
            f"Stopped as predicted the error is {_mean(found['stopped'])} of the variance, at the "
            f"best time {_mean(found['best'])}, at the end {_mean(found['end'])}, with the "
            f"estimated ridge {_mean(found['ridge'])}; the predicted time is {ratio:.2g} times the "
            "best one.",
            f"{int(found['rows'])} training rows, {RATIO} random features each, {SEEDS} layers. "
            "The prediction's own level, at the training inputs, is too low for new ones: only its "
            "time counts.",
        ],
        caption="Error of a read-out of random features over training time: measured on "
        "validation rows, and predicted from the training rows.",
        extra={"predicted_over_best_time": ratio},
        afterword=lambda: _nets(context),
    )


def stopping_times(
    dataset: Dataset, split: Mapping[str, int], rows: int, seeds: Sequence[int]
) -> dict[str, Any]:
    """Cell: predicted and measured stopping of read-outs of random layers, one a seed.

    Returns
    -------
    dict
        `end`, `best`, `stopped`, `ridge` (S,) validation errors in variances of the target;
        `predicted_time`, `best_time` (S,); `time`, `measured`, `predicted` (S, T) of the curves;
        `rows`.
    """
    found, fitted = readouts(dataset, split, rows, RATIO, seeds)
    chosen = np.linspace(0, len(found[0].times) - 1, PLACES).astype(int)
    return {
        "end": np.array([f.end_mse for f in found]),
        "best": np.array([f.best_mse for f in found]),
        "stopped": np.array([f.at_predicted_time for f in found]),
        "ridge": np.array([f.ridge_mse for f in found]),
        "predicted_time": np.array([f.predicted_time for f in found]),
        "best_time": np.array([f.best_time for f in found]),
        "time": np.stack([f.times[chosen] for f in found]),
        "measured": np.stack([f.held_out_mse[chosen] for f in found]),
        "predicted": np.stack([f.predicted_mse[chosen] for f in found]),
        "rows": fitted,
    }


def _table(found: Mapping[str, Any]) -> pl.DataFrame:
    """The middle one of the layers by what stopping saves."""
    middle = int(np.argsort(found["end"] - found["stopped"])[len(found["end"]) // 2])
    parts = {"measured": "measured", "predicted": "predicted, at the training inputs"}
    return pl.concat(
        pl.DataFrame({"time": found["time"][middle], "error": found[name][middle]}).with_columns(
            part=pl.lit(title)
        )
        for name, title in parts.items()
    )


def _mean(values: np.ndarray) -> str:
    return f"{np.mean(values):.3g}"


def _words(found: Mapping[str, Any], saved: np.ndarray, interval: Any) -> tuple[str, str]:
    stopped, end = float(found["stopped"].mean()), float(found["end"].mean())
    if stopped >= NO_SIGNAL:
        return (
            f"A wide fixed layer finds no signal here: its best error is {stopped:.2f} of the "
            f"variance, and {end:.2f} after training to the end.",
            "Look for better features or labels before tuning any net.",
        )
    if interval.low > WORTH:
        return (
            f"Training a wide fixed layer to the end costs {end:.3g} of the variance, stopped in "
            f"time {stopped:.3g}: late training fits noise here.",
            "Stop early on held-out rows, or tune ridge or weight decay.",
        )
    if interval.high <= WORTH:
        return (
            f"Training to the end costs nothing here: {end:.3g} of the variance, stopped in time "
            f"{stopped:.3g}.",
            "There is no need to stop early.",
        )
    return (
        f"Whether late training hurts is not clear: stopping in time saves {saved.mean():.3g} of "
        "the variance, and the interval covers both answers.",
        "Stop early on held-out rows where it costs nothing.",
    )


def _nets(context: Context) -> list[str]:
    """How the nets themselves take early stopping, once that treatment has run."""
    early = context.treated.get("early-stopping")
    if early is None:
        return []
    usual = context.scores_of_logits(replicas(context).validation)
    stopped = context.scores(early.predictions)
    seeds = min(len(usual[0]), len(stopped[0]))
    gain = over_splits(
        [s[:seeds] - u[:seeds] for s, u in zip(stopped, usual, strict=True)], context.n_train
    )
    low, high = gain.interval()
    return [
        f"The baseline nets gain {points(context, gain.value)} by stopping early "
        f"({points(context, low)} to {points(context, high)})."
    ]
