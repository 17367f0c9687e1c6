"""JSON that every reader accepts."""

import json

import numpy as np

from overparam.evidence.plain_json import plain


def test_plain_numbers_stand_in_for_others():
    found = plain({"a": np.float64(1.5), "b": (np.int64(2), float("nan")), 3: [np.inf]})
    assert found == {"a": 1.5, "b": [2, None], "3": [None]}
    json.dumps(found, allow_nan=False)


def test_arrays_become_lists():
    assert plain({"x": np.array([[1.0, np.nan]]), "y": np.bool_(True)}) == {
        "x": [[1.0, None]],
        "y": True,
    }
