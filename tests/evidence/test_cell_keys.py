import functools
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest

from overparam.evidence.cell_keys import encode, group_key, value_key, versions
from overparam.evidence.intervals import t_interval
from overparam.evidence.regions import at_most


class Kind(StrEnum):
    RELU = "relu"


@dataclass
class Data:
    fingerprint: str
    name: str = "digits"


def key(**arguments):
    return group_key("m:f", "code", {n: encode(v, n) for n, v in arguments.items()})


def test_what_is_equal_has_one_key():
    assert key(k=np.int64(2), x=np.float64(0.5)) == key(x=0.5, k=2)
    assert key(k=(1, 2)) == key(k=[1, 2])
    assert key(kind=Kind.RELU) == key(kind="relu")
    assert key(d={"a": 1, "b": 2}) == key(d={"b": 2, "a": 1})
    assert key(x=np.arange(6).reshape(2, 3)) == key(x=np.arange(12).reshape(2, 6)[:, ::2] // 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ("1", 1),
        (None, "None"),
        (0.1, 0.1 + 1e-16 * 2),
        (np.zeros(4), np.zeros((2, 2))),
        (np.zeros(2), np.zeros(2, dtype=np.float32)),
        (np.zeros(2), [0.0, 0.0]),
        (Data("a"), Data("b")),
        (at_most(1.0), at_most(2.0)),
        (functools.partial(t_interval, level=0.9), functools.partial(t_interval, level=0.8)),
        (t_interval, at_most),
        (Path("a"), "a"),
    ],
)
def test_what_differs_has_two_keys(one, other):
    assert key(x=one) != key(x=other)


def test_a_fingerprint_stands_for_the_object():
    assert key(data=Data("a", "one")) == key(data=Data("a", "two"))


def test_function_code_batch_and_value_all_count():
    base = group_key("m:f", "code", {})
    others = [group_key("m:g", "code", {}), group_key("m:f", "new", {})]
    others += [group_key("m:f", "code", {}, "seed"), value_key(base, 0), value_key(base, 1)]
    assert len({base, *others}) == 6


def test_library_versions_count(monkeypatch):
    before = key(k=1)
    monkeypatch.setattr(
        "overparam.evidence.cell_keys.versions", lambda: {**versions(), "torch": "0.0"}
    )
    assert key(k=1) != before


def test_versions_are_found_without_importing_torch():
    script = (
        "import sys; from overparam.evidence.cell_keys import versions; "
        "print(versions()['torch'], 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    number, imported = out.stdout.split()
    assert number[0].isdigit()
    assert imported == "False"


def test_what_has_no_content_to_hash_is_named():
    with pytest.raises(TypeError, match=r"^rng must be numbers, .*; got Generator\.$"):
        encode(np.random.default_rng(0), "rng")
    with pytest.raises(TypeError, match=r"^options\['rng'\] must be"):
        encode({"rng": object()}, "options")
