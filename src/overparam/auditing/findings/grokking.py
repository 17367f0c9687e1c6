"""Do nets that have fit their labels go on to generalise, or do they start to memorise noise?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor, nn

from overparam.auditing.answers import Answer, NotApplicable
from overparam.auditing.comparison import crossed
from overparam.auditing.context import Context
from overparam.auditing.cost import STEP_OVERHEAD
from overparam.auditing.measurements import cost_of_one, own_argument
from overparam.auditing.net_cells import SplitKey, at_most, fitted_rows
from overparam.auditing.reading import statistic
from overparam.auditing.recipes import features, from_dict, module_factory, rate_factors
from overparam.auditing.registry import finding
from overparam.data.dataset import Dataset
from overparam.diagnostics.late_generalisation import Grokking, grokking_watch
from overparam.diagnostics.recording import EnsembleRecorder
from overparam.diagnostics.run_measures import Pass, Readings
from overparam.evidence.intervals import Statistic
from overparam.evidence.regions import more_than
from overparam.evidence.seed_tables import seed_means
from overparam.evidence.verdict import Evidence, Verdict
from overparam.report import figures
from overparam.training.ensemble import Ensemble
from overparam.training.run_history import LogSpaced

GAIN = 0.05
LONGER = 2.0  # times the fit: less training after it tells nothing of what comes late
SEEDS = 3
SECONDS = 5.0  # of one thread
TRAINING = 0.75  # of them; passing rows forward for the curves takes the rest
MOST_STEPS = 8000
MOST_ROWS = 1500
FEWEST_ROWS = 30
SCORED = 1000
BATCH = 16  # small batches: what counts is the number of updates within these seconds
PASSES = 150  # over the rows: most nets fit their labels in a third of them
PER_DECADE = 8


@finding(
    "OP011",
    "still-memorising",
    title="Does it generalise late?",
    paper="xor-grokking",
    order=7,
    thresholds={
        "gain": (GAIN, "of accuracy: less would also come from another learning rate or seed"),
    },
)
def still_memorising(context: Context) -> Answer:
    """Whether nets that have fit their training labels generalise much better if trained on.

    How: three nets of the baseline's recipe, at a constant learning rate and on some hundred rows,
    are trained for several times as long as they need to fit their labels (a training accuracy of
    99 %). The statistic is what their validation accuracy gains from the fit to the end; its
    interval counts the seeds and the validation rows.

    Why: a net that has fit every label may only have memorised it. On data of many noisy columns
    nets can stand at chance then, and learn what generalises much later. Whoever stops at the fit
    throws that away. The reverse is as common: nets that generalise first and then memorise wrong
    labels.

    What to do: train on where accuracy still rises. Where it was better before the fit, stop early
    or hold the net back by weight decay; this is a tip, since the early-stopping treatment measures
    what it is worth.
    """
    if not context.classification:
        raise NotApplicable("fitting every label is a matter of classes, not of numbers.")
    key = context.split_keys[0]
    plan = _plan(context, len(fitted_rows(context.dataset, key, MOST_ROWS)))
    cell = {
        "dataset": context.dataset,
        "split": key.as_dict(),
        "recipe": context.recipe.as_dict(),
        "seeds": list(range(SEEDS)),
        **plan,
    }
    cell |= own_argument(context, context.recipe)
    [found] = context.cells("nets", late_curves, [cell], label="late training", estimate=SECONDS)
    late = _late(found)
    evidence = Evidence(
        _table(found),
        late.statistic,
        more_than(GAIN),
        _figure(found, late.watch),
    )
    headline, action = _words(late, evidence.verdict)
    harmed = evidence.verdict is not Verdict.HOLDS and late.watch.verdict == "late harm"
    return Answer(
        evidence,
        headline,
        action,
        details=[
            f"{SEEDS} nets on {int(found['rows']):,} rows, {late.steps:,} updates of "
            f"{int(found['batch_size'])} rows: {late.steps / max(late.fit, 1):.1f} times as long "
            "as the fit took. Validation accuracy at the fit "
            f"{late.at_fit:.3f}, at the end {late.at_end:.3f}, at its best {late.best:.3f} "
            f"(step {late.best_step:,}).",
            "The learning rate is constant, so that every step counts alike; with the recipe's "
            "own schedule the last steps do better.",
        ],
        caption="Accuracy on the training labels and on validation rows over training.",
        outcome="tip" if harmed else None,
        extra={"fit_step": late.fit, "best_step": late.best_step},
    )


def late_curves(
    dataset: Dataset,
    split: Mapping[str, int],
    recipe: Mapping[str, Any],
    seeds: Sequence[int],
    rows: int,
    steps: int,
    batch_size: int,
    own: Any = None,
) -> dict[str, Any]:
    """Cell: accuracies of nets that are trained on and on, at log-spaced steps.

    Returns
    -------
    dict
        `steps` (T,); `train` (S, T) accuracies; `right` (S, T, n), which validation rows are
        right; `rows`, `batch_size`.
    """
    made, key = from_dict(recipe), SplitKey(**split)
    parts = key.of(dataset)
    view = dataset.view(fitted_rows(dataset, key, rows), parts.train.rows)
    validation = at_most(parts.validation, SCORED, key.seed)
    X, held = features(made, view), features(made, validation)
    n_features, n_outputs = int(np.prod(X.shape[1:])), len(dataset.classes)
    factory = module_factory(made, view.preprocessor, X, own)
    ensemble = Ensemble(factory, seeds, n_features, n_outputs)
    right = _Right()
    recorder = EnsembleRecorder(
        ensemble,
        {"train": (X, view.y), "validation": (held, validation.y)},
        measures=[right],
        at=LogSpaced(PER_DECADE, last=steps),
        clock="step",
    )
    ensemble.fit(
        X,
        view.y,
        optimizer="adamw",
        learning_rate=made.learning_rate,
        weight_decay=made.weight_decay,
        label_smoothing=made.label_smoothing,
        rate_factors=rate_factors(made, view.preprocessor, n_features, n_outputs),
        batch_size=batch_size,
        steps=steps,
        callbacks=[recorder],
    )
    train, kept = (recorder.history.curve("place", part) for part in ("train", "validation"))
    return {
        "steps": train.steps,
        "train": right.at(train.values).mean(axis=-1),
        "right": right.at(kept.values),
        "rows": len(view),
        "batch_size": batch_size,
    }


class _Right:
    """A measure that keeps which rows are right; the history knows the place of each reading."""

    def __init__(self) -> None:
        self.kept: list[np.ndarray] = []

    @contextmanager
    def start(self, module: nn.Module) -> Iterator[Pass]:
        yield _RightPass(self.kept)

    def at(self, places: np.ndarray) -> np.ndarray:
        """Readings (..., n) at places (...)."""
        rows = np.stack([self.kept[int(place)] for place in places.ravel()])
        return rows.reshape(*places.shape, -1)


class _RightPass:
    def __init__(self, kept: list[np.ndarray]) -> None:
        self._kept, self._blocks = kept, list[np.ndarray]()

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        self._blocks.append((outputs.argmax(dim=1) == targets).numpy())

    def finish(self) -> Readings:
        self._kept.append(np.concatenate(self._blocks))
        return {"": {"place": len(self._kept) - 1}}


@dataclass(frozen=True)
class _Late:
    """What the curves say: the gain after the fit, and the watch on the nets' mean."""

    statistic: Statistic
    watch: Grokking
    fit: int
    steps: int
    at_fit: float
    at_end: float
    best: float
    best_step: int


