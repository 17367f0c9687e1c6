"""Content hashes that are the same in every process: the keys of cached results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl


def fingerprint(parts: Iterable[Any]) -> str:
    """Hash arrays, frames and plain values (anything that JSON can hold), in order.

    Returns
    -------
    str
        64 hexadecimal digits (SHA-256). Values that are missing count as missing, whatever lies in
        memory under them.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, pl.DataFrame):
            for series in part:
                _add_series(digest, series)
        elif isinstance(part, np.ndarray):
            _add_array(digest, part)
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
        digest.update(b"\0next\0")
    return digest.hexdigest()


def _add_array(digest: hashlib._Hash, array: np.ndarray) -> None:
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    if array.dtype.kind == "O":
        digest.update(json.dumps([repr(value) for value in array.ravel()]).encode())
    else:
        digest.update(memoryview(np.ascontiguousarray(array).view(np.uint8).reshape(-1)))


def _add_series(digest: hashlib._Hash, series: pl.Series) -> None:
    digest.update(f"{series.name}\0{series.dtype}\0{len(series)}".encode())
    digest.update(np.packbits(series.is_null().to_numpy()).tobytes())
    if series.dtype == pl.String:
        filled = series.fill_null("")
        digest.update(filled.str.len_bytes().to_numpy().tobytes())
        digest.update(filled.str.join("").item().encode())
        return
    if series.dtype == pl.Boolean:
        series = series.cast(pl.UInt8)
    values = series.to_physical().fill_null(0).to_numpy()
    digest.update(memoryview(np.ascontiguousarray(values).view(np.uint8)))
