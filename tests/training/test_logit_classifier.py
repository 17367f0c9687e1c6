"""Decisions, probabilities and classes follow from the logits."""

import numpy as np
import pytest

from overparam.training.logit_classifier import LogitClassifier


class Given(LogitClassifier):
    """Its rows are the logits."""

    def __init__(self, k):
        self.classes_ = np.array(["a", "b", "c"][:k])

    def _logits(self, X):
        return np.asarray(X, dtype=float)


@pytest.mark.parametrize("k", [2, 3])
def test_all_answers_agree(k):
    logits = np.random.default_rng(0).normal(size=(20, k))
    model = Given(k)
    p = model.predict_proba(logits)
    np.testing.assert_allclose(p, np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
    np.testing.assert_array_equal(model.predict(logits), model.classes_[p.argmax(1)])


def test_two_classes_have_one_decision():
    logits = np.array([[1.0, 3.0], [2.0, -1.0]])
    np.testing.assert_array_equal(Given(2).decision_function(logits), [2.0, -3.0])
    np.testing.assert_array_equal(Given(3).decision_function(np.eye(3)), np.eye(3))
