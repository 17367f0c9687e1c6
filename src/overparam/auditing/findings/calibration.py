"""Can the net's confidence be trusted, and can one temperature mend it?"""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl

from overparam.auditing.answers import Answer, NotApplicable
from overparam.auditing.comparison import Difference, over_splits
from overparam.auditing.context import Context
from overparam.auditing.label_quality import noise_share
from overparam.auditing.measurements import (
    out_of_fold_predictions,
    remembered,
    replicas,
)
from overparam.auditing.metric import METRICS
from overparam.auditing.overlap_cell import overlap
from overparam.auditing.reading import held_targets, statistic
from overparam.auditing.registry import finding
from overparam.diagnostics.calibration_error import ece, reliability_table
from overparam.diagnostics.temperature import TemperatureScaling
from overparam.evidence.cells import call
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence
from overparam.report import figures

MARGIN = 0.01
BINS = 10  # of the picture; the errors use 15


@finding(
    "OP004",
    "calibration",
    title="Can its confidence be trusted?",
    order=2,
    paper="temperature-scaling-limits",
    thresholds={"margin": (MARGIN, "nats of log loss: one percent of the likelihood of each row")},
)
def calibration(context: Context) -> Answer:
    """Whether one temperature, fitted on held-out rows, lowers the log loss clearly.

    How: each of eight baseline nets gets a temperature fitted to convergence on the held-out tenth
    of the training rows. The log loss before and after is compared on the validation rows.

    Why: a net that fits every training label puts a large gap between the label's logit and all
    others, so that it is surer than it is right. Where classes overlap no single temperature can
    mend it; training with Mixup can.

    What to do: scale by the temperature if probabilities are used for decisions. If the estimated
    overlap is large, look at the Mixup treatment.
    """
    if not context.classification:
        raise NotApplicable("a regression has no probabilities to calibrate.")
    before = [context.probabilities(logits) for logits in replicas(context).validation]
    after = scaled_probabilities(context)
    loss = METRICS["log_loss"]
    gain = over_splits(
        [
            np.stack([loss.gains(y, q) - loss.gains(y, p) for p, q in zip(b, a, strict=True)])
            for y, b, a in zip(_targets(context), before, after, strict=True)
        ],
        context.n_train,
    )
    ece_before, ece_after = _mean_ece(context, before), _mean_ece(context, after)
    y = np.tile(context.validation(0), len(before[0]))
    table = pl.concat(
        [
            reliability_table(np.concatenate(list(part)), y, BINS).with_columns(model=pl.lit(name))
            for name, part in (("as trained", before[0]), ("one temperature", after[0]))
        ]
    )
    evidence = Evidence(
        table,
        statistic(gain, "log loss saved by one temperature", len(before[0])),
        more_than(MARGIN),
        figures.reliability(table),
    )
    temperature = float(np.mean(temperatures(context)))
    headline, action = _words(gain, temperature, ece_before, ece_after)
    return Answer(
        evidence,
        headline,
        action,
        details=[_gap_sentence(context), _overlap_sentence(context)],
        caption="Accuracy against confidence on validation rows, all seeds; the diagonal is ideal.",
        extra={
            "temperature": temperature,
            "ece_before": ece_before,
            "ece_after": ece_after,
        },
        afterword=lambda: mixup_against_temperature(context),
    )


def _targets(context: Context) -> list[np.ndarray]:
    return [context.validation(i) for i in range(context.plan.repeats)]


def _mean_ece(context: Context, probs: list[np.ndarray]) -> float:
    """Mean calibration error over seeds and splits."""
    pairs = zip(_targets(context), probs, strict=True)
    return float(np.mean([ece(member, y) for y, members in pairs for member in members]))


def temperatures(context: Context) -> np.ndarray:
    """(splits, S) temperatures of the baseline nets, fitted on the held-out tenths."""

    def compute() -> np.ndarray:
        return np.array(
            [
                [fitted_temperature(logits, held_targets(context, i)) for logits in members]
                for i, members in enumerate(replicas(context).held)
            ]
        )

    return remembered("temperatures", context, compute)


