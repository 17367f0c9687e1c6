"""From a path, a name or an object to its rows: which reader takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overparam.data.arrays import (
    from_arrays,
    from_frame,
    from_torch,
    is_frame,
    is_torch_dataset,
    read_npz,
)
from overparam.data.columnar import read_columnar
from overparam.data.dataset import Dataset
from overparam.data.delimited import read_delimited
from overparam.data.embedded import embedded_names, embedded_source
from overparam.data.idx import find_idx, read_idx_folder
from overparam.data.images import read_image_folder
from overparam.data.source import Source
from overparam.evidence.errors import UserError

_DELIMITED = (".csv", ".tsv", ".tab", ".txt")
_COLUMNAR = (".parquet", ".pq", ".arrow", ".feather", ".ipc")


def read(source: Any, labels: Any) -> Source:
    """Find out what a source is, and read it.

    Parameters
    ----------
    source : anything that `overparam.data.load` takes
    labels : array (n,) or None
        Labels apart from the source, for what is in memory.

    Raises
    ------
    UserError
        No such file, an ending that is not known, labels for a file, or what the reader of the
        format finds wrong.
    """
    if isinstance(source, str | Path):
        if labels is not None:
            raise UserError(
                f"target must be the name of a column when data is a file; got {type(labels)}."
            )
        return _read_path(source)
    if isinstance(source, Dataset):
        raise TypeError("source must be data; got a Dataset, which is loaded already.")
    if is_torch_dataset(source):
        return from_torch(source)
    if is_frame(source):
        return from_frame(source, labels)
    if isinstance(source, tuple | list) and len(source) == 2 and labels is None:
        return from_arrays(source[0], source[1])
    return from_arrays(source, labels)


def _read_path(source: str | Path) -> Source:
    path = Path(source)
    word = str(source).replace("_", "-").lower()
    embedded = word if isinstance(source, str) and word in embedded_names() else None
    if not path.exists():
        if embedded:
            return embedded_source(embedded)
        raise UserError(
            f"{path} must be an existing file or folder or an embedded set "
            f"({', '.join(embedded_names())}); got no such file."
        )
    read = _read_folder(path) if path.is_dir() else _read_file(path)
    if embedded:
        read.notes.append(f"{source!r} is also an embedded set; the path here was taken")
    return read


def _read_file(path: Path) -> Source:
    endings = [ending.lower() for ending in path.suffixes]
    ending = endings[-1] if endings else ""
    if ending in _DELIMITED or (ending == ".gz" and len(endings) > 1 and endings[-2] in _DELIMITED):
        return read_delimited(path)
    if ending in _COLUMNAR:
        return read_columnar(path)
    if ending == ".npz":
        return read_npz(path)
    raise UserError(
        f"{path.name} must end in {', '.join((*_DELIMITED, '.csv.gz', *_COLUMNAR, '.npz'))} "
        f"or be a folder; got {ending or 'no ending'}."
    )


def _read_folder(path: Path) -> Source:
    return read_idx_folder(path) if find_idx(path) else read_image_folder(path)
