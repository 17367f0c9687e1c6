"""Entries of report.json, in the words of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from overparam.auditing.answers import Answer
from overparam.auditing.candidates import Candidate
from overparam.auditing.comparison import Difference, holm_levels, over_splits
from overparam.auditing.context import Context
from overparam.auditing.measurements import replicas
from overparam.auditing.registry import Entry
from overparam.evidence.papers import PAPERS


def finding_entry(
    entry: Entry,
    outcome: str | None = None,
    reason: str = "",
    *,
    answer: Answer | None = None,
    figure: str | None = None,
    pictures: Sequence[str] = (),
    seconds: float = 0.0,
) -> dict[str, Any]:
    """A finding: answered, or why not."""
    common = {
        "id": entry.id,
        "code": entry.code,
        "title": entry.title,
        "paper": entry.paper,
        "where": f"docs/findings.md#{entry.code.lower()}",
    }
    if answer is None:
        return common | {
            "outcome": outcome,
            "headline": reason[:1].upper() + reason[1:],
            "action": "",
            "statistic": None,
            "interval": None,
            "verdict": None,
            "figure": None,
        }
    evidence = answer.evidence
    interval = evidence.statistic.interval
    return common | {
        "outcome": answer.resolved_outcome,
        "headline": answer.headline,
        "action": answer.action,
        "statistic": evidence.statistic.value,
        "statistic_label": evidence.statistic.label,
        "interval": None if interval is None else [interval.low, interval.high],
        "interval_method": None if interval is None else interval.method,
        "threshold": evidence.holds.text,
        "verdict": str(evidence.verdict),
        "figure": figure,
        **({"pictures": list(pictures)} if pictures else {}),
        "details": list(answer.details),
        "table": evidence.table.head(60).to_dicts(),
        "seconds": seconds,
        **answer.extra,
    }


def not_run_entry(entry: Entry, reason: str) -> dict[str, str]:
    """A part that was left out."""
    return {"id": entry.id, "code": entry.code, "title": entry.title, "reason": reason}


def difference_to_baseline(context: Context, candidate: Candidate) -> Difference:
    """Gain over the baseline net: seed by seed where both have seeds, else over their mean."""
    ours = context.scores(candidate.predictions)
    base = context.scores_of_logits(replicas(context).validation)
    pairs = []
    for mine, theirs in zip(ours, base, strict=True):
        if len(mine) == 1:
            pairs.append(mine - theirs.mean(axis=0, keepdims=True))
        else:
            pairs.append(mine - theirs[: len(mine)])
    return over_splits(pairs, context.n_train)


def treatment_entries(
    context: Context, treated: Sequence[tuple[Entry, Candidate]], own: Candidate | None
) -> list[dict[str, Any]]:
    """Treatments against the baseline net, with intervals corrected for their number (Holm)."""
    if "replicas" not in context.memory:
        return []
    rows: list[tuple[str, str | None, str | None, Candidate]] = [
        (e.id, e.code, e.paper, c) for e, c in treated
    ]
    if own is not None:
        rows.append((own.name, None, None, own))
    baseline_seconds = replicas(context).seconds
    compared = corrected([difference_to_baseline(context, candidate) for *_, candidate in rows])
    return [
        {
            "id": identifier,
            "code": code,
            "title": candidate.title,
            "paper": paper,
            "metric": context.metric.name,
            **difference,
            "members": len(candidate.predictions[0]),
            "seconds": candidate.seconds,
            "cost": candidate.seconds / baseline_seconds if baseline_seconds else None,
            "note": candidate.setting,
        }
        for (identifier, code, paper, candidate), difference in zip(rows, compared, strict=True)
    ]


def corrected(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    """Differences of treatments with intervals corrected for their number, and what they mean."""
    levels = holm_levels([d.p_value for d in differences])
    entries = []
    for difference, level in zip(differences, levels, strict=True):
        low, high = difference.interval(level)
        entries.append(
            {
                "difference": difference.value,
                "interval": [low, high],
                "level": level,
                "verdict": "helps" if low > 0 else "hurts" if high < 0 else "no difference",
            }
        )
    return entries


def score(metric: str, value: float) -> str:
    """A value of a metric in words."""
    if metric in ("accuracy", "balanced_accuracy"):
        name = "right" if metric == "accuracy" else "balanced accuracy"
        return f"{100 * value:.1f} % {name}"
    names = {"log_loss": "log loss", "auc": "area under the curve", "r2": "R²", "rmse": "RMSE"}
    return f"{names[metric]} {value:.3g}"


def verdict_line(document: dict[str, Any], tested: str = "test rows", others: str = "net") -> str:
    """What to do, how sure, what it gains: the first sentence of the page.

    `tested` says what the model was scored on, `others` what the best baseline was up against.
    """
    r = document["recommendation"]
    low, high = r["interval"]
    percent = r["metric"] in ("accuracy", "balanced_accuracy")
    ends = f"{100 * low:.1f} to {100 * high:.1f} %" if percent else f"{low:.3g} to {high:.3g}"
    line = (
        f"Use {r['title']}: {score(r['metric'], r['test'])} on {r['test_rows']:,} {tested} ({ends})"
    )
    if r["name"] == r["best_baseline"]:
        return f"{line}; no {others} did better on validation rows."
    low, high = r["difference_interval"]
    gap = abs(r["difference"])
    size = f"{100 * gap:.1f} points" if percent else f"{gap:.3g}"
    if low > 0:
        return f"{line}, {size} better than {r['best_baseline_title']}, the best baseline."
    if high < 0:
        return (
            f"{line}, {size} worse than {r['best_baseline_title']}: what was best on validation "
            "rows is not best on test rows."
        )
    return f"{line}; {r['best_baseline_title']}, the best baseline, is as good within the noise."


def summary(document: dict[str, Any]) -> list[str]:
    """Three to six sentences: how over-parameterised, what was found, what helps."""
    ratio = document["data"]["overparameterisation"]
    lines = [
        f"The usual net has {ratio['parameters']:,} parameters for {ratio['rows']:,} training "
        f"rows, {ratio['parameters_a_row_and_output']:.1f} for each row and output."
    ]
    lines += gravest(document["findings"])
    helps = [t["title"] for t in document["treatments"] if t["verdict"] == "helps"]
    if helps:
        lines.append(f"What helps the usual net: {', '.join(helps)}.")
    elif document["treatments"]:
        lines.append("No treatment helps the usual net beyond the noise.")
    if document["data"]["leakage"]:
        lines.append(document["data"]["leakage"][0]["text"])
    return lines


def gravest(findings: Sequence[dict[str, Any]], most: int = 3) -> list[str]:
    """Headlines of the findings that matter most."""
    order = {"issue": 0, "tip": 1, "fine": 2}
    answered = [f for f in findings if f["outcome"] in order]
    return [f["headline"] for f in sorted(answered, key=lambda f: order[f["outcome"]])[:most]]


def references(document: dict[str, Any]) -> list[dict[str, str]]:
    """Papers behind what was found and tried."""
    used = [e["paper"] for e in (*document["findings"], *document["treatments"]) if e["paper"]]
    return [
        {"id": slug, "text": PAPERS[slug].reference, "arxiv": PAPERS[slug].arxiv}
        for slug in dict.fromkeys(used)
    ]
