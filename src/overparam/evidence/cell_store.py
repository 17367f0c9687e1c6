"""Where cells lie: a JSON file each, with a safetensors file beside it for arrays.

Files are written under another name and renamed, so a reader sees all of a cell or nothing. The
JSON file comes last and carries the checksum of the arrays: whatever cannot be read back counts
as missing. A cell is written by the holder of its lock, which the system releases when a process
dies.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from filelock import FileLock

from overparam.evidence.atomic_write import write_whole

_FORMAT = 1
_ARRAY = "$array"


@dataclass(frozen=True)
class Cell:
    """What a cell returned, and the seconds that it took."""

    value: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class CellStore:
    """A folder of cells.

    Attributes
    ----------
    root : Path
        The folder; made when first written to.
    """

    root: Path

    def path(self, key: str) -> Path:
        """Return the JSON file of a cell, there or not."""
        return self.root / key[:2] / f"{key}.json"

    def lock(self, key: str) -> FileLock:
        """Return the lock of a key, to be acquired by the caller."""
        path = self.path(key).with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)

    def forget_lock(self, key: str) -> None:
        """Remove the lock file, which its holder may do once the cell is written."""
        with contextlib.suppress(OSError):
            self.path(key).with_suffix(".lock").unlink()

    def read(self, key: str) -> Cell | None:
        """Return the cell, or None when it is missing or damaged."""
        path = self.path(key)
        try:
            document = json.loads(path.read_bytes())
            if document["format"] != _FORMAT or document["key"] != key:
                return None
            arrays: dict[str, np.ndarray] = {}
            if document["arrays"] is not None:
                content = path.with_suffix(".safetensors").read_bytes()
                if hashlib.sha256(content).hexdigest() != document["arrays"]:
                    return None
                arrays = safetensors.numpy.load(content)
            value = {
                name: arrays[name] if entry == {_ARRAY: name} else entry
                for name, entry in document["value"].items()
            }
            return Cell(value, float(document["seconds"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(
        self, key: str, value: Mapping[str, Any], seconds: float, about: Mapping[str, Any]
    ) -> None:
        """Store a cell.

        Parameters
        ----------
        key : str
            From `cell_keys`; the caller holds its lock.
        value : mapping of str to object
            Numbers, text, lists, mappings of these; arrays.
        seconds : float
            What it took.
        about : mapping
            Function and arguments, for a person who looks into the folder.
        """
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        plain, arrays = _split(value)
        checksum = None
        if arrays:
            content = safetensors.numpy.save(arrays)
            checksum = hashlib.sha256(content).hexdigest()
            write_whole(path.with_suffix(".safetensors"), content)
        document = {
            "format": _FORMAT,
            "key": key,
            "about": dict(about),
            "seconds": seconds,
            "value": plain,
            "arrays": checksum,
        }
        write_whole(path, json.dumps(document).encode())


def _split(value: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    plain: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, entry in value.items():
        if isinstance(entry, np.ndarray) and entry.ndim and entry.dtype.kind in "biuf":
            arrays[name] = np.ascontiguousarray(entry)
            plain[name] = {_ARRAY: name}
        else:
            plain[name] = _plain(entry, name)
    return plain, arrays


def _plain(entry: Any, name: str) -> Any:
    if isinstance(entry, (np.generic, np.ndarray)):
        entry = entry.tolist()
    if entry is None or isinstance(entry, (bool, int, float, str)):
        return entry
    if isinstance(entry, (list, tuple)):
        return [_plain(part, name) for part in entry]
    if isinstance(entry, Mapping) and all(isinstance(key, str) for key in entry):
        return {key: _plain(part, name) for key, part in entry.items()}
    raise TypeError(
        f"a cell must return numbers, text, lists and arrays; got {type(entry).__name__} "
        f"under {name!r}."
    )
