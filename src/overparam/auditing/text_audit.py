"""`audit(TEXT, task="language")`: recipes, findings, treatments, recommendation, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from overparam.auditing import registry
from overparam.auditing.answers import Answer, NotAffordable, NotApplicable
from overparam.auditing.charges import Charges
from overparam.auditing.comparison import crossed
from overparam.auditing.context import StageFailed
from overparam.auditing.outcome import Audit
from overparam.auditing.pictures import gain_picture, score_picture
from overparam.auditing.report_entries import (
    corrected,
    finding_entry,
    gravest,
    not_run_entry,
    references,
    verdict_line,
)
from overparam.auditing.reporting import write_report
from overparam.auditing.text_model import (
    Fitted,
    save_language_model,
    window_losses,
)
from overparam.auditing.text_offers import (
    Offer,
    counting,
    ensemble,
    gain,
    more_counting,
    more_text,
    single,
    student,
)
from overparam.auditing.text_pictures import member_picture
from overparam.auditing.text_plan import CONTEXT, USUAL, TextPlan, parameters
from overparam.auditing.text_trials import Trials
from overparam.auditing.versions import versions
from overparam.data import text
from overparam.evidence.cells import settings
from overparam.evidence.plain_json import plain
from overparam.report.document import SCHEMA_VERSION

PAPER = "infinite-compute"
METRIC = "log_loss"
METHODS = (
    "Losses are nats a token over windows of 64 tokens, of which 63 are predicted; bits a "
    "character compare texts whose tokens differ.",
    "Windows of the held-out text take turns: a third of them chooses recipes, by a third models "
    "are compared and one is recommended, the last third scores that one and the best baseline "
    "once.",
    "Intervals are 95 % t intervals over seeds and windows together, as if windows were "
    "independent; those of an ensemble leave out one member after the other; where models have "
    "fewer seeds than the baseline, seeds are not paired and have one spread; those of treatments "
    "are corrected for their number by Holm's method; that of the scaling law resamples seeds. "
    "Students of one ensemble share its luck, which their interval does not count. Test intervals "
    "are of one fitted model and count windows only.",
)


def follow_text(
    plan: TextPlan,
    tokens: np.ndarray,
    alphabet: text.Alphabet,
    folder: Path,
    *,
    start: int,
    jobs: int,
    backend: str,
    progress: bool,
    say: Callable[[str], None] | None,
) -> tuple[Audit, str]:
    """Follow the plan of a text.

    Parameters
    ----------
    start : int
        Where held-out tokens begin.

    Returns
    -------
    Audit, and what it said first
    """
    registry.load_all()
    held = np.array(tokens[start : start + plan.held_out])
    # Windows take turns, so that a text that changes on its way changes in all three parts.
    windows = held[: len(held) // CONTEXT * CONTEXT].reshape(-1, CONTEXT)
    choosing, judging, test = (windows[turn::3].ravel() for turn in range(3))
    charges = Charges(folder / ".cells" / "charges.json")
    trials = Trials(plan, tokens[:start], choosing, judging, test, charges)
    with (
        threadpool_limits(1),
        settings(
            store=folder / ".cells",
            backend=backend,  # type: ignore[arg-type]
            jobs=jobs,
            progress=progress,
        ),
    ):
        run = TextRun(trials, alphabet, folder, say or (lambda line: None))
        return run.run(), run.opening()


class TextRun:
    """One pass through the stages of a text's audit."""

    def __init__(
        self, trials: Trials, alphabet: text.Alphabet, folder: Path, say: Callable[[str], None]
    ) -> None:
        self.trials, self.alphabet, self.folder, self.say = trials, alphabet, folder, say
        self.figures: dict[str, dict[str, Any]] = {}
        self.captions: dict[str, dict[str, str]] = {}
        self.not_run: list[dict[str, str]] = []
        self.failed: list[str] = []

    def run(self) -> Audit:
        """Train, look, compare, recommend, write."""
        trials, plan = self.trials, self.trials.plan
        self.say(self.opening())
        baselines = [*counting(trials), single(trials, trials.usual, "usual recipe")]
        treated = self._treated()
        findings = [self._finding(entry) for _, entry in sorted(registry.TEXT_FINDINGS.items())]
        treated += self._read_further()
        entries = self._treatment_entries(treated, baselines[-1])
        recommendation, model = self._recommend([*baselines, *treated], baselines)
        save_language_model(
            self.folder / "model",
            model,
            self.alphabet,
            {
                "title": recommendation["title"],
                "context": CONTEXT,
                "measured": recommendation,
                "versions": versions(),
            },
        )
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "data": self._data(),
            "metric": METRIC,
            "baselines": [self._baseline_entry(offer) for offer in baselines],
            "findings": findings,
            "treatments": entries,
            "recommendation": recommendation,
            "not_run": self.not_run,
            "figures": self.captions,
            "methods": list(METHODS),
            "plan": plan.to_json(),
            "budget": {"seconds": plan.budget, "used": trials.spent},
            "seconds": trials.spent,
            "versions": versions(),
            "seed": plan.seed,
        }
        self._pictures(document)
        document["verdict_line"] = verdict_line(document, f"held-out {plan.unit}s", "other model")
        document["summary"] = self._summary(document)
        document["references"] = references(document)
        document = plain(document)
        write_report(self.folder, document, self.figures)
        return Audit(document, self.folder, self.figures, self.failed)

    def opening(self) -> str:
        """What is audited, in one line."""
        plan = self.trials.plan
        size = parameters(plan.vocab, plan.d)
        return (
            f"{plan.source}: {plan.length:,} {plan.unit}s of {plan.vocab} kinds (language); "
            f"trains on {plan.train:,} of them, nets of {size:,} parameters, scored by nats a "
            f"{plan.unit} on {plan.held_out:,} others, budget {plan.budget:.0f} s"
        )

    def _treated(self) -> list[Offer]:
        trials = self.trials
        offers = [single(trials, trials.tuned, "tuned weight decay"), ensemble(trials)]
        try:
            found = student(trials)
            reason = "too little of the budget was left; a larger --budget runs it."
        except StageFailed as failure:
            found, reason = None, f"failed: {failure}"
            self.failed.append(str(failure))
        if found is None:
            title = "student of the ensemble"
            self.not_run.append({"id": "student", "title": title, "reason": reason})
        return offers if found is None else [*offers, found]

    def _read_further(self) -> list[Offer]:
        """More of the text; nets that failed for their finding are not trained once more."""
        offers = [more_counting(self.trials)]
        if not any(part["id"] == "unread-text" for part in self.not_run):
            offers.append(more_text(self.trials))
        return [offer for offer in offers if offer is not None]

    def _finding(self, entry: registry.Entry) -> dict[str, Any]:
        started = self.trials.spent
        try:
            answer: Answer = entry.function(self.trials)
        except NotApplicable as reason:
            return finding_entry(entry, "not_applicable", str(reason))
        except NotAffordable as reason:
            self.not_run.append(not_run_entry(entry, str(reason)))
            return finding_entry(entry, "not_run", str(reason))
        except StageFailed as reason:
            self.failed.append(f"{entry.id}: {reason}")
            self.not_run.append(not_run_entry(entry, f"failed: {reason}"))
            return finding_entry(entry, "not_run", f"failed: {reason}")
        figure = None
        if answer.evidence.figure is not None:
            figure = entry.id
            self.figures[figure] = answer.evidence.figure
            self.captions[figure] = {"title": entry.title, "caption": answer.caption}
        seconds = self.trials.spent - started
        return finding_entry(entry, answer=answer, figure=figure, seconds=seconds)

    def _treatment_entries(self, treated: list[Offer], base: Offer) -> list[dict[str, Any]]:
        compared = corrected([gain(self.trials, base, offer) for offer in treated])
        return [
            {
                "id": offer.name,
                "title": offer.title,
                "paper": PAPER,
                "metric": METRIC,
                **difference,
                "members": max(len(offer.losses), offer.members),
                "seconds": offer.seconds,
                "cost": offer.seconds / base.seconds,
                "note": offer.note,
            }
            for offer, difference in zip(treated, compared, strict=True)
        ]

    def _baseline_entry(self, offer: Offer) -> dict[str, Any]:
        found = crossed(offer.losses)
        return {
            "name": offer.name,
            "title": offer.title,
            "metric": METRIC,
            "validation": found.value,
            "interval": list(found.interval()),
            "also": {"bits_a_character": found.value * self._bits(self.trials.judging)},
            "seconds": offer.seconds,
            "note": offer.note,
        }

    def _recommend(
        self, offers: list[Offer], baselines: list[Offer]
    ) -> tuple[dict[str, Any], Fitted]:
        ranked = sorted(offers, key=lambda offer: offer.validation)
        chosen, runner_up = ranked[:2]
        reference = min(baselines, key=lambda offer: offer.validation)
        model = chosen.build()
        test = window_losses(model, self.trials.test, CONTEXT)
        theirs = test
        if reference is not chosen:
            theirs = window_losses(reference.build(), self.trials.test, CONTEXT)
        mine, other, better = (crossed(v[None]) for v in (test, theirs, theirs - test))
        return {
            "name": chosen.name,
            "title": chosen.title,
            "why": f"It has the best validation loss; {runner_up.title} comes next.",
            "metric": METRIC,
            "validation": float(chosen.losses[0].mean()),
            "test": mine.value,
            "interval": list(mine.interval()),
            "test_rows": len(test) * (CONTEXT - 1),
            "best_baseline": reference.name,
            "best_baseline_title": reference.title,
            "best_baseline_test": other.value,
            "best_baseline_interval": list(other.interval()),
            "difference": better.value,
            "difference_interval": list(better.interval()),
            "runner_up": runner_up.title,
            "refitted": False,
            "also": {"bits_a_character": mine.value * self._bits(self.trials.test)},
        }, model

    def _bits(self, tokens: np.ndarray) -> float:
        """Bits a character for each nat a token."""
        if self.trials.plan.vocabulary is None:
            return 1 / np.log(2)
        return len(tokens) / len(text.decode(tokens, self.alphabet)) / np.log(2)

    def _rare(self) -> float:
        """Share of the characters that the alphabet has no place for."""
        if isinstance(self.alphabet, str) and text.REPLACEMENT in self.alphabet:
            return float((self.trials.train == self.alphabet.index(text.REPLACEMENT)).mean())
        return 0.0

    def _data(self) -> dict[str, Any]:
        plan = self.trials.plan
        size = parameters(plan.vocab, plan.d)
        notes = []
        if plan.train + plan.held_out < plan.length:
            notes.append(
                f"trains on the first {plan.train:,} of {plan.length:,} {plan.unit}s: what can be "
                f"read often enough in {plan.budget:.0f} s"
            )
        rare = self._rare()
        if rare:
            notes.append(
                f"{100 * rare:.1f} % of the characters are rarer than 255 others and count as one; "
                "--vocabulary 1024 makes byte pairs, which keep them apart"
            )
        notes.append(f"nets of width {plan.d}: {size / plan.train:.1f} parameters a {plan.unit}")
        return {
            "name": Path(plan.source).stem,
            "source": plan.source,
            "kind": "text",
            "task": "language",
            "target": f"next {plan.unit}",
            "unit": f"{plan.unit}s",
            "rows": plan.length,
            "columns": plan.vocab,
            "classes": [],
            "split": {
                "train": plan.train,
                "validation": len(self.trials.judging),
                "test": len(self.trials.test),
            },
            "dropped": [],
            "leakage": [],
            "notes": notes,
            "overparameterisation": {"parameters": size, "rows": plan.train},
        }

    def _summary(self, document: Mapping[str, Any]) -> list[str]:
        plan = self.trials.plan
        size = parameters(plan.vocab, plan.d)
        lines = [
            f"The net has {size:,} parameters for {plan.train:,} {plan.unit}s, "
            f"{size / plan.train:.1f} for each; the usual recipe has weight decay {USUAL}."
        ]
        # Of what is equally grave, unread text first: it costs nothing but time.
        findings = sorted(document["findings"], key=lambda finding: finding["id"] != "unread-text")
        lines += gravest(findings)
        helps = [t["title"] for t in document["treatments"] if t["verdict"] == "helps"]
        lines.append(
            f"What helps beside the usual recipe: {', '.join(helps)}."
            if helps
            else "No treatment helps beyond the noise."
        )
        return lines

    def _pictures(self, document: Mapping[str, Any]) -> None:
        pictures = {
            "baselines": score_picture("log loss", document["baselines"]),
            "treatments": gain_picture("log loss", document["treatments"], "the usual recipe"),
            "members": member_picture(self.trials),
        }
        for name, (figure, caption) in pictures.items():
            self.figures[name], self.captions[name] = figure, caption
