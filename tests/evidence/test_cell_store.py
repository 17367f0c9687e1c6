import math

import numpy as np
import pytest

from overparam.evidence.cell_store import CellStore

KEY = "ab" + "0" * 62
VALUE = {
    "loss": 0.1 + 0.2,
    "word": "größer",
    "none": None,
    "curve": [1, 2.5, "x"],
    "nested": {"a": [True, False]},
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1],
    "flags": np.array([True, False]),
    "missing": math.nan,
}


@pytest.fixture
def store(tmp_path):
    return CellStore(tmp_path / "cells")


def test_a_cell_comes_back_as_it_went_in(store):
    store.write(KEY, VALUE, 1.5, {"function": "m:f"})
    cell = store.read(KEY)
    assert cell.seconds == 1.5
    assert list(cell.value) == list(VALUE)
    for name in ("weights", "flags"):
        assert np.array_equal(cell.value[name], VALUE[name])
        assert cell.value[name].dtype == VALUE[name].dtype
    assert math.isnan(cell.value.pop("missing"))
    plain = {name: cell.value[name] for name in ("loss", "word", "none", "curve", "nested")}
    assert plain == {name: VALUE[name] for name in plain}


def test_scalars_and_text_of_numpy_become_pythons(store):
    store.write(KEY, {"a": np.float64(0.5), "b": np.array(3), "c": np.array(["x", "y"])}, 0, {})
    assert store.read(KEY).value == {"a": 0.5, "b": 3, "c": ["x", "y"]}


def test_a_missing_cell_is_none(store):
    assert store.read(KEY) is None


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "gone"])
def test_a_damaged_cell_counts_as_missing(store, suffix, damage):
    store.write(KEY, VALUE, 1.5, {})
    path = store.path(KEY).with_suffix(suffix)
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "flip":
        path.write_bytes(b"x" + content[1:] if suffix == ".json" else content[:-1] + b"x")
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    assert store.read(KEY) is None
    store.write(KEY, VALUE, 1.5, {})
    assert store.read(KEY) is not None


def test_a_cell_under_another_name_is_not_believed(store):
    store.write(KEY, VALUE, 1.5, {})
    other = "ab" + "1" * 62
    store.path(KEY).rename(store.path(other))
    assert store.read(other) is None


def test_no_draft_is_left_behind(store):
    store.write(KEY, VALUE, 1.5, {})
    names = {path.name for path in store.path(KEY).parent.iterdir()}
    assert names == {f"{KEY}.json", f"{KEY}.safetensors"}


def test_what_cannot_be_stored_is_named(store):
    with pytest.raises(TypeError, match=r"got object under 'thing'"):
        store.write(KEY, {"thing": object()}, 0, {})
    assert store.read(KEY) is None
