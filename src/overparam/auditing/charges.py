"""What each round of cells cost the budget, remembered so that a second run decides as the first.

A round costs the wall-clock time that it took: starting workers and handing them the data counts. A
round found in the cache takes no time; it is charged what it cost when it was computed.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from overparam.evidence.atomic_write import write_whole


class Charges:
    """Seconds of the rounds of one audit, in the order in which they ran.

    Parameters
    ----------
    path : Path, optional
        Where they are kept; without it they live in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, float] = {}
        self._seen: Counter[str] = Counter()
        if path is not None and path.exists():
            self._known = json.loads(path.read_text())

    def settle(self, label: str, seconds: float) -> float:
        """Seconds to charge for the next round of this label: those of the first run, if any.

        Parameters
        ----------
        label : str
        seconds : float
            What the round took now; kept where it is the first time.
        """
        self._seen[label] += 1
        key = f"{label} {self._seen[label]}"
        if key not in self._known:
            self._known[key] = round(seconds, 3)
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self._path, json.dumps(self._known, indent=1) + "\n")
        return self._known[key]
