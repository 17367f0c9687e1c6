import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overparam.data.equal_rows import equal_row_groups, first_seen_codes


def slow(array):
    seen = {}
    return [seen.setdefault(tuple(row.ravel().tolist()), len(seen)) for row in array]


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(
        np.int8,
        st.tuples(st.integers(1, 30), st.integers(1, 3)),
        elements={"min_value": 0, "max_value": 2},
    )
)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int64"])
def test_arrays_agree_with_a_dictionary_of_tuples(dtype, array):
    array = array.astype(dtype)
    assert equal_row_groups(array).tolist() == slow(array)
    assert equal_row_groups(np.stack([array, array], axis=2)).tolist() == slow(array)


def test_frames_agree_with_arrays_and_missing_values_are_equal():
    frame = pl.DataFrame({"a": [1.0, None, 1.0, None], "b": ["x", "y", "x", "y"]})
    assert equal_row_groups(frame).tolist() == [0, 1, 0, 1]


def test_minus_zero_is_zero():
    assert equal_row_groups(np.array([[0.0], [-0.0]])).tolist() == [0, 0]


def test_a_difference_in_the_highest_byte_alone_is_seen():
    array = np.zeros((256, 8), np.uint8)
    array[:, 7] = np.arange(256)
    assert len(np.unique(equal_row_groups(array))) == 256


def test_codes_number_values_by_first_appearance():
    assert first_seen_codes(np.array([7, 3, 7, 9, 3])).tolist() == [0, 1, 0, 2, 1]
