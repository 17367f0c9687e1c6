"""What findings and treatments see: the data, the plan, the budget, and a way to run cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from scipy.special import softmax

from overparam.auditing.answers import NotAffordable
from overparam.auditing.budget import Ledger, makespan
from overparam.auditing.candidates import Candidate
from overparam.auditing.charges import Charges
from overparam.auditing.metric import Metric
from overparam.auditing.net_cells import SplitKey
from overparam.auditing.plan import Plan
from overparam.auditing.recipes import ModuleFactory, Recipe
from overparam.data.dataset import Dataset, Split
from overparam.evidence.cells import CellFailure, CellResult, call_many


class StageFailed(RuntimeError):  # noqa: N818  it tells what happened to the cells
    """Cells of a stage ended in an exception; the text names the first."""


@dataclass
class Context:
    """One running audit.

    Attributes
    ----------
    charges : Charges
        What the rounds of cells cost, kept for a second run.
    own : callable or None
        The user's own module factory, where it is not importable by name.
    memory : dict
        Measurements already taken in this process, by name (see `measurements`).
    failures : int
        Cells that ended in an exception.
    baselines, treated : dict
        Baselines fitted and treatments tried so far, by name.
    """

    dataset: Dataset
    plan: Plan
    metric: Metric
    ledger: Ledger
    charges: Charges = field(default_factory=Charges)
    own: ModuleFactory | None = None
    say: Callable[[str], None] = lambda text: None
    memory: dict[str, Any] = field(default_factory=dict)
    failures: int = 0
    baselines: dict[str, Candidate] = field(default_factory=dict)
    treated: dict[str, Candidate] = field(default_factory=dict)

    @property
    def classification(self) -> bool:
        """Whether the target is a class."""
        return self.dataset.task == "classification"

    @property
    def recipe(self) -> Recipe:
        """The baseline net."""
        return self.plan.baseline

    @cached_property
    def split_keys(self) -> list[SplitKey]:
        """The splits on which candidates are compared: one, or several for few rows."""
        return [SplitKey(self.plan.seed, i, self.plan.repeats) for i in range(self.plan.repeats)]

    @cached_property
    def splits(self) -> list[Split]:
        """The splits themselves."""
        return [key.of(self.dataset) for key in self.split_keys]

    def cells(
        self,
        stage: str,
        function: Callable[..., dict[str, Any]],
        arguments: Sequence[Mapping[str, Any]],
        *,
        label: str,
        estimate: float | None = None,
    ) -> list[dict[str, Any]]:
        """Run cells in parallel and charge what they took; their values in order.

        Parameters
        ----------
        stage : str
            The share of the budget that pays.
        estimate : float
            Seconds of one thread that the plan expects, for all pieces together; more than the
            share has left raises `NotAffordable` before anything is computed. None for what must
            run in any case.
        """
        if estimate is not None:
            self.check_affordable(stage, estimate / min(self.plan.jobs, len(arguments)))
        results = self.outcomes(stage, function, arguments, label=label)
        for result in results:
            if isinstance(result, CellFailure):
                raise StageFailed(f"{label}: {result.error}")
        return [dict(result.value) for result in results if isinstance(result, CellResult)]

    def outcomes(
        self,
        stage: str,
        function: Callable[..., dict[str, Any]],
        arguments: Sequence[Mapping[str, Any]],
        *,
        label: str,
    ) -> list[CellResult | CellFailure]:
        """Run cells in parallel and charge what they took; a cell that failed says so."""
        start = perf_counter()
        results = call_many(function, arguments, label=label)
        wall = perf_counter() - start
        # Of a round that was begun by an earlier run, the wall-clock time is only the rest.
        took = [r.seconds for r in results if isinstance(r, CellResult)]
        self.failures += len(results) - len(took)
        seconds = max(wall, makespan(took, self.plan.jobs))
        self.ledger.charge(stage, self.charges.settle(label, seconds))
        return results

    def check_affordable(self, stage: str, seconds: float) -> None:
        """Raise `NotAffordable` unless `seconds` of wall-clock time fit into the share."""
        if not self.ledger.affords(stage, seconds):
            left = max(self.ledger.allowance(stage), 0.0)
            raise NotAffordable(
                f"needs about {seconds:.0f} s of the {stage} share of the budget, which has "
                f"{left:.0f} s left; a larger --budget runs it."
            )

    def validation(self, index: int = 0) -> np.ndarray:
        """Targets of the index-th split's validation part."""
        return self.splits[index].validation.y

    def scores(self, predictions: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Gains (S, n) a split of predictions (S, n, k) a split; greater is better."""
        return [
            np.stack([self.metric.gains(self.validation(i), member) for member in np.asarray(p)])
            for i, p in enumerate(predictions)
        ]

    def scores_of_logits(self, logits: Sequence[np.ndarray]) -> list[np.ndarray]:
        """`scores` of logits (S, n, k) a split."""
        return self.scores([self.probabilities(one) for one in logits])

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """(..., n, k) probabilities of logits; predictions of a regression as they are."""
        if not self.classification:
            return np.asarray(logits)
        return softmax(np.asarray(logits, dtype=np.float64), axis=-1)

    @property
    def n_train(self) -> int:
        """Rows of a training part."""
        return len(self.splits[0].train.rows)
