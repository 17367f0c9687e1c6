"""What the command line prints: an audit in at most 25 lines, and a table of a study's claims.

Both are `rich` objects without fixed colours for text: a console drops their styles by itself
where `NO_COLOR` is set or the output is not a terminal.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping
from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from overparam.report import formatting
from overparam.report.audit_page import OUTCOMES, SIGNS
from overparam.report.study_page import VERDICT_SIGNS, VERDICTS, claim_view

MOST_LINES = 25
_STYLES = {
    "issue": "bold red",
    "tip": "yellow",
    "fine": "green",
    "not_applicable": "dim",
    "not_run": "dim",
    "holds": "green",
    "fails": "bold red",
    "inconclusive": "yellow",
    None: "dim",
}


def audit_summary(
    document: Mapping[str, Any], *, folder: str | None = None, width: int | None = None
) -> Text:
    """The report in at most 25 lines: verdict, test figure, findings, best treatments.

    Parameters
    ----------
    document : mapping
        The content of `report.json`.
    folder : str, optional
        Where the report lies; its file is then named in the last line.
    width : int, optional
        Columns; the terminal's (at most 100) by default. Lines are cut, never wrapped.

    Returns
    -------
    rich.text.Text
        Print it with a `rich` console; `.plain` is the bare text.
    """
    width = width or min(100, shutil.get_terminal_size((90, 24)).columns)
    lines = [Text(line, "bold") for line in _wrapped(_verdict(document), width, 3)]
    lines += [Text(line) for line in _scores(document)]
    foot = [Text(f"{folder.rstrip('/')}/report.html", "bold")] if folder else []
    treatments = _treatments(document)
    room = MOST_LINES - len(lines) - len(treatments) - len(foot) - 1
    lines += _findings(document, room) + treatments + foot
    return Text("\n", no_wrap=True).join(_cut(line, width) for line in lines)


def claims_table(results: Mapping[str, Any]) -> Table:
    """The claims of a study, a line for each measured part: figure, interval, region, verdict."""
    title = Text(f"{results.get('title') or results.get('slug')}, {results.get('scale')} scale")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, fold in (("claim", False), ("measured", True), ("figure", False)):
        table.add_column(name, no_wrap=not fold, overflow="fold")
    for name in ("interval", "holds if", "verdict"):
        table.add_column(name, no_wrap=name != "holds if")
    for claim in map(claim_view, results.get("claims", ())):
        verdict = claim["verdict"]
        parts = claim["parts"]
        if len(parts) != 1:
            table.add_row(
                claim["id"], _plain(claim.get("sentence")), "", "", "", _verdict_text(verdict)
            )
        for part in parts:
            alone = len(parts) == 1
            table.add_row(
                claim["id"] if alone else "",
                _plain(claim.get("sentence") if alone else f"  {part.get('name') or ''}"),
                formatting.number(part["statistic"], 4),
                "exact" if part.get("exact") else _pair(part["interval"]),
                _plain(part.get("region")),
                _verdict_text(verdict if alone else part["verdict"]),
            )
        if claim.get("error"):
            table.add_row("", Text(f"  failed: {claim['error']}", "red"), "", "", "", "")
    return table


def _verdict(document: Mapping[str, Any]) -> str:
    best = document.get("recommendation") or {}
    return str(document.get("verdict_line") or f"Recommended: {best.get('name', 'nothing')}.")


def _scores(document: Mapping[str, Any]) -> list[str]:
    best = document.get("recommendation") or {}
    if not best:
        return [""]
    metric = best.get("metric")
    interval = formatting.span(best.get("interval"), metric)
    ours = f"  test {formatting.metric_title(metric)} {formatting.score(best.get('test'), metric)}"
    ours += f" ({interval})" if interval else ""
    theirs = formatting.score(best.get("best_baseline_test"), metric)
    return [ours + f"; best baseline, {best.get('best_baseline')}: {theirs}", ""]


def _findings(document: Mapping[str, Any], room: int) -> list[Text]:
    order = list(OUTCOMES)
    findings = sorted(document.get("findings", ()), key=lambda one: order.index(one["outcome"]))
    lines = []
    for finding in findings:
        outcome = finding["outcome"]
        line = Text(f"{SIGNS[outcome]} {OUTCOMES[outcome]:<15}", _STYLES[outcome])
        line.append(f"{finding.get('code', ''):<7}", "dim")
        line.append(
            _one_line(finding.get("headline") or finding.get("reason") or finding["id"]), ""
        )
        lines.append(line)
    if document.get("not_run"):
        names = ", ".join(str(item.get("title") or item["id"]) for item in document["not_run"])
        lines.append(Text(_one_line(f"○ {'left out':<15}       {names}"), "dim"))
    if len(lines) > room:
        hidden = len(lines) - room + 1
        lines = [*lines[: room - 1], Text(f"  and {hidden} more in the report", "dim")]
    return lines


def _treatments(document: Mapping[str, Any]) -> list[Text]:
    rows = [row for row in document.get("treatments", ()) if row.get("difference") is not None]
    if not rows:
        return []
    best = sorted(rows, key=lambda row: -row["difference"])[:3]
    lines = [Text(""), Text(f"Treatments that gained most, of {len(rows)} compared:", "bold")]
    for row in best:
        interval = formatting.gain_span(row.get("interval"), row.get("metric"))
        gained = formatting.gain(row["difference"], row.get("metric"))
        name = _one_line(str(row.get("title") or row["id"]))
        span = f"({interval})" if interval else ""
        lines.append(Text(f"  {gained:<12} {span:<18} {name}"))
    return [*lines, Text("")]


def _verdict_text(verdict: str | None) -> Text:
    return Text(f"{VERDICT_SIGNS[verdict]} {VERDICTS[verdict]}", _STYLES[verdict])


def _plain(text: Any) -> Text:
    """Text whose brackets are not read as styles."""
    return Text(_one_line(str(text or "")))


def _pair(interval: Any) -> str:
    if not interval:
        return "–"
    return f"{formatting.number(interval[0], 4)} to {formatting.number(interval[1], 4)}"


def _one_line(text: str) -> str:
    """Without line breaks and control characters, which a name in the data may hold."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _wrapped(text: str, width: int, most: int) -> list[str]:
    return textwrap.wrap(_one_line(text), width, max_lines=most, placeholder=" …")


def _cut(line: Text, width: int) -> Text:
    if cell_len(line.plain) > width:
        line.truncate(width, overflow="ellipsis")
    return line
