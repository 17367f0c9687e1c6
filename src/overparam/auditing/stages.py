"""The stages of an audit, one after the other; everything expensive is a cell."""

from __future__ import annotations

import os
import shutil
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from overparam.auditing import registry
from overparam.auditing.answers import Answer, NotAffordable, NotApplicable
from overparam.auditing.baselines import NAMES, TITLES, fit_baseline_cell
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.comparison import over_splits
from overparam.auditing.context import Context, StageFailed
from overparam.auditing.facts import describe
from overparam.auditing.final_fits import expected_seconds
from overparam.auditing.label_quality import OutOfFold
from overparam.auditing.measurements import fit_recipe, out_of_fold_predictions, replicas
from overparam.auditing.metric import also
from overparam.auditing.outcome import Audit
from overparam.auditing.pictures import table_pictures
from overparam.auditing.recommendation import best, measure, refitted, validation_score
from overparam.auditing.report_entries import (
    finding_entry,
    not_run_entry,
    references,
    summary,
    treatment_entries,
    verdict_line,
)
from overparam.auditing.reporting import write_report
from overparam.auditing.rows_file import write_rows
from overparam.auditing.saved_model import save_model
from overparam.auditing.versions import versions
from overparam.evidence.cells import CellFailure, CellResult
from overparam.evidence.plain_json import plain
from overparam.report.document import SCHEMA_VERSION

METHODS = (
    "Intervals are 95 % t intervals over seeds and rows together; over several splits they are "
    "widened for the overlap of the training parts (Nadeau and Bengio 2003).",
    "Intervals of treatments are corrected for their number by Holm's method.",
    "Everything is chosen on validation rows or on a held-out tenth of the training rows; the test "
    "rows are scored once, for the recommended model and the best baseline.",
)


