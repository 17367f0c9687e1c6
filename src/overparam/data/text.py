"""A running text as a sequence of tokens: a character each, or byte pairs.

Tokens are numbers 0 .. len(alphabet) - 1; what they stand for is the alphabet, a string of
characters or a `BytePairs`. Embedded texts share one alphabet of 96: chr(32) .. chr(126), newline.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from platform import python_version

import numpy as np

from overparam.data.byte_pairs import BytePairs
from overparam.data.words import GCIDE
from overparam.evidence.errors import UserError

ALPHABET = "".join(map(chr, range(32, 127))) + "\n"
REPLACEMENT = "\ufffd"  # stands for the rare characters of a text with more than 256
VALIDATION_START = 5_000_000  # of a text that is long enough; else four fifths of its length
_CHUNK = 1 << 20  # characters read at once
_SHORTEST, _HEAD = 80, 60  # of gcide's entries: shorter ones go, equal beginnings are repeats

Alphabet = str | BytePairs


def load(
    source: str | Path, folder: str | Path | None = None, *, vocabulary: int | None = None
) -> tuple[np.ndarray, Alphabet]:
    """The tokens of a text and what they stand for.

    Parameters
    ----------
    source : str or path
        "gcide" (23.3 M characters of an English dictionary; Debian package dict-gcide),
        "python-topics" (0.46 M characters of technical prose, in the standard library), or a text
        file (UTF-8; what is not valid is replaced).
    folder : path, optional
        Keep the tokens there, and map them into memory instead of holding them: for long texts. A
        second call finds them. A file is read in pieces, so that it need not fit into memory.
    vocabulary : int, optional
        Byte pairs, so many, learnt from the text (needs the extra 'overparam[text]'). By default
        a token is a character; of a file with more than 256 different ones the rarest become one.

    Returns
    -------
    tokens : ndarray (n,)
        int64; with `folder` a memory map of the smallest type that holds them.
    alphabet : str or BytePairs
        `alphabet[t]` is the character of token t.

    Raises
    ------
    UserError
        If the text is not there or empty; the line says what to install.

    Examples
    --------
    >>> tokens, alphabet = load("python-topics")
    >>> len(alphabet), decode(tokens[:6], alphabet)
    (96, 'The "a')
    """
    stamp = _stamp(source, vocabulary)
    if folder is not None:
        return _mapped(source, Path(folder), stamp, vocabulary)
    alphabet = _alphabet(source, vocabulary)
    parts = [_encoded(piece, alphabet) for piece in _pieces(source)]
    return np.concatenate(parts), alphabet


def split(tokens: np.ndarray, train: int, valid: int = 65_536) -> tuple[np.ndarray, np.ndarray]:
    """The first `train` tokens, and `valid` held-out ones from a fixed place further on.

    Held-out tokens start at 5,000,000, or in a text that ends before that at four fifths of its
    length, where they may be fewer.

    Raises
    ------
    ValueError
        If the two would overlap, or nothing is left for one of them.
    """
    start = held_out_start(len(tokens), valid)
    if not 1 <= train <= start:
        raise ValueError(
            f"train must be in 1 .. {start}, where held-out tokens begin; got {train!r}."
        )
    if valid < 1:
        raise ValueError(f"valid must be an integer >= 1; got {valid!r}.")
    return tokens[:train], tokens[start : start + valid]


def held_out_start(length: int, valid: int = 65_536) -> int:
    """Where the `valid` held-out tokens of a text of `length` tokens begin."""
    return VALIDATION_START if length >= VALIDATION_START + valid else 4 * length // 5


def encode(text: str, alphabet: str) -> np.ndarray:
    """Tokens (n,), int64, of the characters of a text.

    Raises
    ------
    ValueError
        If a character is not in the alphabet (and the alphabet has no replacement character).
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    place = np.full(0x110000, alphabet.find(REPLACEMENT), dtype=np.int64)
    place[[ord(c) for c in alphabet]] = np.arange(len(alphabet))
    tokens = place[codes]
    if (tokens < 0).any():
        stranger = text[int((tokens < 0).argmax())]
        raise ValueError(f"text must be of characters of the alphabet; got {stranger!r}.")
    return tokens


def decode(tokens: np.ndarray, alphabet: Alphabet) -> str:
    """The text of tokens (n,)."""
    if isinstance(alphabet, BytePairs):
        return alphabet.decode(tokens)
    return "".join(alphabet[t] for t in np.asarray(tokens).tolist())


def _encoded(piece: str, alphabet: Alphabet) -> np.ndarray:
    if isinstance(alphabet, BytePairs):
        return alphabet.encode(piece)
    return encode(piece, alphabet)


