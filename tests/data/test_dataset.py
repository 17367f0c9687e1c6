import pickle

import numpy as np
import polars as pl
import pytest
from joblib import Parallel, delayed
from tests.data.mixed_table import ROLES, mixed_table

from overparam.data import dataset as dataset_module
from overparam.data.dataset import Dataset


def table(n=200, **changes):
    rng = np.random.default_rng(1)
    given = {
        "name": "mixed", "task": "classification", "source": "mixed.csv", "frame": mixed_table(n),
        "array": None, "roles": ROLES, "y": rng.integers(0, 3, n), "classes": ("a", "b", "c"),
        "target": "kind", "row": np.arange(n), "n_input_rows": n,
    }  # fmt: skip
    return Dataset(**{**given, **changes})


def images(n=120):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 255, (n, 6, 5), dtype=np.uint8)
    return table(n, frame=None, array=array, roles={})


def describe(dataset):
    split = dataset.split(0)
    return dataset.fingerprint, float(split.test.X.sum()), isinstance(dataset.frame, pl.DataFrame)


def test_views_hold_their_rows_prepared_by_the_training_rows():
    data = table()
    split = data.split(3)
    assert [len(split.train), len(split.validation), len(split.test)] == [120, 40, 40]
    expected = data.preprocessor(split.train.rows).transform(data.frame[split.test.rows])
    assert np.array_equal(split.test.X, expected)
    assert np.array_equal(split.test.y, data.y[split.test.rows])
    assert split.test.flat.shape == (40, split.preprocessor.n_flat)


def test_nothing_is_learnt_from_outside_the_training_part():
    data = table()
    split = data.split(0)
    outside = np.isin(np.arange(data.n), split.train.rows, invert=True)
    changed = data.frame.with_columns(
        size=pl.when(pl.Series(outside)).then(1e6).otherwise(pl.col("size")),
        colour=pl.when(pl.Series(outside)).then(pl.lit("pink")).otherwise(pl.col("colour")),
    )
    other = table(frame=changed)
    X = other.view(split.train.rows, split.train.rows).X
    assert np.array_equal(X, split.train.X)


def test_a_part_of_a_view_is_prepared_like_the_whole():
    view = table().split(0).train
    assert np.array_equal(view.take(np.array([5, 2])).X, view.X[[5, 2]])


def test_the_same_rows_differ_when_other_rows_taught():
    data, rows = images(), np.arange(5)
    X = data.view(rows, np.arange(60)).X
    assert not np.array_equal(X, data.view(rows, np.arange(60, 120)).X)


def test_arrays_are_computed_once_and_bytes_stay_bytes():
    data = images()
    view = data.split(0).train
    assert view.X is view.X
    assert data.array.dtype == np.uint8
    assert view.X.shape == (72, 1, 6, 5)
    assert dataset_module._ARRAYS.held <= dataset_module._ARRAYS.limit


def test_repeated_splits_share_the_test_part_and_begin_with_the_plain_split():
    data = table()
    splits = data.repeated(4, 3)
    assert np.array_equal(splits[0].train.rows, data.split(4).train.rows)
    assert len({s.test.rows.tobytes() for s in splits}) == 1
    assert len({s.validation.rows.tobytes() for s in splits}) == 3


def test_out_of_fold_work_refits_in_each_fold():
    data = table()
    rows = data.split(0).train.rows
    keys = {data.preprocessor(train).fingerprint for train, _ in data.folds(rows, 4, 0)}
    assert len(keys) == 4


def test_a_test_part_that_is_given_is_the_test_part():
    data = table(test_rows=np.arange(150, 200))
    assert np.array_equal(data.split(9).test.rows, np.arange(150, 200))
    part = data.subset(np.arange(100, 170))
    assert np.array_equal(part.split(9).test.rows, np.arange(50, 70))


def test_a_subset_keeps_what_belongs_to_its_rows():
    data = table(group=np.arange(200) // 2, time=np.arange(200.0))
    part = data.subset(np.array([7, 3, 150]))
    assert part.n == 3
    assert part.row.tolist() == [3, 7, 150]
    assert part.group.tolist() == [1, 3, 75]
    assert part.frame.equals(data.frame[[3, 7, 150]])
    assert np.array_equal(part.y, data.y[[3, 7, 150]])


@pytest.mark.parametrize(
    "change",
    [
        {"y": np.zeros(200, int)},
        {"frame": mixed_table(200, seed=5)},
        {"roles": {**ROLES, "colour": "text"}},
        {"group": np.arange(200)},
        {"time": np.arange(200)},
        {"classes": ("a", "b", "z")},
        {"unlabelled": mixed_table(3)},
        {"test_rows": np.arange(20)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_fingerprint_sees_every_change_of_content(change):
    assert table(**change).fingerprint != table().fingerprint


def test_the_fingerprint_does_not_see_where_the_data_came_from():
    assert table(source="elsewhere.csv", notes=("x",)).fingerprint == table().fingerprint


def test_pickling_keeps_everything_and_arrives_once_a_process():
    data = table(unlabelled=mixed_table(7), unlabelled_row=np.arange(7))
    sent = pickle.dumps(data)
    copy = pickle.loads(sent)
    assert copy.frame.equals(data.frame)
    assert copy.unlabelled.equals(data.unlabelled)
    assert copy.__dict__["fingerprint"] == data.fingerprint
    assert pickle.loads(sent) is copy


def test_unlabelled_matrices_are_not_taken_for_packed_frames():
    data = images()
    data = table(120, frame=None, array=data.array, roles={}, unlabelled=data.array[:4])
    assert np.array_equal(pickle.loads(pickle.dumps(data)).unlabelled, data.array[:4])


def test_workers_get_the_same_data_and_the_same_figures():
    for data in (table(), images()):
        ours = describe(data)
        theirs = Parallel(n_jobs=2)(delayed(describe)(data) for _ in range(3))
        assert theirs == [ours] * 3


def test_the_schema_is_json_and_says_what_new_data_must_be():
    schema = table().schema
    assert schema["columns"] == list(ROLES)
    assert schema["roles"] == ROLES
    assert images().schema["shape"] == [6, 5]
    assert images().schema["dtype"] == "uint8"


def test_it_is_shown_in_a_line():
    assert repr(table()) == "Dataset('mixed': 200 rows of table, 3 classes in 'kind')"
