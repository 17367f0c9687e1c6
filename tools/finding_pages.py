"""Write docs/findings.md and docs/treatments.md from what the audit registers.

With --check nothing is written; a page that differs is named and the exit code is 1.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from overparam.auditing import registry
from overparam.evidence.papers import PAPERS

ROOT = Path(__file__).resolve().parent.parent
FINDINGS = """# Findings

What `overparam audit` looks for. Each finding is a claim "the problem is there", measured on your
data: its interval lies wholly beyond the threshold (`issue`), wholly on the other side (`fine`), or
across it (`tip`). A question that makes no sense for the data is `not_applicable`; one that the
budget did not reach is `not_run`. `--only OP002` runs one of them, `--ignore OP006` all but one.
"""
TEXT = """# Findings of a text

What `overparam audit TEXT --task language` looks for. Losses are nats a token on held-out text.
"""
TREATMENTS = """# Treatments

What `overparam audit` tries against the baseline net: the same splits, the same seeds, scored on
the validation rows, with intervals corrected for their number (Holm). A treatment `helps` or
`hurts` when its interval lies on one side of zero.
"""


def page(opening: str, table: Mapping[str, registry.Entry]) -> str:
    """One section an entry, in the order of the codes."""
    sections = [section(table[code]) for code in sorted(table)]
    return "\n".join([opening, *sections])


def section(entry: registry.Entry) -> str:
    """How detected, why it matters, what to do, thresholds and source of one entry."""
    lines = [f"## {entry.code}", "", f"**{entry.title}** (`{entry.id}`)", "", _flowing(entry.page)]
    if entry.thresholds:
        lines += ["", "| threshold | value | why |", "| --- | --- | --- |"]
        lines += [
            f"| {name.replace('_', ' ')} | {value:.3g} | {why} |"
            for name, (value, why) in entry.thresholds.items()
        ]
    if entry.paper:
        paper = PAPERS[entry.paper]
        lines += ["", f"From: [{paper.title}](papers/{paper.slug}.md) (arXiv {paper.arxiv})."]
    return "\n".join([*lines, ""])


def _flowing(docstring: str) -> str:
    """A docstring without its indentation."""
    return "\n".join(line.strip() for line in docstring.splitlines())


def main() -> int:
    """Write or check both pages."""
    registry.load_all()
    pages = {
        ROOT / "docs/findings.md": page(FINDINGS, registry.FINDINGS)
        + "\n"
        + page(TEXT, registry.TEXT_FINDINGS),
        ROOT / "docs/treatments.md": page(TREATMENTS, registry.TREATMENTS),
    }
    check = "--check" in sys.argv[1:]
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} differs from the code: run `make results`")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(pages[path])
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
