import datetime as dt

import numpy as np
import polars as pl
import pytest
import skops.io
from sklearn.preprocessing import FunctionTransformer
from tests.data.mixed_table import ROLES, mixed_table

from overparam.data.table_features import TRUSTED, TableFeatures
from overparam.evidence.errors import UserError


@pytest.fixture(scope="module")
def fitted():
    return TableFeatures().fit(mixed_table(), ROLES)


def test_columns_stand_in_order_numbers_indicators_codes(fitted):
    assert fitted.names[:3] == ["size", "full", "open"]
    assert fitted.names[-1] == "colour"
    indicators = [name for name in fitted.names if name.endswith(" is missing")]
    assert indicators == [f"{c} is missing" for c in ("size", "open", "about", "since")]
    assert fitted.cardinalities == [4]


def test_numbers_are_themselves_or_the_training_median(fitted):
    frame = mixed_table()
    X = fitted.transform(frame)
    size = frame["size"].to_numpy()
    gap = np.isnan(size)
    assert np.isfinite(X).all()
    assert np.array_equal(X[~gap, 0], size[~gap].astype(np.float32))
    assert X[gap, 0] == pytest.approx(np.median(size[~gap]))
    assert np.array_equal(X[:, fitted.names.index("size is missing")], gap)


def test_the_median_is_that_of_the_training_rows_alone(fitted):
    new = mixed_table(20, seed=1).with_columns(size=pl.lit(None, pl.Float64))
    new = new.with_columns(full=pl.Series(np.full(20, 99.0)))
    assert fitted.transform(new)[:, 0] == pytest.approx(mixed_table()["size"].median())


def test_a_category_never_seen_is_code_zero(fitted):
    new = mixed_table(5).with_columns(colour=pl.Series(["blue", "green", "red", "pink", None]))
    assert fitted.transform(new)[:, -1].tolist() == [1, 2, 3, 0, 0]


def test_dates_give_their_parts(fitted):
    day = dt.datetime(2021, 3, 4)
    X = fitted.transform(mixed_table(1).with_columns(since=pl.lit(day, pl.Datetime("us"))))
    part = dict(zip(fitted.names, X[0], strict=True))
    assert (part["since_year"], part["since_month"], part["since_day"]) == (2021, 3, 4)
    assert part["since_weekday"] == 4


def test_numbers_beyond_float32_stay_finite(fitted):
    new = mixed_table(2).with_columns(size=pl.Series([1e300, -1e300]))
    assert np.isfinite(fitted.transform(new)).all()


def test_a_column_that_is_empty_in_training_gives_zeros():
    frame = mixed_table().with_columns(size=pl.lit(None, pl.Float64))
    fitted = TableFeatures().fit(frame, ROLES)
    assert not fitted.transform(frame)[:, 0].any()


def test_routing_says_in_words_what_became_of_each_column(fitted):
    assert fitted.routing["size"] == "number"
    assert fitted.routing["colour"] == "codes of the categories"
    assert fitted.routing["about"].startswith("text: 16 components")
    assert "weekday" in fitted.routing["since"]


def test_saved_and_loaded_gives_the_same_bits(fitted, tmp_path):
    fitted.save(tmp_path / "v.skops")
    loaded = TableFeatures.load(tmp_path / "v.skops", fitted.state())
    new = mixed_table(50, seed=2)
    assert np.array_equal(loaded.transform(new), fitted.transform(new))
    assert loaded.names == fitted.names
    assert (tmp_path / "v.skops").stat().st_size < 2_000_000


def test_a_fitted_vectorizer_needs_exactly_the_trusted_types(fitted, tmp_path):
    fitted.save(tmp_path / "v.skops")
    assert sorted(skops.io.get_untrusted_types(file=tmp_path / "v.skops")) == sorted(TRUSTED)


def test_a_file_with_another_type_is_refused_by_name(tmp_path):
    skops.io.dump(FunctionTransformer(mixed_table), tmp_path / "v.skops")
    with pytest.raises(UserError, match=r"^v\.skops must hold only types .* got .*mixed_table"):
        TableFeatures.load(tmp_path / "v.skops", {})
