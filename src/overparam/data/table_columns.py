"""Column encoders that TableVectorizer applies to categories and to short texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.pipeline import make_pipeline

_TEXTS_TO_FIT = 5_000  # distinct texts are enough to learn 16 directions
_HASHES = 4_096


class CategoryCodes(TransformerMixin, BaseEstimator):
    """Categories as whole numbers: 0 for missing or never seen, then 1, 2, ... in sorted order.

    Attributes
    ----------
    categories_ : list of list of str
        The categories of each column; column i takes codes 0 to len(categories_[i]).
    """

    def fit(self, X: pl.DataFrame, y: Any = None) -> CategoryCodes:
        """Learn the categories of each column of strings."""
        self.categories_ = [s.drop_nulls().unique().sort().to_list() for s in X]
        return self

    def transform(self, X: pl.DataFrame) -> pl.DataFrame:
        """Return the codes as float32 columns of the same names."""
        return pl.DataFrame(
            [
                series.replace_strict(
                    pl.Series(known, dtype=pl.String),
                    pl.Series(np.arange(1, len(known) + 1), dtype=pl.Float32),
                    default=pl.lit(0.0, pl.Float32),
                    return_dtype=pl.Float32,
                ).fill_null(0.0)
                for series, known in zip(X, self.categories_, strict=True)
            ]
        )


class TextComponents(TransformerMixin, BaseEstimator):
    """A column of short texts as a few numbers: latent semantic analysis of its letter groups.

    Counts of groups of 3 and 4 letters, hashed to 4,096 columns, weighted by rarity (tf-idf) and
    reduced by a truncated singular value decomposition: skrub's StringEncoder, but with a file of
    bounded size. Fitted on at most 5,000 distinct values and applied once to each distinct value,
    so the cost grows with the number of distinct texts, not of rows.

    Parameters
    ----------
    n_components : int
        Most numbers a text becomes; fewer where the texts hold less.
    """

    def __init__(self, n_components: int = 16) -> None:
        self.n_components = n_components

    def fit(self, X: pl.DataFrame, y: Any = None) -> TextComponents:
        """Learn from one column of strings."""
        values = X.to_series(0).drop_nulls().unique().sort()
        values = values.filter(values.str.contains(r"\S"))
        if len(values) > _TEXTS_TO_FIT:
            values = values.sample(_TEXTS_TO_FIT, seed=0)
        self.n_components_ = max(1, min(self.n_components, len(values) - 1))
        self.encoder_ = None
        if len(values) > 1:
            self.encoder_ = make_pipeline(
                HashingVectorizer(
                    analyzer="char_wb", ngram_range=(3, 4), n_features=_HASHES, alternate_sign=False
                ),
                TfidfTransformer(),
                TruncatedSVD(self.n_components_, random_state=0),
            )
            components = self.encoder_.fit_transform(values.to_list())
            self.scale_ = float(np.sqrt(np.mean(components**2))) or 1.0
        return self

    def transform(self, X: pl.DataFrame) -> pl.DataFrame:
        """Return float32 columns NAME_0, NAME_1, ...; a missing text is all zeros."""
        text = X.to_series(0).fill_null("")
        components = np.zeros((len(text), self.n_components_), np.float32)
        if self.encoder_ is not None and len(text):
            distinct = text.unique().sort().to_list()
            position = text.rank("dense").to_numpy().astype(np.int64) - 1
            components = (self.encoder_.transform(distinct) / self.scale_).astype(np.float32)
            components = components[position]
        names = [f"{X.columns[0]}_{i}" for i in range(self.n_components_)]
        return pl.DataFrame(components, schema=names)
