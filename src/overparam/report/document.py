"""The contract of `report.json`: its version, a check with clear messages, and its documentation.

The contract is a JSON Schema (`report.schema.json` in this folder). Within one major version, keys
are added, never renamed, removed or given another meaning; `docs/report-json.md` is made from it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]

SCHEMA_VERSION = "1.0"


@cache
def schema() -> dict[str, Any]:
    """The contract as a JSON Schema (2020-12)."""
    text = (resources.files("overparam.report") / "report.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def problems(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a document, one sentence each; an empty list when nothing is.

    Beside the schema: numbers are finite, ids are unique, an interval's low end is not above its
    high end, every named figure has its entry in `figures`.
    """
    try:  # as it will stand in the file: tuples are arrays there
        document = json.loads(json.dumps(document))
    except TypeError as problem:
        return [f"the document must hold JSON values only; got {problem}."]
    found = sorted(Draft202012Validator(schema()).iter_errors(document), key=lambda e: str(e.path))
    told = [_sentence(error) for error in found]
    if not told:  # what follows relies on the shape
        told = [*_not_finite(document), *_inconsistent(document)]
    return told


def validate(document: Mapping[str, Any]) -> None:
    """Raise when a document breaks the contract.

    Raises
    ------
    ValueError
        That lists every problem of `problems`.
    """
    told = problems(document)
    if told:
        raise ValueError("report.json breaks its contract: " + " ".join(told))


def markdown() -> str:
    """The tables of `docs/report-json.md`: every key with its type and meaning."""
    lines: list[str] = []
    _section(schema(), "The document", lines)
    return "\n".join(lines)


def _sentence(error: ValidationError) -> str:
    place = _place(error.absolute_path) or "the document"
    got = _short(error.instance)
    if error.validator == "required":
        lacking = [key for key in error.validator_value if key not in error.instance]
        return f"{place} must have {', '.join(map(repr, lacking))}; got {sorted(error.instance)}."
    if error.validator == "enum":
        accepted = ", ".join(json.dumps(value) for value in error.validator_value)
        return f"{place} must be one of {accepted}; got {got}."
    if error.validator == "type":
        kinds = error.validator_value
        kinds = [kinds] if isinstance(kinds, str) else kinds
        return f"{place} must be {' or '.join(kinds)}; got {got}."
    return f"{place} must satisfy {error.validator} {error.validator_value}; got {got}."


def _place(path: Any) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _walk(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield place, value
    inner = (
        value.items()
        if isinstance(value, Mapping)
        else enumerate(value)
        if isinstance(value, list | tuple)
        else ()
    )
    for key, item in inner:
        yield from _walk(item, (*place, key))


def _not_finite(document: Mapping[str, Any]) -> list[str]:
    return [
        f"{_place(place)} must be a finite number or null; got {value}."
        for place, value in _walk(document)
        if isinstance(value, float) and not math.isfinite(value)
    ]


def _inconsistent(document: Mapping[str, Any]) -> list[str]:
    told = []
    for place, value in _walk(document):
        ends = value if place and str(place[-1]).endswith("interval") else None
        if ends and ends[0] > ends[1]:
            told.append(f"{_place(place)} must have its low end first; got {list(ends)}.")
    for part in ("findings", "treatments", "not_run"):
        counted = Counter(item["id"] for item in document[part])
        told += [
            f"{part} must have distinct ids; got {name!r} {times} times."
            for name, times in counted.items()
            if times > 1
        ]
    if "figures" in document:
        told += [
            f"findings[{i}].{key} must be a key of figures; got {name!r}."
            for i, item in enumerate(document["findings"])
            for key, names in (("figure", [item["figure"]]), ("pictures", item.get("pictures", [])))
            for name in names
            if name is not None and name not in document["figures"]
        ]
    return told


def _section(part: Mapping[str, Any], title: str, lines: list[str]) -> None:
    """A table of one object's keys, then one for each object inside it."""
    lines += [f"### {title}", ""]
    if part.get("description"):
        lines += [part["description"], ""]
    lines += ["| key | type | always | meaning |", "| --- | --- | --- | --- |"]
    inner = []
    for key, value in part["properties"].items():
        always = "yes" if key in part.get("required", ()) else ""
        lines.append(f"| `{key}` | {_kind(value)} | {always} | {value.get('description', '')} |")
        item = value.get("items") or value.get("additionalProperties")
        if "properties" in value:
            inner.append((f"`{key}`", value))
        elif isinstance(item, Mapping) and "properties" in item:
            inner.append((f"Each of `{key}`", item))
    lines.append("")
    for name, value in inner:
        _section(value, name, lines)


def _kind(value: Mapping[str, Any]) -> str:
    if "enum" in value:
        return ", ".join("null" if option is None else f"`{option}`" for option in value["enum"])
    kinds = value["type"]
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
