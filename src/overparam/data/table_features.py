"""A table of mixed columns as one float32 matrix: numbers first, category codes last."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import skops.io
from skrub import DatetimeEncoder, TableVectorizer

from overparam.data.table_columns import CategoryCodes, TextComponents
from overparam.evidence.errors import UserError

_TEXT_NUMBERS = 120  # most numbers that all text columns together become
_LARGEST = np.float32(1e30)  # what overflows float32 is kept finite

# What a file of a fitted vectorizer may hold besides numpy, scipy and scikit-learn (which skops
# trusts by itself). A file with anything else is refused.
TRUSTED = (
    "overparam.data.table_columns.CategoryCodes",
    "overparam.data.table_columns.TextComponents",
    "polars.datatypes.classes.Datetime",
    "skrub._apply_to_each_col.ApplyToEachCol",
    "skrub._check_input.CheckInputDataFrame",
    "skrub._clean_categories.CleanCategories",
    "skrub._clean_null_strings.CleanNullStrings",
    "skrub._dataframe._common.is_any_date",
    "skrub._dataframe._common.is_categorical",
    "skrub._dataframe._common.is_numeric",
    "skrub._datetime_encoder.DatetimeEncoder",
    "skrub._drop_uninformative.DropUninformative",
    "skrub._duration_to_float.DurationToFloat",
    "skrub._table_vectorizer.PassThrough",
    "skrub._table_vectorizer.ShortReprDict",
    "skrub._table_vectorizer.TableVectorizer",
    "skrub._table_vectorizer._created_by_predicate",
    "skrub._to_datetime.ToDatetime",
    "skrub._to_float.ToFloat",
    "skrub._to_str.ToStr",
    "skrub.selectors._base.All",
    "skrub.selectors._base.And",
    "skrub.selectors._base.Cols",
    "skrub.selectors._base.Filter",
    "skrub.selectors._base.Sub",
    "skrub.selectors._selectors._cardinality_below",
)


class TableFeatures:
    """skrub's TableVectorizer with imputed numbers and missing-value indicators.

    Columns of the result: numbers, booleans, parts of dates and components of texts (missing:
    the median of the training rows); an indicator for each of these source columns that had
    missing values in training; codes of the categories, 0 for missing or never seen.
    """

    def fit(self, frame: pl.DataFrame, roles: Mapping[str, str]) -> TableFeatures:
        """Learn from the training rows."""
        categories = [name for name in frame.columns if roles[name] == "category"]
        texts = [name for name in frame.columns if roles[name] == "text"]
        each = max(2, min(16, _TEXT_NUMBERS // max(1, len(texts))))
        specific: list[tuple[Any, list[str]]] = [(TextComponents(each), [name]) for name in texts]
        if categories:
            specific.append((CategoryCodes(), categories))
        self.vectorizer = TableVectorizer(
            datetime=DatetimeEncoder(add_weekday=True),
            specific_transformers=specific,
            drop_null_fraction=None,
        )
        self.columns = list(frame.columns)
        encoded = self.vectorizer.fit_transform(frame)
        outputs: Mapping[str, list[str]] = self.vectorizer.input_to_outputs_
        self.numbers = [
            out for name in frame.columns if roles[name] != "category" for out in outputs[name]
        ]
        self.categories = categories
        self.missing = [
            name for name in frame.columns if roles[name] != "category" and frame[name].null_count()
        ]
        fitted = self.vectorizer.transformers_
        self.cardinalities = [len(fitted[name].categories_[0]) + 1 for name in categories]
        self.routing = {name: _route(roles[name], outputs[name]) for name in frame.columns}
        numbers = encoded.select(self.numbers).to_numpy().astype(np.float64)
        self.median = _medians(numbers)
        return self

    @property
    def names(self) -> list[str]:
        """Names of the columns of the result."""
        return [*self.numbers, *(f"{name} is missing" for name in self.missing), *self.categories]

    def transform(self, frame: pl.DataFrame) -> np.ndarray:
        """Return the (n, d) float32 matrix of raw columns that were prepared as in training."""
        encoded = self.vectorizer.transform(frame.select(self.columns))
        X = np.empty((frame.height, len(self.names)), np.float32)
        n_numbers = len(self.numbers)
        if n_numbers:
            numbers = X[:, :n_numbers]
            numbers[:] = encoded.select(self.numbers).cast(pl.Float32).to_numpy()
            gaps = np.isnan(numbers)
            np.copyto(numbers, np.broadcast_to(self.median, numbers.shape), where=gaps)
            np.clip(numbers, -_LARGEST, _LARGEST, out=numbers)
        for i, name in enumerate(self.missing, n_numbers):
            X[:, i] = frame[name].is_null().to_numpy()
        for i, name in enumerate(self.categories, n_numbers + len(self.missing)):
            X[:, i] = encoded[name].to_numpy()
        return X

    def state(self) -> dict[str, Any]:
        """All that is learnt beside the vectorizer, as plain data."""
        names = ("columns", "numbers", "categories", "missing", "cardinalities", "routing")
        return {name: getattr(self, name) for name in names} | {"median": self.median.tolist()}

    def save(self, path: Path) -> None:
        """Write the fitted vectorizer with skops."""
        skops.io.dump(self.vectorizer, path, compression=zipfile.ZIP_DEFLATED)

    @classmethod
    def load(cls, path: Path, state: Mapping[str, Any]) -> TableFeatures:
        """Read what `save` and `state` gave; a file with a type that is not in TRUSTED is refused."""
        unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
        if unknown:
            raise UserError(
                f"{path.name} must hold only types that overparam itself saves; "
                f"got {', '.join(unknown)}. The file was not opened."
            )
        features = cls()
        features.vectorizer = skops.io.load(path, trusted=list(TRUSTED))
        for name, value in state.items():
            setattr(features, name, np.asarray(value, np.float64) if name == "median" else value)
        return features


def _medians(numbers: np.ndarray) -> np.ndarray:
    """Median of what is there in each column; 0 where nothing is."""
    median = np.zeros(numbers.shape[1])
    for i, column in enumerate(numbers.T):
        known = column[np.isfinite(column)]
        if len(known):
            median[i] = np.median(known)
    return np.clip(median, -_LARGEST, _LARGEST)


def _route(role: str, outputs: list[str]) -> str:
    if role == "category":
        return "codes of the categories"
    if role == "text":
        return f"text: {len(outputs)} components of its letter groups"
    if role == "date":
        return "date: " + ", ".join(name.rpartition("_")[2] for name in outputs)
    return "yes or no as 1 or 0" if role == "boolean" else "number"
