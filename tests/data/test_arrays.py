import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import TensorDataset

from overparam.data.arrays import (
    as_series,
    from_arrays,
    from_frame,
    from_torch,
    is_frame,
    is_torch_dataset,
    read_npz,
    to_polars,
)
from overparam.evidence.errors import UserError

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.arange(60) % 2


def test_arrays_keep_their_values_and_labels():
    source = from_arrays(X, Y)
    assert source.features is X
    assert source.labels.to_list() == Y.tolist()
    assert from_arrays(X[:, 0], Y).features.shape == (60, 1)


def test_channels_come_last_and_a_move_is_said():
    first = np.zeros((60, 3, 8, 9), np.uint8)
    source = from_arrays(first, Y)
    assert source.features.shape == (60, 8, 9, 3)
    assert source.notes == ["the second axis of the images was taken for the colour channels"]
    assert from_arrays(np.zeros((60, 8, 9, 3)), Y).features.shape == (60, 8, 9, 3)


def with_nan(value):
    array = X.copy()
    array[7, 2] = value
    return array


@pytest.mark.parametrize(
    ("array", "labels", "text"),
    [
        (with_nan(np.nan), Y, r"^X must be finite; got nan in row 7, column 2 \(1 in all\)\."),
        (with_nan(-np.inf), Y, r"^X must be finite; got -inf in row 7, column 2"),
        (X, Y[:-1], r"^y must have one label per row of X; got 59 labels for 60 rows\.$"),
        (X, X, r"^y must have one label per row; got an array of shape \(60, 3\)\.$"),
        (X.astype(str), Y, "^X must be an array of numbers; got arrays of type <U"),
        (np.zeros((60, 2, 2, 2, 2)), Y, r"^X must have 1 to 4 dimensions; got shape \(60, 2,"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(array, labels, text):
    with pytest.raises(UserError, match=text):
        from_arrays(array, labels)


@pytest.mark.parametrize("keys", [("X", "y"), ("images", "labels"), ("data", "target")])
def test_npz_files_may_use_the_usual_names(tmp_path, keys):
    np.savez(tmp_path / "set.npz", **dict(zip(keys, (X, Y), strict=True)))
    source = read_npz(tmp_path / "set.npz")
    assert np.array_equal(source.features, X)
    assert source.labels.to_list() == Y.tolist()
    assert (source.name, source.origin) == ("set", "set.npz")


def test_npz_files_of_other_things_are_refused_without_unpickling(tmp_path):
    np.savez(tmp_path / "set.npz", X=np.array([{}, 1], dtype=object), y=Y)
    with pytest.raises(UserError, match=r"^set\.npz must be an \.npz file of plain arrays; got: "):
        read_npz(tmp_path / "set.npz")
    np.savez(tmp_path / "set.npz", a=X)
    with pytest.raises(UserError, match=r"^set\.npz must hold an array X and .*; got a\.$"):
        read_npz(tmp_path / "set.npz")
    (tmp_path / "set.npz").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match=r"^set\.npz must be an \.npz file"):
        read_npz(tmp_path / "set.npz")


def test_pandas_frames_of_every_column_type_become_polars():
    frame = pd.DataFrame(
        {
            "number": [1.5, None, 3],
            "text": ["x", None, "y"],
            "kind": pd.Categorical(["p", "q", None]),
            "day": pd.to_datetime(["2020-01-01", None, "2020-01-03"]),
            "flag": [True, False, True],
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "mixed": pd.Series(["u", 1, None], dtype=object),
        }
    )
    table = to_polars(frame)
    assert table.columns == list(frame.columns)
    assert table["kind"].to_list() == ["p", "q", None]
    assert table["whole"].to_list() == [1, None, 3]
    assert table["mixed"].to_list() == ["u", "1", None]
    assert table["day"].dtype == pl.Datetime
    assert table["day"].null_count() == 1
    assert table["text"].to_list() == ["x", None, "y"]


def test_frames_take_labels_apart_from_them():
    table = pl.DataFrame({"a": X[:, 0]})
    assert from_frame(table).labels is None
    named = from_frame(table, pd.Series(Y, name="kind"))
    assert (named.target, named.labels.to_list()) == ("kind", Y.tolist())
    assert from_frame(table, Y).target == "y"
    with pytest.raises(UserError, match="got 5 labels for 60 rows"):
        from_frame(table, Y[:5])


def test_a_column_name_that_repeats_is_named():
    twice = pd.DataFrame(X, columns=["a", "b", "a"])
    with pytest.raises(UserError, match=r"^data must have distinct .*; got 'a' 2 times\.$"):
        from_frame(twice, Y)


def test_column_names_that_are_numbers_become_text():
    assert to_polars(pd.DataFrame(X)).columns == ["0", "1", "2"]


def test_frames_are_told_from_arrays():
    assert is_frame(pl.DataFrame({"a": [1]}))
    assert is_frame(pd.DataFrame({"a": [1]}))
    assert not is_frame(X)
    assert not is_frame([[1]])


def test_labels_of_any_kind_become_a_series():
    assert as_series(np.array(["a", None, 1], dtype=object), "y").to_list() == ["a", None, "1"]
    assert as_series(Y[:, None], "y").to_list() == Y.tolist()
    assert as_series(["a", "b"], "y").to_list() == ["a", "b"]


class Pairs(TorchDataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def test_torch_data_sets_are_read_by_tensors_or_by_items():
    tensors = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    items = Pairs([(torch.from_numpy(x), int(y)) for x, y in zip(X, Y, strict=True)])
    for data in (tensors, items):
        assert is_torch_dataset(data)
        source = from_torch(data)
        assert np.array_equal(source.features, X)
        assert source.labels.to_list() == Y.tolist()


def test_torch_data_sets_of_other_items_are_refused():
    with pytest.raises(UserError, match=r"^data must give \(features, label\) pairs"):
        from_torch(Pairs([torch.zeros(3)] * 60))
    with pytest.raises(
        UserError, match=r"^data must give features of one shape; got \[\(2,\), \(3,\)\]"
    ):
        from_torch(Pairs([(torch.zeros(2), 0), (torch.zeros(3), 1)]))
