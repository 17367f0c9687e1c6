"""A plan whose nets train in fractions of a second, and whole audits that follow it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overparam.auditing.baselines import NAMES
from overparam.auditing.metric import choose_metric
from overparam.auditing.net_cells import SplitKey, fit_and_held
from overparam.auditing.options import Options
from overparam.auditing.outcome import Audit
from overparam.auditing.plan import Plan, write_plan
from overparam.auditing.recipes import Recipe, perceptron_width
from overparam.auditing.running import audit
from overparam.data.dataset import Dataset
from overparam.data.loading import load


def small_plan(
    dataset: Dataset, *, metric: str, options: Options | None = None, **changes: Any
) -> Plan:
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
        options=options or Options(target=dataset.target),
        fingerprint=dataset.fingerprint,
        seed=0,
        budget=1e6,
        metric=metric,
        **{
            "jobs": 1,
            "repeats": repeats,
            "replicas": 4,
            "treatment_seeds": 2,
            "baseline": recipe,
            "own": None,
            "sweep": Recipe(**{**net, **sweep}),
            "sweep_rows": rows,
            "widths": tuple(perceptron_width(r * rows * n_outputs, d, n_outputs) for r in (0.5, 8)),
            "forecast_rows": min(rows, 200),
            "baseline_seconds": dict.fromkeys(NAMES[dataset.task], 1.0),
            "reserve_seconds": 1e5,
            "seconds": {
                "one_net": 0.1,
                "width_sweep": 1.0,
                "forecast": 1.0,
                "a_thousand_predictions": 0.01,
            },
            **changes,
        },
    )


def plan_ahead(folder: Path, dataset: Dataset, options: Options, **changes: Any) -> Plan:
    """Write the small plan where an audit of these options will find and follow it."""
    folder.mkdir(parents=True, exist_ok=True)
    metric = choose_metric(dataset, options.metric).name
    plan = small_plan(dataset, metric=metric, options=options, **changes)
    write_plan(plan, folder / "plan.json")
    return plan


def audited(folder: Path, source: Any, target: Any = None, **changes: Any) -> Audit:
    """A whole audit in this process by the small plan; `changes` are options or the plan's."""
    given = {n: changes.pop(n) for n in Options.__dataclass_fields__ if n in changes}
    loading = {n: given[n] for n in ("task", "group", "time", "test", "rare") if n in given}
    dataset = load(source, target, **loading)
    options = Options(**{"target": dataset.target, **given})
    plan_ahead(folder, dataset, options, **changes)
    return audit(
        source,
        target,
        out=folder,
        backend="sequential",
        jobs=1,
        progress=False,
        **given,
    )
