"""The plan: every automatic choice of an audit, made before it starts and written to plan.json.

It depends on the data's shape, the options and the budget, never on the load of the machine, so
that an interrupted audit goes on with the same plan and two runs of one plan give one report.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from overparam.auditing.budget import SHARES
from overparam.auditing.options import Options
from overparam.auditing.recipes import Recipe, from_dict
from overparam.data.dataset import Dataset
from overparam.evidence.atomic_write import write_whole
from overparam.evidence.errors import UserError
from overparam.version import __version__

FORMAT = 1
FOLDS = 5
DECAYS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)  # of the training rows, for the learning curve


@dataclass(frozen=True)
class Plan:
    """The automatic choices.

    Attributes
    ----------
    jobs : int
        Processes that the plan counts on; what cells take is charged divided by it.
    repeats : int
        Train/validation splits on which candidates are compared (one fixed test part).
    replicas, treatment_seeds, sweep_seeds, curve_seeds, fold_seeds : int
        Seeds of the baseline net (also the size of the ensemble), of each treatment, of each value
        of a sweep, of each size of the learning curve, and of each fold.
    baseline : Recipe
        The net that findings examine and treatments start from.
    sweep_rows : int
        Training rows of the width sweep.
    widths : tuple of int
        Hidden widths of the sweep's perceptrons.
    forecast_rows : int
        Training rows of the kernel that forecasts the error of more rows.
    seconds : dict
        Expected seconds of one thread, by part.
    """

    options: Options
    fingerprint: str
    seed: int
    jobs: int
    budget: float
    metric: str
    repeats: int
    replicas: int
    treatment_seeds: int
    baseline: Recipe
    own: Recipe | None
    sweep: Recipe
    sweep_rows: int
    widths: tuple[int, ...]
    forecast_rows: int
    sweep_seeds: int = 3
    curve_seeds: int = 4
    fold_seeds: int = 2
    decays: tuple[float, ...] = DECAYS
    fractions: tuple[float, ...] = FRACTIONS
    baseline_parameters: int = 0
    baseline_seconds: dict[str, float] = field(default_factory=dict)
    reserve_seconds: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    choices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data; what plan.json holds."""
        return {
            "format": FORMAT,
            "version": __version__,
            "threads_per_process": 1,
            "shares": SHARES,
            **asdict(self),
        }


def write_plan(plan: Plan, path: Path) -> None:
    """Write plan.json in one step, so that a killed audit never leaves half of it."""
    write_whole(path, json.dumps(plan.to_json(), indent=1) + "\n")


def read_plan(path: Path) -> Plan | None:
    """The plan of an earlier run, or None where there is none that this version can follow."""
    try:
        raw = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if raw.get("format") != FORMAT or raw.get("version") != __version__:
        return None
    if not set(raw) >= set(Plan.__dataclass_fields__):
        return None
    known = {name: raw[name] for name in Plan.__dataclass_fields__}
    options = raw["options"]
    for name in ("only", "ignore", "drop"):
        options[name] = tuple(options[name])
    known["options"] = Options(**options)
    for name in ("baseline", "sweep", "own"):
        known[name] = from_dict(known[name]) if known[name] else None
    for name in ("widths", "decays", "fractions", "choices"):
        known[name] = tuple(known[name])
    return Plan(**known)


def check_same(plan: Plan, dataset: Dataset, options: Options, where: str) -> None:
    """Refuse to mix two audits in one folder; the text names what differs."""
    if plan.fingerprint != dataset.fingerprint:
        raise UserError(
            f"out must not hold the audit of other data; {where} does. Choose another --out, or "
            "--fresh to start over."
        )
    differing = [
        f"{name} was {getattr(plan.options, name)!r}, now {getattr(options, name)!r}"
        for name in Options.__dataclass_fields__
        if getattr(plan.options, name) != getattr(options, name)
    ]
    if differing:
        raise UserError(
            f"out must not hold an audit with other options; in {where} {_listed(differing)}. "
            "Choose another --out, or --fresh to start over."
        )


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