def _plan(context: Context, available: int) -> dict[str, int]:
    """Rows, updates and batch size that take about `SECONDS` for all nets; shapes decide."""
    if available < FEWEST_ROWS:
        raise NotApplicable("there are too few training rows to tell memorising from learning.")
    recipe = context.recipe
    a_row = cost_of_one(context, recipe) / (recipe.rows * recipe.epochs)
    batch = min(recipe.batch_size, BATCH)
    steps = min(int(TRAINING * SECONDS / (SEEDS * batch * a_row + STEP_OVERHEAD)), MOST_STEPS)
    rows = int(np.clip(steps * batch / PASSES, FEWEST_ROWS, min(available, MOST_ROWS)))
    return {"rows": rows, "steps": max(steps, 1), "batch_size": batch}


def _late(found: Mapping[str, Any]) -> _Late:
    steps, right = found["steps"], found["right"].astype(float)
    train, held = found["train"].mean(axis=0), right.mean(axis=(0, 2))
    watch = grokking_watch(train, held, steps, n_test=right.shape[-1])
    last = int(steps[-1])
    if watch.fit_step is None:
        raise NotApplicable(
            f"the nets do not fit their labels within {last:,} updates (training accuracy "
            f"{train[-1]:.3f}): the question is about what comes after the fit."
        )
    if last < LONGER * watch.fit_step and watch.verdict != "late harm":
        raise NotApplicable(
            f"the nets fit their labels at update {watch.fit_step:,} of {last:,} only: what comes "
            "late would need a longer run."
        )
    fit, best = int(np.searchsorted(steps, watch.fit_step)), int(held.argmax())
    gain = crossed(right[:, -1] - right[:, fit])
    return _Late(
        statistic=statistic(gain, "validation accuracy gained after the fit", len(right)),
        watch=watch,
        fit=watch.fit_step,
        steps=last,
        at_fit=float(held[fit]),
        at_end=float(held[-1]),
        best=float(held[best]),
        best_step=int(steps[best]),
    )


