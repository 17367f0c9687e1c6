"""What estimators of ridge regression share, whatever solves it: targets in, predictions out.

A subclass brings `_fit(X (n, d), targets (n, t))` and `_targets(X) -> (n, t)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data


class RidgeRegression(RegressorMixin, MultiOutputMixin):
    """Numbers as targets, one or several."""

    _accepts: ClassVar[dict[str, Any]] = {"dtype": np.float64, "ensure_min_samples": 2}
    _fit: Callable[..., None]
    _targets: Callable[..., np.ndarray]

    def fit(self, X: Any, y: Any) -> Self:
        """Fit X (n, d) and targets y (n,) or (n, t)."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, **self._accepts)
        self._one_target = y.ndim == 1
        self._fit(X, y.reshape(len(y), -1).astype(np.float64))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicted targets, (n,) or (n, t) like y."""
        found = self._targets(X)
        return found[:, 0] if self._one_target else found


class RidgeClassification(ClassifierMixin):
    """Labels, as one-hot targets."""

    _fit: Callable[..., None]
    _targets: Callable[..., np.ndarray]

    def fit(self, X: Any, y: Any) -> Self:
        """Fit X (n, d) and labels y (n,)."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = class_codes(y)
        self._fit(X, np.eye(len(self.classes_))[codes])
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Predicted one-hot targets (n, k); for two classes the second minus the first, (n,)."""
        found = self._targets(X)
        return found[:, 1] - found[:, 0] if found.shape[1] == 2 else found

    def predict(self, X: Any) -> np.ndarray:
        """The class of the largest target of each row, (n,)."""
        best = self._targets(X).argmax(axis=1)
        return self.classes_[best]


def class_codes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes (k,) and codes (n,) of labels y (n,); one class only is a ValueError."""
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y must hold at least 2 classes; got one class, {classes[0]!r}.")
    return classes, codes
