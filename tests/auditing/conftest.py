"""Contexts whose plans are small enough for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from overparam.auditing.budget import Ledger
from overparam.auditing.context import Context
from overparam.auditing.metric import choose_metric
from overparam.auditing.net_cells import SplitKey, fit_and_held
from overparam.auditing.plan import Options, Plan
from overparam.auditing.recipes import Recipe, perceptron_width
from overparam.data.dataset import Dataset
from overparam.data.loading import load
from overparam.evidence.cells import settings

MakeContext = Callable[..., Context]


def small_plan(dataset: Dataset, *, metric: str, **changes: Any) -> Plan:
    """A plan whose nets train in fractions of a second."""
    n_outputs = len(dataset.classes) or 1
    repeats = changes.pop("repeats", 1)
    split = SplitKey(0, 0, repeats).of(dataset)
    rows = len(fit_and_held(dataset, split.train.rows, 0)[0])
    d = split.preprocessor.n_flat
    net = {"net": "perceptron", "width": 32, "rows": rows, "epochs": 25, "batch_size": 32}
    sweep = {"width": 0, "epochs": 60, "weight_decay": 0.0}
    recipe = Recipe(**{**net, **changes.pop("net", {})})
    return Plan(
        options=Options(target=dataset.target, metric=metric),
        fingerprint=dataset.fingerprint,
        seed=0,
        jobs=1,
        budget=1e6,
        metric=metric,
        own=None,
        **{
            "repeats": repeats,
            "replicas": 4,
            "treatment_seeds": 2,
            "baseline": recipe,
            "sweep": Recipe(**{**net, **sweep}),
            "sweep_rows": rows,
            "widths": tuple(perceptron_width(r * rows * n_outputs, d, n_outputs) for r in (0.5, 8)),
            "baseline_seconds": 2.0,
            "reserve_seconds": 1e5,
            "seconds": {"one_net": 0.1, "width_sweep": 1.0, "a_thousand_predictions": 0.01},
            **changes,
        },
    )


@pytest.fixture
def make_context(tmp_path: Path) -> Iterator[MakeContext]:
    """A function from (X, y) or a Dataset to a Context whose cells run in this process."""

    def make(X: Any, y: Any = None, *, metric: str | None = None, **changes: Any) -> Context:
        dataset = X if isinstance(X, Dataset) else load(X, y)
        chosen = choose_metric(dataset, metric)
        plan = small_plan(dataset, metric=chosen.name, **changes)
        return Context(dataset, plan, chosen, Ledger(plan.budget))

    with settings(store=tmp_path / "cells", backend="sequential", progress=False):
        yield make