@dataclass
class Run:
    """One pass through the stages; everything expensive is a cell, so a second pass is cheap."""

    context: Context
    folder: Path
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    captions: dict[str, dict[str, str]] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    not_run: list[dict[str, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    treated: list[tuple[registry.Entry, Candidate]] = field(default_factory=list)
    afterwords: list[tuple[dict[str, Any], Answer]] = field(default_factory=list)

    def run(self) -> Audit:
        """All stages in the order of their value for the reader."""
        context, plan = self.context, self.context.plan
        context.say(self.opening())
        data = describe(context.dataset, plan)
        self._baselines()
        for entry in self._wanted(registry.FINDINGS, "finding"):
            self._finding(entry)
        for entry in self._wanted(registry.TREATMENTS, "treatment"):
            self._treatment(entry)
        for finding, answer in self.afterwords:
            finding["details"] += answer.afterword()
        own = self._own_model()
        candidates = self._candidates(own)
        if not candidates:
            raise StageFailed("; ".join(self.failed) or "no model could be fitted")
        baselines = [c for c in candidates if c.build.recipe is None]
        recommendation = self._recommend(candidates, baselines)
        self._rows()
        document = {
            "schema_version": SCHEMA_VERSION,
            "data": data,
            "metric": context.metric.name,
            "baselines": [self._baseline_entry(c) for c in context.baselines.values()],
            "findings": sorted(self.findings, key=lambda entry: entry["code"]),
            "treatments": treatment_entries(context, self.treated, own),
            "recommendation": recommendation,
            "not_run": self.not_run,
            "figures": self.captions,
            "methods": list(METHODS),
            "plan": plan.to_json(),
            "budget": {
                "seconds": plan.budget,
                "used": sum(context.ledger.spent.values()),
                "shares": dict(context.ledger.spent),
            },
            "seconds": sum(context.ledger.spent.values()),
            "versions": versions(),
            "seed": plan.seed,
        }
        for name, (figure, caption) in table_pictures(context.metric, document).items():
            self.figures[name], self.captions[name] = figure, caption
        document["verdict_line"] = verdict_line(document)
        document["summary"] = summary(document)
        document["references"] = references(document)
        document = plain(document)
        write_report(self.folder, document, self.figures)
        return Audit(document, self.folder, self.figures, self.failed, context.own)

    def opening(self) -> str:
        """What is audited, in one line."""
        dataset, plan = self.context.dataset, self.context.plan
        what = f"{len(dataset.classes)} classes" if dataset.classes else "a number"
        return (
            f"{dataset.name}: {dataset.n:,} labelled rows, {dataset.n_columns:,} columns, predicts "
            f"{what} in {dataset.target!r} ({dataset.task}; --task overrides), scored by "
            f"{self.context.metric.title}, budget {plan.budget:.0f} s"
        )

    def _wanted(self, table: dict[str, registry.Entry], kind: str) -> list[registry.Entry]:
        options = self.context.plan.options
        wanted = registry.chosen(table, options.only, options.ignore)
        for entry in table.values():
            if entry not in wanted:
                self.not_run.append(not_run_entry(entry, "left out by --only or --ignore."))
        return wanted

    def _baselines(self) -> None:
        """All of them side by side: the slow ones then share the processes."""
        context = self.context
        names = NAMES[context.dataset.task]
        cells = [
            {
                "dataset": context.dataset,
                "split": key.as_dict(),
                "name": name,
                "seconds": context.plan.baseline_seconds[name],
            }
            for name in reversed(names)
            for key in context.split_keys
        ]
        results = context.outcomes("baselines", fit_baseline_cell, cells, label="baselines")
        for name in names:
            mine = [r for c, r in zip(cells, results, strict=True) if c["name"] == name]
            failed = [r for r in mine if isinstance(r, CellFailure)]
            if failed:
                reason = f"{TITLES[name]}: {failed[0].error}"
                self.failed.append(reason)
                self.not_run.append({"id": name, "title": TITLES[name], "reason": reason})
                continue
            done = [r for r in mine if isinstance(r, CellResult)]
            context.baselines[name] = Candidate(
                name,
                TITLES[name],
                Build(baseline=name),
                [r.value["validation"][None] for r in done],
                float(np.mean([r.seconds for r in done])),
                done[0].value["setting"],
                baseline=done[0].value["model"].tobytes(),
            )

    def _baseline_entry(self, candidate: Candidate) -> dict[str, Any]:
        context = self.context
        scores = context.scores(candidate.predictions)
        difference = over_splits(scores, context.n_train)
        sign = context.metric.sign
        others = [
            also(context.metric, context.validation(i), p[0])
            for i, p in enumerate(candidate.predictions)
        ]
        return {
            "name": candidate.name,
            "title": candidate.title,
            "metric": context.metric.name,
            "validation": sign * difference.value,
            "interval": sorted(sign * v for v in difference.interval()),
            "also": {
                name: float(np.mean([values[name] for values in others])) for name in others[0]
            },
            "seconds": candidate.seconds,
            "note": candidate.setting,
        }

    def _finding(self, entry: registry.Entry) -> None:
        context = self.context
        started = sum(context.ledger.spent.values())
        try:
            answer: Answer = entry.function(context)
        except NotApplicable as reason:
            self.findings.append(finding_entry(entry, "not_applicable", str(reason)))
            return
        except NotAffordable as reason:
            self.findings.append(finding_entry(entry, "not_run", str(reason)))
            self.not_run.append(not_run_entry(entry, str(reason)))
            return
        except Exception as error:
            self._record_failure(entry, error)
            return
        took = sum(context.ledger.spent.values()) - started
        figure = None
        if answer.evidence.figure is not None:
            figure = entry.id
            self.figures[figure] = answer.evidence.figure
            self.captions[figure] = {"title": entry.title, "caption": answer.caption}
        ids = []
        for name, (picture, title, caption) in answer.pictures.items():
            ids.append(f"{entry.id}-{name}")
            self.figures[ids[-1]] = picture
            self.captions[ids[-1]] = {"title": title, "caption": caption}
        self.findings.append(
            finding_entry(entry, answer=answer, figure=figure, pictures=ids, seconds=took)
        )
        self.afterwords.append((self.findings[-1], answer))

    def _treatment(self, entry: registry.Entry) -> None:
        context = self.context
        try:
            replicas(context)  # the baseline that it is compared with
            candidate: Candidate = entry.function(context)
            context.treated[entry.id] = candidate
            self.treated.append((entry, candidate))
        except (NotApplicable, NotAffordable) as reason:
            self.not_run.append(not_run_entry(entry, str(reason)))
        except Exception as error:
            self._record_failure(entry, error)

    def _record_failure(self, entry: registry.Entry, error: Exception) -> None:
        if os.environ.get("OVERPARAM_DEBUG"):
            traceback.print_exception(error)
        text = str(error) if isinstance(error, StageFailed) else f"{type(error).__name__}: {error}"
        self.failed.append(f"{entry.id}: {text}")
        if entry.code in registry.FINDINGS:
            self.findings.append(finding_entry(entry, "not_run", f"failed: {text}"))
        self.not_run.append(not_run_entry(entry, f"failed: {text}"))

    def _own_model(self) -> Candidate | None:
        context = self.context
        recipe = context.plan.own
        if recipe is None:
            return None
        try:
            seeds = context.plan.treatment_seeds
            fits = fit_recipe(context, recipe, seeds, stage="treatments", label="your model")
        except (NotAffordable, StageFailed) as reason:
            self.not_run.append({"id": "your-model", "title": recipe.net, "reason": str(reason)})
            if isinstance(reason, StageFailed):
                self.failed.append(str(reason))
            return None
        predictions = [context.probabilities(logits) for logits in fits.validation]
        return Candidate(
            "your-model", f"your model, {recipe.net}", Build(recipe, 1), predictions, fits.seconds
        )

    def _candidates(self, own: Candidate | None) -> list[Candidate]:
        context = self.context
        candidates = list(context.baselines.values())
        if "replicas" in context.memory:
            fits = replicas(context)
            predictions = [context.probabilities(logits) for logits in fits.validation]
            build = Build(context.recipe, 1)
            candidates.append(
                Candidate("baseline-net", "one net as usual", build, predictions, fits.seconds)
            )
        candidates += [candidate for _, candidate in self.treated]
        return candidates + ([own] if own else [])

    def _recommend(self, candidates: list[Candidate], baselines: list[Candidate]) -> dict[str, Any]:
        context, folder = self.context, self.folder
        chosen = best(context, candidates)
        reference = best(context, baselines) if baselines else chosen
        recommendation, parts = measure(context, chosen, reference)
        rest = sorted(
            (c for c in candidates if c.name != chosen.name),
            key=lambda c: validation_score(context, c),
        )
        runner_up = rest[-1].title if rest else None
        is_refitted = False
        if context.plan.options.refit:
            try:
                seconds = expected_seconds(context, parts.build, context.dataset.n)
                context.check_affordable("reserve", seconds)
                parts = refitted(context, chosen.build)
                is_refitted = True
            except (NotAffordable, StageFailed) as reason:
                self.not_run.append(
                    {"id": "refit", "title": "refit on all labelled rows", "reason": str(reason)}
                )
        recommendation |= {
            "refitted": is_refitted,
            "runner_up": runner_up,
            "why": "It has the best validation score"
            + (f"; {runner_up} comes next." if runner_up else "."),
        }
        shutil.rmtree(folder / "model", ignore_errors=True)
        save_model(
            folder / "model",
            context.dataset,
            parts,
            {"title": chosen.title, "measured": recommendation, "refitted": is_refitted},
        )
        return recommendation

    def _out_of_fold(self) -> OutOfFold:
        everything = np.arange(self.context.dataset.n)
        return out_of_fold_predictions(self.context, everything, stage="reserve", name="all rows")

    def _rows(self) -> None:
        context = self.context
        found: OutOfFold | None = None
        try:
            found = self._out_of_fold()
        except (NotAffordable, StageFailed) as reason:
            found = context.memory.get("out_of_fold/training part 0")
            where = "training rows only" if found else "no row"
            self.not_run.append(
                {
                    "id": "row-quality",
                    "title": "label quality of all rows",
                    "reason": f"rows.csv has it for {where}: {reason}",
                }
            )
        write_rows(
            self.folder, context.dataset, context.split_keys[0].whole(context.dataset), found
        )
