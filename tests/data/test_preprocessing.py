import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from tests.data.mixed_table import ROLES, mixed_table

from overparam.data.preprocessing import Preprocessor


def test_categories_are_found_by_index_and_codes_stay_below_their_number():
    prepared = Preprocessor().fit(mixed_table(), ROLES)
    X = prepared.transform(mixed_table(seed=3))
    assert prepared.categorical == (X.shape[1] - 1,)
    assert prepared.cardinalities == (4,)
    codes = X[:, prepared.categorical[0]]
    assert set(codes) == {0, 1, 2, 3}
    assert len(prepared.feature_names) == X.shape[1]
    assert prepared.shape == X.shape[1:]


def test_flat_standardises_numbers_and_unfolds_categories():
    train = mixed_table()
    prepared = Preprocessor().fit(train, ROLES)
    X = prepared.transform(train)
    flat = prepared.flat(X)
    numbers = X[:, :-1].astype(np.float64)
    assert flat.shape == (200, prepared.n_flat)
    assert flat.dtype == np.float32
    # total seconds reach 1e9, where float32 has steps of 64: a few 1e-6 of the deviation
    assert flat[:, :-4] == pytest.approx(StandardScaler().fit_transform(numbers), abs=1e-4)
    assert np.array_equal(flat[:, -4:], np.eye(4)[X[:, -1].astype(int)])


def test_a_constant_column_does_not_divide_by_nothing():
    X = np.full((60, 2), 1e6, np.float64)
    X[:, 0] = np.arange(60)
    prepared = Preprocessor().fit(X)
    assert not prepared.flat(prepared.transform(X))[:, 1].any()


def test_images_stay_images_until_they_are_flattened():
    images = np.random.default_rng(0).integers(0, 255, (20, 5, 4, 3), dtype=np.uint8)
    prepared = Preprocessor().fit(images)
    X = prepared.transform(images)
    assert X.shape == (20, 3, 5, 4)
    assert (prepared.kind, prepared.shape, prepared.n_flat) == ("image", (3, 5, 4), 60)
    assert np.array_equal(prepared.flat(X), X.reshape(20, 60))


@pytest.mark.parametrize(
    ("raw", "roles"),
    [
        (mixed_table(), ROLES),
        (np.random.default_rng(0).normal(size=(60, 3)), None),
        (np.random.default_rng(0).integers(0, 255, (20, 5, 4), dtype=np.uint8), None),
    ],
    ids=["table", "array", "image"],
)
def test_saved_and_loaded_gives_the_same_bits(raw, roles, tmp_path):
    prepared = Preprocessor().fit(raw, roles)
    prepared.save(tmp_path / "model")
    loaded = Preprocessor.load(tmp_path / "model")
    X = prepared.transform(raw)
    assert np.array_equal(loaded.transform(raw), X)
    assert np.array_equal(loaded.flat(X), prepared.flat(X))
    for name in ("kind", "shape", "fingerprint", "categorical", "cardinalities", "feature_names"):
        assert getattr(loaded, name) == getattr(prepared, name), name
    assert not any(p.suffix in (".pkl", ".pickle", ".joblib") for p in tmp_path.rglob("*"))


def test_the_fingerprint_tells_training_rows_apart():
    table = mixed_table()
    first, again, other = (
        Preprocessor().fit(part, ROLES).fingerprint for part in (table, table, table[:100])
    )
    assert first == again != other
