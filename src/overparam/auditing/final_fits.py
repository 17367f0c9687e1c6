"""Fitting a candidate for use: its parts as plain arrays, on any rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.auditing.candidates import Build
from overparam.auditing.context import Context
from overparam.auditing.final_cells import fit_final_baseline, fit_final_nets
from overparam.auditing.label_quality import OutOfFold, suspects
from overparam.auditing.measurements import cost_of_one, own_argument
from overparam.auditing.suspect_weighting import suspect_weights

MEMBERS_A_CELL = 4


@dataclass(frozen=True)
class Parts:
    """The fitted parts of a model, as plain arrays and values.

    Attributes
    ----------
    nets : mapping
        Stacked state and figures of `fit_final_nets`; empty without nets.
    baseline : bytes or None
        A fitted baseline in the skops format.
    rows : ndarray
        Rows it was fitted on; its preprocessor has learnt from them.
    """

    build: Build
    nets: Mapping[str, Any]
    baseline: bytes | None
    rows: np.ndarray


def fit_nets_on(
    context: Context,
    build: Build,
    rows: np.ndarray,
    predict_rows: np.ndarray,
    *,
    stage: str,
    label: str,
    found: OutOfFold | None = None,
    members_a_cell: int = MEMBERS_A_CELL,
) -> dict[str, Any]:
    """Train the nets of `build` on `rows`; all members of `fit_final_nets` as one stack.

    `found` are out-of-fold predictions of `rows`, where suspects are to weigh less.
    """
    assert build.recipe is not None
    cell: dict[str, Any] = {
        "dataset": context.dataset,
        "rows": rows,
        "predict_rows": predict_rows,
        "recipe": build.recipe.as_dict(),
        "temperature": build.temperature,
        "seed": context.plan.seed,
        **own_argument(context, build.recipe),
    }
    if build.downweight and found is not None:
        suspected = suspects(context.dataset, found)
        cell["row_weights"] = suspect_weights(context.dataset.n, found.rows, suspected)
    firsts = range(0, build.members, members_a_cell)
    seeds = [list(range(i, min(i + members_a_cell, build.members))) for i in firsts]
    cells = [{**cell, "seeds": some} for some in seeds]
    return joined(context.cells(stage, fit_final_nets, cells, label=label))


def joined(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Members of several cells as one stack."""
    stacked = ("logits", "temperatures")
    return {
        name: np.concatenate([r[name] for r in results])
        if name in stacked or name.startswith("state/")
        else results[0][name]
        for name in results[0]
    }


def fit_baseline_on(context: Context, name: str, rows: np.ndarray, *, label: str) -> bytes:
    """Fit and tune a baseline on `rows`; the model in the skops format."""
    cell = {
        "dataset": context.dataset,
        "rows": rows,
        "name": name,
        "seconds": context.plan.baseline_seconds[name],
        "seed": context.plan.seed,
    }
    [result] = context.cells("reserve", fit_final_baseline, [cell], label=label)
    return result["model"].tobytes()


def expected_seconds(context: Context, build: Build, n: int) -> float:
    """Wall-clock seconds that fitting `build` on n rows is expected to take."""
    seconds = 0.0
    if build.recipe is not None:
        recipe = build.recipe.but(rows=min(build.recipe.rows, n))
        rounds = math.ceil(build.members / context.plan.jobs)
        seconds += rounds * cost_of_one(context, recipe)
    if build.baseline is not None:  # one fit, one process
        seconds += context.baselines[build.baseline].seconds * n / context.n_train
    return seconds


def with_rows(context: Context, build: Build, available: int) -> Build:
    """The build with as many rows as half of the reserve can train, never fewer than it had."""
    if build.recipe is None:
        return build
    one = cost_of_one(context, build.recipe.but(rows=available)) * build.members
    seconds = context.plan.reserve_seconds / 2 * context.plan.jobs
    rows = int(min(available, available * seconds / one))
    return build.with_rows(max(min(build.recipe.rows, available), rows))
