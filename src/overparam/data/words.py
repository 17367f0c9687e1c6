"""Running text as a sequence of words, for word embeddings."""

from __future__ import annotations

import gzip
import re
from functools import lru_cache
from pathlib import Path

import numpy as np

from overparam.evidence.errors import UserError

GCIDE = Path("/usr/share/dictd/gcide.dict.dz")
PYTHON_MANUAL = Path("/usr/share/doc/python3.11/html/_sources")


@lru_cache(maxsize=1)
def read_words(source: str, characters: int) -> np.ndarray:
    """The words of the first `characters` characters of a text, lower case.

    Parameters
    ----------
    source : str
        "gcide" (a dictionary of English, Debian package dict-gcide), "python-manual"
        (python3.11-doc), "python-topics" (in the standard library), or a text file.
    characters : int

    Returns
    -------
    ndarray of str
        Runs of the letters a to z, in their order.

    Raises
    ------
    UserError
        If the text is not there; it says what to install.
    """
    return np.array(re.findall("[a-z]+", _text(source)[:characters].lower()))


def _text(source: str) -> str:
    if source == "python-topics":
        from pydoc_data.topics import topics

        return "\n".join(topics.values())
    if source == "gcide":
        if not GCIDE.exists():
            raise UserError("source must be installed; got 'gcide': apt-get install dict-gcide.")
        with gzip.open(GCIDE, "rt", encoding="utf-8", errors="replace") as file:
            return file.read()
    if source == "python-manual":
        if not PYTHON_MANUAL.exists():
            raise UserError(
                "source must be installed; got 'python-manual': apt-get install python3.11-doc."
            )
        return "\n".join(p.read_text("utf-8") for p in sorted(PYTHON_MANUAL.rglob("*.txt")))
    if not Path(source).is_file():
        raise UserError(
            f"source must be gcide, python-manual, python-topics or a text file; got {source!r}."
        )
    return Path(source).read_text("utf-8", errors="replace")
