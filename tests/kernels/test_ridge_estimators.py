"""What ridge estimators share, on the smallest solver: the mean of the targets."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from overparam.kernels.ridge_estimators import RidgeClassification, RidgeRegression, class_codes

X = np.arange(12.0).reshape(6, 2)


class Mean(BaseEstimator):
    def _fit(self, X, targets):
        self.mean_ = targets.mean(axis=0)

    def _targets(self, X):
        return np.tile(self.mean_, (len(X), 1))


class MeanRegression(RidgeRegression, Mean):
    pass


class MeanClassification(RidgeClassification, Mean):
    pass


def test_predictions_have_the_shape_of_the_targets():
    y = np.arange(6.0)
    assert MeanRegression().fit(X, y).predict(X[:3]).tolist() == [2.5] * 3
    assert MeanRegression().fit(X, y[:, None]).predict(X[:3]).shape == (3, 1)


def test_two_classes_have_one_score_and_more_have_one_each():
    two = MeanClassification().fit(X, ["a", "a", "b", "a", "b", "a"])
    assert two.decision_function(X[:2]) == pytest.approx([-1 / 3, -1 / 3])
    assert two.predict(X[:2]).tolist() == ["a", "a"]
    three = MeanClassification().fit(X, [7, 8, 9, 9, 9, 8])
    assert three.decision_function(X[:2]).shape == (2, 3)
    assert three.predict(X[:1]).tolist() == [9]


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="y must hold at least 2 classes; got one class, 'a'"):
        class_codes(np.array(["a", "a"], dtype=object))
