"""Parquet, Arrow and Feather files."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from overparam.data.source import Source
from overparam.evidence.errors import UserError


def read_columnar(path: Path) -> Source:
    """Read a Parquet, Arrow (file or stream) or Feather (version 2) file.

    Raises
    ------
    UserError
        When the file is not what its ending says.
    """
    try:
        if path.suffix in (".parquet", ".pq"):
            frame = pl.read_parquet(path)
        else:
            frame = _read_arrow(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"{path.name} must be a readable {path.suffix[1:]} file; got: {reason}"
        ) from None
    return Source(path.stem, path.name, frame)


def _read_arrow(path: Path) -> pl.DataFrame:
    try:
        return pl.read_ipc(path)
    except pl.exceptions.PolarsError:
        return pl.read_ipc_stream(path)
