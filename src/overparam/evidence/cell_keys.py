"""The name under which a cell is stored: everything that its value depends on, hashed."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from overparam.evidence import source_closure

# Libraries whose version may change a figure.
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn")


@functools.cache
def versions() -> Mapping[str, str]:
    """Return the versions of the numerical libraries, without importing them."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def encode(value: Any, name: str) -> Any:
    """Return `value`, an argument called `name`, as JSON that stands for its content.

    Parameters
    ----------
    value : object
        Numbers, strings, None, lists, tuples, mappings with string keys, enums, paths and
        dataclasses stand for themselves, arrays for their bytes, an object with a ``fingerprint``
        for that, a function or class for its name and code.

    Raises
    ------
    TypeError
        For anything else, naming the argument.
    """
    simple = _encode_simple(value)
    if simple is not NotImplemented:
        return simple
    if isinstance(fingerprint := getattr(value, "fingerprint", None), str):
        return {"fingerprint": fingerprint}
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        content = np.ascontiguousarray(value)
        return {
            "array": hashlib.sha256(content.tobytes()).hexdigest(),
            "shape": list(value.shape),
            "dtype": value.dtype.str,
        }
    if isinstance(value, (list, tuple)):
        return [encode(entry, name) for entry in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"mapping": {key: encode(value[key], f"{name}[{key!r}]") for key in sorted(value)}}
    if isinstance(value, functools.partial):
        inner = encode(value.func, name)
        return {
            "partial": [inner, encode(value.args, name), encode(value.keywords, name)],
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"dataclass": encode(type(value), name), "fields": encode(fields, name)}
    if callable(value) and hasattr(value, "__qualname__"):
        return {"code": source_closure.name(value), "source": source_closure.digest(value)}
    raise TypeError(
        f"{name} must be numbers, text, arrays, lists, mappings, functions of a file or something "
        f"with a fingerprint; got {type(value).__name__}."
    )


def _encode_simple(value: Any) -> Any:
    if isinstance(value, Enum):
        return _encode_simple(value.value)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Path):
        return {"path": str(value)}
    return NotImplemented


def group_key(
    function: str, source: str, arguments: Mapping[str, Any], batch: str | None = None
) -> str:
    """Return the key of a call of `function` with `arguments` already encoded.

    Parameters
    ----------
    function : str
        Its name, ``module:name``.
    source : str
        Digest of its code, from `source_closure.digest`.
    arguments : mapping of str to JSON
        From `encode`, without the batched axis.
    batch : str or None
        The name of the batched axis.
    """
    return _hash(
        {
            "function": function,
            "arguments": dict(arguments),
            "batch": batch,
            "source": source,
            "versions": dict(versions()),
        }
    )


def value_key(group: str, value: Any) -> str:
    """Return the key of one (encoded) value on the batched axis of a group."""
    return _hash({"group": group, "value": value})


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
