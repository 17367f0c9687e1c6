"""CSV and TSV files: encoding, delimiter and decimal comma detected, broken rows named."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from overparam.data.source import Source
from overparam.evidence.errors import UserError

# Spellings of "no value"; what a field holds beside them is taken at its word.
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A", "?")
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_BLOCK = 16 << 20
_SAMPLE_LINES = 200
_NUMBER = re.compile(r"^\s*[-+]?\d*\.?\d+([eE][-+]?\d+)?\s*$")
_COMMA_NUMBER = re.compile(r"^\s*[-+]?\d+,\d+\s*$")


def read_delimited(path: Path) -> Source:
    """Read a CSV or TSV file, gzipped or not.

    Raises
    ------
    UserError
        An empty file, a broken gzip file, a row with more or fewer fields than the header, or a
        quote that is never closed: the file and the line (from 1) are named.
    """
    text, encoding = _decode(path)
    sample = text[:_BLOCK].decode("utf-8", "replace").split("\n")[:_SAMPLE_LINES]
    delimiter = _delimiter(sample)
    header = next(csv.reader(sample, delimiter=delimiter))
    notes = []
    if encoding != "utf-8":
        notes.append(f"the text is encoded as {encoding}")
    if delimiter != ",":
        notes.append(f"the delimiter is a {_DELIMITERS[delimiter]}")
    has_header = not all(_NUMBER.match(field) for field in header)
    if not has_header:
        notes.append("the file has no header line; its columns are called column_1, column_2, ...")
    elif len(set(header)) < len(header):
        notes.append("column names repeat; later ones got an ending")
    # Where no field begins with a quote, quotes are letters: 5" pipe.
    begins = rb"(?:^|[\n" + re.escape(delimiter.encode()) + rb'])\s*"'
    quoted = b'"' in text and re.search(begins, text) is not None
    _check_rows(path, text, delimiter, len(header), quoted)
    comma = delimiter != "," and _decimal_comma(sample[1:], delimiter)
    if comma:
        notes.append("numbers are written with a decimal comma")
    frame = _parse(path, text, delimiter, has_header, comma, quoted)
    if not has_header:
        frame.columns = [f"column_{i}" for i in range(1, frame.width + 1)]
    frame = frame.rename({name: name.strip() for name in frame.columns if name != name.strip()})
    return Source(_stem(path), path.name, frame, notes=notes)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name


def _decode(path: Path) -> tuple[bytes, str]:
    """The file's text as UTF-8 without trailing line ends, and how it was encoded."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path.name} must be a readable file; got {error}.") from None
    encoding = "utf-8"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    data = data.removeprefix(b"\xef\xbb\xbf")
    if encoding == "utf-8":
        try:
            data.decode()
        except UnicodeDecodeError:
            encoding = "cp1252"
    if encoding != "utf-8":
        try:
            data = data.decode(encoding).encode()
        except UnicodeDecodeError:
            encoding = "latin-1"
            data = data.decode(encoding).encode()
    data = data.rstrip(b"\r\n")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    if not data.strip():
        raise UserError(f"{path.name} must hold a header and rows; got an empty file.")
    return data, encoding


def _delimiter(sample: Sequence[str]) -> str:
    """The character that gives most lines the same number (> 1) of fields."""

    def score(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
        if not widths or widths[0] < 2:
            return 0.0, 0
        return sum(w == widths[0] for w in widths) / len(widths), widths[0]

    best = max(_DELIMITERS, key=score)
    return best if score(best)[1] else ","


def _decimal_comma(sample: Sequence[str], delimiter: str) -> bool:
    fields = [f for row in csv.reader(sample, delimiter=delimiter) for f in row]
    return any(map(_COMMA_NUMBER.match, fields)) and not any(
        "." in f and _NUMBER.match(f) for f in fields
    )


def _check_rows(path: Path, text: bytes, delimiter: str, width: int, quoted: bool) -> None:
    """Compare the number of fields of each row with the header, outside quotes, block by block."""
    data = np.frombuffer(text, np.uint8)
    quotes_before = delimiters = lines = last_quote_line = start = 0
    while start < len(data):
        end = text.rfind(b"\n", start, start + _BLOCK) + 1 if start + _BLOCK < len(data) else 0
        block = data[start : end or (start + _BLOCK)]
        start += len(block)
        quote = (block == ord('"')) & quoted
        newline = block == ord("\n")
        if quotes_before or quote.any():
            inside = ((np.cumsum(quote) + quotes_before) & 1).astype(bool)
            if quote.any():
                last_quote_line = lines + int(newline[: np.flatnonzero(quote)[-1]].sum())
        else:
            inside = np.zeros(len(block), bool)
        ends = np.flatnonzero(newline & ~inside)
        places = np.flatnonzero((block == ord(delimiter)) & ~inside)
        before = np.searchsorted(places, ends)  # delimiters before each line end
        per_row = np.diff(before, prepend=-delimiters) if len(ends) else before
        empty = np.zeros(len(ends), bool)
        if len(ends) and width > 1:
            empty = _is_empty(block, ends)
        wrong = np.flatnonzero((per_row != width - 1) & ~empty)
        if len(wrong):
            line = lines + int(newline[: ends[wrong[0]]].sum()) + 1
            raise _broken(path, line, int(per_row[wrong[0]]) + 1, width)
        delimiters = len(places) - int(before[-1] if len(ends) else -delimiters)
        quotes_before = (quotes_before + int(quote.sum())) & 1
        lines += int(newline.sum())
    if quotes_before:
        raise UserError(
            f"{path.name} must close every quote; got one that is still open at the end of the "
            f"file, opened in line {last_quote_line + 1}."
        )
    if delimiters != width - 1:
        raise _broken(path, lines + 1, delimiters + 1, width)


def _is_empty(block: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which of these line ends close a line without any character; blocks begin with a line."""
    padded = np.concatenate([np.full(2, ord("\n"), np.uint8), block])
    carriage = (padded[ends + 1] == ord("\r")) & (padded[ends] == ord("\n"))
    return (padded[ends + 1] == ord("\n")) | carriage


def _broken(path: Path, line: int, got: int, width: int) -> UserError:
    return UserError(
        f"{path.name} must have {width} fields in every row, as in its first line; "
        f"got {got} in line {line}."
    )


def _parse(
    path: Path, text: bytes, delimiter: str, has_header: bool, comma: bool, quoted: bool
) -> pl.DataFrame:
    """Types from the first 10,000 rows; from all rows where a later one contradicts them."""
    error: Exception | None = None
    for infer in (10_000, None):
        try:
            return pl.read_csv(
                text,
                separator=delimiter,
                quote_char='"' if quoted else None,
                has_header=has_header,
                decimal_comma=comma,
                null_values=list(MISSING),
                infer_schema_length=infer,
            )
        except pl.exceptions.PolarsError as caught:
            error = caught
    first_line = str(error).strip().splitlines()[0]
    raise UserError(f"{path.name} must be a table of delimited text; got: {first_line}") from None
