"""The recommendation: chosen on validation rows, then measured once on the test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.comparison import crossed
from overparam.auditing.context import Context
from overparam.auditing.final_cells import fit_final_baseline, fit_final_nets
from overparam.auditing.label_quality import OutOfFold, suspects
from overparam.auditing.measurements import (
    cost_of_one,
    out_of_fold_predictions,
    own_argument,
)
from overparam.auditing.metric import also
from overparam.auditing.treatments.down_weighting import suspect_weights
from overparam.evidence.intervals import bootstrap_interval

MEMBERS_A_CELL = 4
TREES_SHARE = 0.5  # of what is left of the budget, for one fit of boosted trees


@dataclass(frozen=True)
class Parts:
    """The fitted parts of a recommended model, as plain arrays and values.

    Attributes
    ----------
    nets : dict
        Stacked state and figures of `fit_final_nets`, empty without nets.
    baseline : bytes or None
        A fitted baseline in the skops format.
    predictions : ndarray (n, k)
        Of the rows that it was asked to predict.
    rows : ndarray
        Rows it was fitted on; its preprocessor has learnt from them.
    """

    build: Build
    nets: Mapping[str, Any]
    baseline: bytes | None
    predictions: np.ndarray
    rows: np.ndarray


def validation_score(context: Context, candidate: Candidate) -> float:
    """Mean validation gain over splits and seeds; greater is better."""
    return float(np.mean([scores.mean() for scores in context.scores(candidate.predictions)]))


def best(context: Context, candidates: Sequence[Candidate]) -> Candidate:
    """The candidate with the best mean validation score; of equal ones the first.

    Candidates come from simple to costly. Measured seconds decide nothing: they differ from run to
    run.
    """
    return max(candidates, key=lambda c: round(validation_score(context, c), 6))


def fit_parts(
    context: Context,
    build: Build,
    rows: np.ndarray,
    predict_rows: np.ndarray,
    *,
    label: str,
    found: OutOfFold | None = None,
) -> Parts:
    """Fit what `build` says on `rows`, paid by the reserve."""
    nets: dict[str, Any] = {}
    predictions = []
    baseline = None
    if build.recipe is not None:
        recipe = build.recipe.but(rows=final_rows(context, build, len(rows)))
        weights = None
        if build.downweight and found is not None:
            suspected = suspects(context.dataset, found)
            weights = suspect_weights(context.dataset.n, found.rows, suspected)
        cells = [
            {
                "dataset": context.dataset,
                "rows": rows,
                "predict_rows": predict_rows,
                "recipe": recipe.as_dict(),
                "seeds": list(range(first, min(first + MEMBERS_A_CELL, build.members))),
                "temperature": build.temperature,
                "seed": context.plan.seed,
                **({} if weights is None else {"row_weights": weights}),
                **own_argument(context, recipe),
            }
            for first in range(0, build.members, MEMBERS_A_CELL)
        ]
        results = context.cells("reserve", fit_final_nets, cells, label=label)
        nets = joined(results)
        predictions.append(context.probabilities(nets["logits"]).mean(axis=0))
    if build.baseline is not None:
        cell = {
            "dataset": context.dataset,
            "rows": rows,
            "predict_rows": predict_rows,
            "name": build.baseline,
            "seconds": context.plan.baseline_seconds * TREES_SHARE,
            "seed": context.plan.seed,
        }
        [result] = context.cells("reserve", fit_final_baseline, [cell], label=label)
        baseline = result["model"].tobytes()
        predictions.append(result["predictions"])
    return Parts(build, nets, baseline, np.mean(predictions, axis=0), rows)


def joined(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Members of several cells as one stack."""
    stacked = ("logits", "temperatures")
    return {
        name: np.concatenate([r[name] for r in results])
        if name in stacked or name.startswith("state/")
        else results[0][name]
        for name in results[0]
    }


def final_rows(context: Context, build: Build, available: int) -> int:
    """Rows of the final fit: all, or as many as half of the reserve can train."""
    assert build.recipe is not None
    one = cost_of_one(context, build.recipe.but(rows=available)) * build.members
    seconds = context.plan.reserve_seconds / 2 * context.plan.jobs
    fewest = min(build.recipe.rows, available)
    return int(max(fewest, min(available, available * seconds / one)))


def measure(
    context: Context, chosen: Candidate, reference: Candidate
) -> tuple[dict[str, Any], Parts]:
    """Score the recommended model and the best baseline on the test rows, once each.

    Returns the report's `recommendation` and the fitted parts of the recommended model.
    """
    split = context.splits[0]
    found = None
    if chosen.build.downweight:
        found = out_of_fold_predictions(
            context, split.train.rows, stage="nets", name="training part 0"
        )
    rows, test = split.train.rows, split.test
    parts = fit_parts(
        context, chosen.build, rows, test.rows, label="recommended model", found=found
    )
    base = parts
    if reference.name != chosen.name:
        base = fit_parts(context, reference.build, rows, test.rows, label="best baseline")
    metric, y = context.metric, test.y
    sign = 1 if metric.greater_is_better else -1
    gains = metric.gains(y, parts.predictions)
    base_gains = metric.gains(y, base.predictions)
    difference = crossed(gains - base_gains)

    def ends(scores: np.ndarray) -> list[float]:
        found = bootstrap_interval(scores, seed=context.plan.seed)
        return sorted((sign * found.low, sign * found.high))

    entry = {
        "name": chosen.name,
        "title": chosen.title,
        "setting": chosen.setting,
        "metric": metric.name,
        "validation": sign * validation_score(context, chosen),
        "test": metric(y, parts.predictions),
        "interval": ends(gains),
        "best_baseline": reference.name,
        "best_baseline_title": reference.title,
        "best_baseline_test": metric(y, base.predictions),
        "best_baseline_interval": ends(base_gains),
        "difference": difference.value,
        "difference_interval": list(difference.interval()),
        "also": also(metric, y, parts.predictions),
        "test_rows": len(y),
    }
    return entry, parts
