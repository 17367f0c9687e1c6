"""What is known of the data before any model: sizes, classes, copies, leakage."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.auditing.net_cells import SCORED_TEST, SCORED_VALIDATION
from overparam.auditing.plan import Plan
from overparam.data.dataset import Dataset
from overparam.data.leakage import duplicates, leakage

IMBALANCE = 10.0  # rows of the largest class for one of the smallest, beyond which balance matters


def describe(dataset: Dataset, plan: Plan) -> dict[str, Any]:
    """The `data` entry of the report; see docs/report-json.md."""
    split = dataset.split(plan.seed)
    counts: list[int] = []
    if dataset.classes:
        counts = np.bincount(dataset.y, minlength=len(dataset.classes)).tolist()
    outputs = len(dataset.classes) or 1
    fitted = plan.baseline.rows
    whole = {part: len(getattr(split, part)) for part in ("train", "validation", "test")}
    scored = {"validation": SCORED_VALIDATION, "test": SCORED_TEST}
    return {
        "name": dataset.name,
        "source": dataset.source,
        "kind": dataset.kind,
        "task": dataset.task,
        "target": dataset.target,
        "rows": dataset.n_input_rows,
        "labelled": dataset.n,
        "unlabelled": len(dataset.unlabelled_row),
        "columns": dataset.n_columns,
        "shape": list(dataset.shape),
        "classes": [
            {"name": name, "rows": count}
            for name, count in zip(dataset.classes, counts, strict=True)
        ],
        "split": whole,
        "dropped": [
            {"kind": d.kind, "name": d.name, "count": d.count, "reason": d.reason}
            for d in dataset.dropped
        ],
        "leakage": [
            {**sign, "text": sign["sentence"]} for sign in leakage(dataset, seed=plan.seed)
        ],
        "duplicates": duplicates(dataset),
        "roles": dict(dataset.roles),
        "routing": split.preprocessor.routing,
        "notes": [
            *dataset.notes,
            *_imbalance(counts),
            *plan.choices,
            *(
                f"{most:,} of {whole[part]:,} {part} rows are scored"
                for part, most in scored.items()
                if whole[part] > most
            ),
        ],
        "overparameterisation": {
            "parameters": plan.baseline_parameters,
            "rows": fitted,
            "parameters_a_row_and_output": plan.baseline_parameters / (fitted * outputs),
        },
    }


def _imbalance(counts: list[int]) -> list[str]:
    if not counts or max(counts) < IMBALANCE * min(counts):
        return []
    return [
        f"the largest class has {max(counts) / min(counts):.0f} times the rows of the smallest: "
        "--metric balanced_accuracy counts every class the same"
    ]
