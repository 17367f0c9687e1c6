"""The recommendation: chosen on validation rows, then measured once on the test rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.comparison import crossed
from overparam.auditing.context import Context
from overparam.auditing.final_cells import kept_baseline_on_test
from overparam.auditing.final_fits import Parts, fit_baseline_on, fit_nets_on, with_rows
from overparam.auditing.label_quality import OutOfFold
from overparam.auditing.measurements import out_of_fold_predictions
from overparam.auditing.metric import also
from overparam.evidence.cells import call
from overparam.evidence.intervals import bootstrap_interval


def validation_score(context: Context, candidate: Candidate) -> float:
    """Mean validation gain over splits and seeds; greater is better."""
    return float(np.mean([scores.mean() for scores in context.scores(candidate.predictions)]))


def best(context: Context, candidates: Sequence[Candidate]) -> Candidate:
    """The candidate with the best mean validation score; of equal ones the first.

    Candidates come from simple to costly. Measured seconds decide nothing: they differ from run to
    run.
    """
    return max(candidates, key=lambda c: round(validation_score(context, c), 6))


def fitted_on_training(context: Context, candidate: Candidate) -> tuple[np.ndarray, Parts]:
    """Predictions (n_test, k) of a candidate fitted on the first split's training rows.

    Baselines, and nets that kept their weights, are not trained again.
    """
    split = context.splits[0]
    predictions = []
    build, nets, baseline = candidate.build, dict(candidate.nets), None
    if build.recipe is not None:
        if not nets:
            build = with_rows(context, build, len(split.train))
            nets = fit_nets_on(
                context,
                build,
                split.train.rows,
                split.test.rows,
                stage="reserve",
                label="recommended model",
                found=_suspicious(context, build, split.train.rows, "training part 0"),
            )
            predictions.append(context.probabilities(nets.pop("logits")).mean(axis=0))
        else:
            assert candidate.nets_on_test is not None
            predictions.append(candidate.nets_on_test)
    if build.baseline is not None:
        baseline = context.baselines[build.baseline].baseline
        assert baseline is not None
        found = call(
            kept_baseline_on_test,
            dataset=context.dataset,
            split=context.split_keys[0].as_dict(),
            model=np.frombuffer(baseline, dtype=np.uint8),
        )
        predictions.append(found.value["p"])
    return np.mean(predictions, axis=0), Parts(build, nets, baseline, split.train.rows)


def refitted(context: Context, build: Build) -> Parts:
    """A build fitted on all labelled rows."""
    everything = np.arange(context.dataset.n)
    nets: dict[str, Any] = {}
    baseline = None
    if build.recipe is not None:
        build = with_rows(context, build, len(everything))
        nets = fit_nets_on(
            context,
            build,
            everything,
            everything[:1],
            stage="reserve",
            label="refit on all rows",
            found=_suspicious(context, build, everything, "all rows"),
        )
    if build.baseline is not None:
        baseline = fit_baseline_on(context, build.baseline, everything, label="refit on all rows")
    return Parts(build, nets, baseline, everything)


def _suspicious(context: Context, build: Build, rows: np.ndarray, name: str) -> OutOfFold | None:
    """Out-of-fold predictions of `rows`, where the build weighs suspects down."""
    if not build.downweight:
        return None
    stage = "nets" if name == "training part 0" else "reserve"
    return out_of_fold_predictions(context, rows, stage=stage, name=name)


def measure(
    context: Context, chosen: Candidate, reference: Candidate
) -> tuple[dict[str, Any], Parts]:
    """Score the recommended model and the best baseline on the test rows, once each.

    Returns the report's `recommendation` and the fitted parts of the recommended model.
    """
    test = context.splits[0].test
    p, parts = fitted_on_training(context, chosen)
    base = p if reference.name == chosen.name else fitted_on_training(context, reference)[0]
    metric, y = context.metric, test.y
    sign = metric.sign
    gains, base_gains = metric.gains(y, p), metric.gains(y, base)
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
        "test": metric(y, p),
        "interval": ends(gains),
        "best_baseline": reference.name,
        "best_baseline_title": reference.title,
        "best_baseline_test": metric(y, base),
        "best_baseline_interval": ends(base_gains),
        "difference": difference.value,
        "difference_interval": list(difference.interval()),
        "also": also(metric, y, p),
        "test_rows": len(y),
    }
    return entry, parts