def fitted_temperature(logits: np.ndarray, y: np.ndarray) -> float:
    """Temperature of held-out logits; 1 where they cannot tell it (all right, or all noise)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few held-out rows can all be right
        scaler = TemperatureScaling(bounds=(0.05, 50.0)).fit(logits, y)
    return 1.0 if scaler.at_bound_ else scaler.temperature_


def scaled_probabilities(context: Context) -> list[np.ndarray]:
    """Validation probabilities of the baseline nets after temperature scaling, split by split."""
    scaled = temperatures(context)
    return [
        context.probabilities(logits / scaled[i][:, None, None])
        for i, logits in enumerate(replicas(context).validation)
    ]


def _words(gain: Difference, temperature: float, before: float, after: float) -> tuple[str, str]:
    low, high = gain.interval()
    sure = "over-confident" if temperature > 1 else "under-confident"
    if low > MARGIN:
        return (
            f"The net is {sure}: dividing its logits by {temperature:.2f} brings the calibration "
            f"error from {100 * before:.1f} % to {100 * after:.1f} %.",
            f"Divide logits by {temperature:.2f} before using probabilities for decisions.",
        )
    if high <= MARGIN:
        return (
            f"Confidence can be trusted as it is (calibration error {100 * before:.1f} %).",
            "Nothing to do.",
        )
    if gain.value <= 0:
        return (
            f"A temperature of {temperature:.2f}, fitted on held-out rows, does not help on the "
            f"validation rows (calibration error {100 * before:.1f} %), within the noise.",
            "Do not rely on probabilities; more held-out rows would tell.",
        )
    return (
        f"A temperature of {temperature:.2f} may help: the calibration error goes from "
        f"{100 * before:.1f} % to {100 * after:.1f} %, the log loss by {gain.value:.3f} nats, "
        + ("which is small." if low > 0 else "within the noise."),
        "Scale by the temperature if probabilities matter; it costs nothing.",
    )


def _gap_sentence(context: Context) -> str:
    figures_of = replicas(context).figures
    gap = float(np.mean([f["gap_mean"].mean() for f in figures_of]))
    over = float(np.mean([f["gap_over_log_k"].mean() for f in figures_of]))
    k = len(context.dataset.classes)
    return (
        f"On its training rows the label's logit leads the next one by {gap:.1f} on average; "
        f"{100 * over:.0f} % of rows have a gap above log {k} = {np.log(k):.2f}, which is what the "
        "paper calls interpolation."
    )


def _overlap_sentence(context: Context) -> str:
    train = context.splits[0].train
    noise = 0.0
    if "out_of_fold/training part 0" in context.memory:
        found = out_of_fold_predictions(context, train.rows, stage="nets", name="training part 0")
        noise = noise_share(context.dataset, found).share
    share = call(
        overlap,
        dataset=context.dataset,
        split=context.split_keys[0].as_dict(),
        noise_share=float(noise),
        seed=context.plan.seed,
    ).value
    value, low, high = (100 * share[name] for name in ("value", "low", "high"))
    return (
        f"Estimated overlap of the classes: {value:.0f} % of rows ({low:.0f} to {high:.0f} %). No "
        "temperature can mend the part of the error that overlap causes."
    )


def mixup_against_temperature(context: Context) -> list[str]:
    """Whether Mixup-trained twins have a lower log loss than the scaled nets, seed by seed."""
    if "mixup" not in context.treated:
        return []
    loss = METRICS["log_loss"]
    twins = context.treated["mixup"].predictions
    rows = [
        np.stack([loss.gains(y, m) - loss.gains(y, s) for m, s in zip(twin, scaled, strict=False)])
        for y, twin, scaled in zip(
            _targets(context), twins, scaled_probabilities(context), strict=True
        )
    ]
    gain = over_splits(rows, context.n_train)
    low, high = gain.interval()
    what = "lower than" if low > 0 else "higher than" if high < 0 else "no different from"
    return [
        f"The log loss of the Mixup-trained twin is {what} that of the net scaled by one "
        f"temperature: {-gain.value:+.3f} nats ({-high:+.3f} to {-low:+.3f})."
    ]
