"""Raw features as the arrays that models take; everything learnt comes from the training rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import safetensors.numpy

from overparam.data.fingerprint import fingerprint
from overparam.data.image_scaling import ImageScaling

if TYPE_CHECKING:
    from overparam.data.table_features import TableFeatures

_BLOCK = 65_536


class Preprocessor:
    """Turn raw tables, matrices or images into float32 arrays.

    Tables become (n, d): numbers (booleans, parts of dates, components of texts; missing values
    imputed by the training median), then an indicator for each column with missing values, then the
    codes of categories (whole numbers, 0 = missing or never seen). Matrices stay as they are.
    Images become (n, C, H, W), standardised by channel.

    Attributes
    ----------
    kind : "table", "array" or "image"
    shape : tuple of int
        Shape of one transformed example.
    feature_names : tuple of str
        Names of the d columns; empty for images.
    categorical : tuple of int
        Which columns are category codes.
    cardinalities : tuple of int
        For each of these, the number of codes (0 included).
    routing : dict of str to str
        How each raw column is used, in words.
    n_flat : int
        Number of columns that `flat` gives.
    fingerprint : str
        Hash of what was learnt from; two preprocessors with the same one give the same arrays.
    """

    kind: str
    shape: tuple[int, ...]
    fingerprint: str

    def fit(
        self,
        raw: pl.DataFrame | np.ndarray,
        roles: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
    ) -> Preprocessor:
        """Learn from training rows.

        Parameters
        ----------
        raw : polars.DataFrame, ndarray (n, d), (n, H, W) or (n, H, W, C)
            Training rows, columns typed as their roles say.
        roles : mapping of column name to role
            "number", "category", "date", "text" or "boolean"; needed for a frame only.
        key : str, optional
            The fingerprint, where the caller knows one; else the content of `raw` is hashed.
        """
        self.fingerprint = key or fingerprint([raw, dict(roles or {})])
        self._table: TableFeatures | None = None
        self._image: ImageScaling | None = None
        if isinstance(raw, pl.DataFrame):
            from overparam.data.table_features import TableFeatures  # seconds: skrub, matplotlib

            self.kind = "table"
            self._table = TableFeatures().fit(raw, roles or {})
        elif raw.ndim == 2:
            self.kind = "array"
        else:
            self.kind = "image"
            self._image = ImageScaling().fit(raw)
            channels = raw.shape[3] if raw.ndim == 4 else 1
            self.shape = (channels, *raw.shape[1:3])
            self._center = self._scale = np.zeros(0, np.float32)
            return self
        self._fit_flat(raw)
        return self

    def _fit_flat(self, raw: pl.DataFrame | np.ndarray) -> None:
        X = self.transform(raw)
        self.shape = X.shape[1:]
        numbers = X[:, : self.shape[0] - len(self.categorical)]
        blocks = range(0, len(X), _BLOCK)
        n = max(1, len(X))
        center = sum(numbers[i : i + _BLOCK].sum(axis=0, dtype=np.float64) for i in blocks) / n
        variance = sum(np.square(numbers[i : i + _BLOCK] - center).sum(axis=0) for i in blocks) / n
        scale = np.sqrt(variance)
        flat = scale <= 1e-7 * np.maximum(1, np.abs(center))
        self._center = np.asarray(center, np.float32)
        self._scale = np.where(flat, 1, scale).astype(np.float32)

    @property
    def categorical(self) -> tuple[int, ...]:
        """Which columns are category codes."""
        if self._table is None:
            return ()
        names = self._table.names
        return tuple(range(len(names) - len(self._table.categories), len(names)))

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes of each column of `categorical`."""
        return tuple(self._table.cardinalities) if self._table else ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns; empty for images."""
        if self._table is not None:
            return tuple(self._table.names)
        return tuple(f"x{i}" for i in range(self.shape[0])) if self.kind == "array" else ()

    @property
    def routing(self) -> dict[str, str]:
        """How each raw column is used, in words; empty for matrices and images."""
        return dict(self._table.routing) if self._table else {}

    @property
    def n_flat(self) -> int:
        """Number of columns that `flat` gives."""
        if self.kind == "image":
            return int(np.prod(self.shape))
        return len(self._center) + sum(self.cardinalities)

    def transform(self, raw: pl.DataFrame | np.ndarray) -> np.ndarray:
        """Return (n, d) or (n, C, H, W) float32 of raw rows with the columns seen in `fit`."""
        if self._table is not None:
            assert isinstance(raw, pl.DataFrame)
            return self._table.transform(raw)
        assert isinstance(raw, np.ndarray)
        if self._image is not None:
            return self._image.transform(raw)
        return np.ascontiguousarray(raw, np.float32)

    def flat(self, X: np.ndarray) -> np.ndarray:
        """Return what linear models, neighbours and MLPs take.

        Parameters
        ----------
        X : ndarray (n, ...) float32
            What `transform` gave.

        Returns
        -------
        ndarray (n, n_flat) of float32
            Numbers and indicators standardised by the training rows, categories one-hot (code 0
            has its own column), images flattened.
        """
        if self.kind == "image":
            return X.reshape(len(X), -1)
        n_numbers = len(self._center)
        out = np.zeros((len(X), self.n_flat), np.float32)
        np.subtract(X[:, :n_numbers], self._center, out=out[:, :n_numbers])
        out[:, :n_numbers] /= self._scale
        start, rows = n_numbers, np.arange(len(X))
        for column, cardinality in zip(self.categorical, self.cardinalities, strict=True):
            out[rows, start + X[:, column].astype(np.int64)] = 1
            start += cardinality
        return out

    def save(self, folder: str | Path) -> None:
        """Write the folder: JSON, safetensors, and for tables a skops file; no pickle."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        part: Any = self._table or self._image
        state = {
            "kind": self.kind,
            "shape": list(self.shape),
            "fingerprint": self.fingerprint,
            "part": part.state() if part else None,
        }
        (folder / "preprocessor.json").write_text(json.dumps(state), encoding="utf-8")
        arrays = {"center": self._center, "scale": self._scale}
        safetensors.numpy.save_file(arrays, folder / "preprocessor.safetensors")
        if self._table is not None:
            self._table.save(folder / "vectorizer.skops")

    @classmethod
    def load(cls, folder: str | Path) -> Preprocessor:
        """Read what `save` wrote.

        Raises
        ------
        UserError
            When the file of the vectorizer holds a type that overparam does not save.
        """
        folder = Path(folder)
        state = json.loads((folder / "preprocessor.json").read_text(encoding="utf-8"))
        arrays = safetensors.numpy.load_file(folder / "preprocessor.safetensors")
        loaded = cls()
        loaded.kind, loaded.fingerprint = state["kind"], state["fingerprint"]
        loaded.shape = tuple(state["shape"])
        loaded._center, loaded._scale = arrays["center"], arrays["scale"]
        loaded._table = loaded._image = None
        if loaded.kind == "table":
            from overparam.data.table_features import TableFeatures

            loaded._table = TableFeatures.load(folder / "vectorizer.skops", state["part"])
        elif loaded.kind == "image":
            loaded._image = ImageScaling.load(state["part"])
        return loaded