def _table(found: Mapping[str, Any]) -> pl.DataFrame:
    rows = []
    curves = {"training labels": found["train"], "validation rows": found["right"].mean(axis=-1)}
    for title, part in curves.items():
        for seed, curve in enumerate(part):
            for step, value in zip(found["steps"], curve, strict=True):
                rows.append(
                    {"part": title, "seed": seed, "step": int(step), "accuracy": float(value)}
                )
    return pl.DataFrame(rows)


def _figure(found: Mapping[str, Any], watch: Grokking) -> dict[str, Any]:
    rules: list[tuple[float, str]] = [(float(max(watch.fit_step or 1, 1)), "labels fit")]
    if watch.verdict == "late harm":
        rules.append((float(max(watch.best_step, 1)), "best"))
    means = seed_means(_table(found).filter(pl.col("step") > 0), "accuracy", ["part", "step"])
    return figures.curve(
        means.with_columns(pl.col("low").clip(0, 1), pl.col("high").clip(0, 1)),
        "step",
        "accuracy",
        color="part",
        low="low",
        high="high",
        log_x=True,
        rules=rules,
        x_title="updates (log)",
        y_title="accuracy",
    )


def _words(late: _Late, verdict: Verdict) -> tuple[str, str]:
    gain = f"{100 * late.statistic.value:.1f} points"
    if verdict is Verdict.HOLDS:
        return (
            f"Still at memorisation: validation accuracy has been rising since the fit, from "
            f"{late.at_fit:.3f} at update {late.fit:,} to {late.at_end:.3f} at {late.steps:,}.",
            f"Train on: at least {late.steps / max(late.fit, 1):.0f} times as long as the fit of "
            "the training labels takes.",
        )
    if late.watch.verdict == "late harm":
        best = late.at_end + late.watch.drop
        return (
            f"Late harm: generalised first, now memorises noise, stop at step "
            f"{late.watch.best_step:,}: validation accuracy {best:.3f} there, {late.at_end:.3f} at "
            "the end.",
            "Stop early on held-out rows, or raise the weight decay.",
        )
    if verdict is Verdict.INCONCLUSIVE:
        return (
            f"Whether it generalises late is not clear: validation accuracy has changed by {gain} "
            "since the fit, and the interval covers both answers.",
            "Train one net several times longer and watch the validation accuracy.",
        )
    return (
        f"No late generalisation seen: after the fit of the training labels validation accuracy "
        f"changes by {gain}.",
        "There is no need to train past the fit.",
    )
