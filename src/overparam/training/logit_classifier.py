"""What a scikit-learn classifier says, given its logits."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin


class LogitClassifier(ClassifierMixin):
    """Decisions, probabilities and classes from `_logits(X)` (n, k) and `classes_`."""

    classes_: np.ndarray

    @abstractmethod
    def _logits(self, X: Any) -> np.ndarray:
        """Logits (n, k) of rows X, of a fitted classifier."""

    def decision_function(self, X: Any) -> np.ndarray:
        """Logits (n, k); for two classes the difference of the second and the first, (n,)."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n, k), columns in the order of `classes_`."""
        return softmax(self._logits(X), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row, (n,)."""
        best = self._logits(X).argmax(axis=1)
        return self.classes_[best]