def _stamp(source: str | Path, vocabulary: int | None) -> str:
    """What the tokens depend on, hashed; raises where there is no such text."""
    if source == "python-topics":
        if find_spec("pydoc_data.topics") is None:  # some distributions leave it out
            raise UserError(
                "source must be installed; got 'python-topics', which this Python lacks."
            )
        about: list[str | int] = [python_version()]
    else:
        path = GCIDE if source == "gcide" else Path(source)
        if not path.is_file():
            if source == "gcide":
                raise UserError(
                    "source must be installed; got 'gcide': apt-get install dict-gcide."
                )
            raise UserError(
                f"source must be gcide, python-topics or a text file; got {str(source)!r}."
            )
        found = path.stat()
        about = [str(path.resolve()), found.st_size, found.st_mtime_ns]
    parts = json.dumps([str(source), vocabulary, *about])
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _pieces(source: str | Path) -> Iterator[str]:
    """The text in pieces; those of a file end with a line where there are lines."""
    if source == "gcide":
        yield _gcide()
        return
    if source == "python-topics":
        from pydoc_data.topics import topics

        kept = set(ALPHABET)
        yield "".join(c for c in "\n".join(topics.values()) if c in kept)
        return
    with open(source, encoding="utf-8", errors="replace") as file:
        while piece := file.read(_CHUNK):
            yield piece + file.readline()


@lru_cache(maxsize=1)
def _gcide() -> str:
    """The dictionary's entries as running text, one a line, in a fixed random order."""
    with gzip.open(GCIDE) as file:
        raw = file.read().decode("utf-8", "replace")
    kept, seen = [], set()
    for piece in re.split(r"\n(?=\S)", raw):
        if piece.startswith("00-database"):
            continue
        piece = re.sub(r"\[[^\]]*\]", " ", piece)  # etymologies and sources
        piece = re.sub(r"\\[^\\\n]*\\", " ", piece)  # pronunciations
        piece = " ".join(piece.replace("{", "").replace("}", "").split())
        piece = re.sub(r"[^ -~]", "", piece)
        if len(piece) < _SHORTEST or piece[:_HEAD] in seen:
            continue
        seen.add(piece[:_HEAD])
        kept.append(piece)
    order = np.random.default_rng(0).permutation(len(kept))
    return "\n".join(kept[i] for i in order)


def _alphabet(source: str | Path, vocabulary: int | None) -> Alphabet:
    if vocabulary is not None:
        return BytePairs.learn(_pieces(source), vocabulary)
    return ALPHABET if source in ("gcide", "python-topics") else _characters(_pieces(source))


def _characters(pieces: Iterable[str]) -> str:
    """The characters of a text in order; the rarest become one where there are more than 256."""
    count: Counter[str] = Counter()
    for piece in pieces:
        count.update(piece)
    if not count:
        raise UserError("source must be a text with a character; got an empty one.")
    if len(count) <= 256:
        return "".join(sorted(count))
    frequent = [c for c, _ in count.most_common() if c != REPLACEMENT][:255]
    return "".join(sorted([*frequent, REPLACEMENT]))


def _smallest(tokens: int) -> np.dtype:
    """The smallest type for so many tokens that torch can compute with (it lacks uint16)."""
    kinds = ((256, np.uint8), (2**15, np.int16), (2**31, np.int32))
    return np.dtype(next(kind for limit, kind in kinds if tokens <= limit))


def _mapped(
    source: str | Path, folder: Path, stamp: str, vocabulary: int | None
) -> tuple[np.ndarray, Alphabet]:
    name = f"{Path(source).stem}-{stamp}"
    numbers, about = folder / f"{name}.bin", folder / f"{name}.json"
    if not about.exists():  # written last
        folder.mkdir(parents=True, exist_ok=True)
        alphabet = _alphabet(source, vocabulary)
        dtype = _smallest(len(alphabet))
        part = folder / f"{name}.{os.getpid()}.part"
        with part.open("wb") as file:
            for piece in _pieces(source):
                file.write(_encoded(piece, alphabet).astype(dtype).tobytes())
        part.replace(numbers)
        learnt = alphabet.to_json() if isinstance(alphabet, BytePairs) else alphabet
        part.write_text(json.dumps({"dtype": dtype.str, "alphabet": learnt}))
        part.replace(about)
    found = json.loads(about.read_text())
    known: Alphabet = found["alphabet"]
    if vocabulary is not None:
        known = BytePairs.from_json(found["alphabet"])
    # Copy-on-write: torch shares the memory only of what may be written.
    return np.memmap(numbers, found["dtype"], mode="c"), known
