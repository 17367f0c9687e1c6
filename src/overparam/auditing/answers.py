"""What a finding says: the evidence, a sentence, an action."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from overparam.evidence.verdict import Evidence, Verdict

# A finding's evidence asks "is the problem there?".
OUTCOME = {Verdict.HOLDS: "issue", Verdict.INCONCLUSIVE: "tip", Verdict.FAILS: "fine"}


@dataclass(frozen=True)
class Answer:
    """The answer of a finding.

    Parameters
    ----------
    evidence : Evidence
        The claim "the problem is there", measured on the user's data; its figure is shown.
    headline : str
        One sentence in plain words with the figure that matters.
    action : str
        What to do about it.
    details : sequence of str
        Paragraphs: how it was measured, what the limits are.
    caption : str
        What the figure shows.
    pictures : mapping of str to (specification, title, caption)
        Further pictures, by a name that is its own within the finding.
    outcome : str, optional
        Only where the finding's page says that it departs from holds -> issue,
        inconclusive -> tip, fails -> fine.
    extra : mapping
        Further keys of the report's entry, such as `forecast` or `share`.
    afterword : callable, optional
        Paragraphs for the details that need the treatments; called once they have run.
    """

    evidence: Evidence
    headline: str
    action: str
    details: Sequence[str] = ()
    caption: str = ""
    pictures: Mapping[str, tuple[dict[str, Any], str, str]] = field(default_factory=dict)
    outcome: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    afterword: Callable[[], Sequence[str]] = tuple

    @property
    def resolved_outcome(self) -> str:
        """The outcome that the report shows."""
        return self.outcome or OUTCOME[self.evidence.verdict]


class NotApplicable(Exception):  # noqa: N818  an answer, not an error
    """The question makes no sense for this data; the text says why."""


class NotAffordable(Exception):  # noqa: N818  an answer, not an error
    """The budget does not reach; the text says what it would have taken."""
