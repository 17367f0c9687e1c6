"""A two-layer ReLU network by full-batch gradient descent, as a scikit-learn classifier."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from overparam.training.run_history import RunHistory
from overparam.training.two_layer_descent import (
    DirectForm,
    GramForm,
    Loss,
    Moment,
    descend,
    linear_share,
)

Method = Literal["auto", "gram", "direct"]


class TwoLayerReLU(ClassifierMixin, BaseEstimator):
    """f(x) = sum_j a_j relu(<w_j, x>) for two classes; W is trained, a stays.

    From a tiny start and in a high dimension its first step is a linear classifier that fits all
    labels; what it learns later is another matter (arXiv 2310.02541).

    Parameters
    ----------
    hidden : int
        Neurons m.
    step : float
        Learning rate of the mean loss. For another scale s of the data take step / s^2 and
        init_std / s: the outputs are the same.
    n_steps : int
        Updates, each with all rows.
    init_std : float
        Of the first layer's entries. A large one hides what the first step does.
    loss : {"logistic", "exponential"}
    method : {"auto", "gram", "direct"}
        `gram` needs n (n + n_test) p operations once and then n (n + n_test) m a step, `direct`
        (n + n_test) p m a step; `auto` takes the cheaper one.
    random_state : int
        Of the start.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels; the second one is y = +1.
    weights_ : ndarray of shape (m, p)
    a_ : ndarray of shape (m,)
        +-1 / sqrt(m).
    coef_dual_ : ndarray of shape (n, m)
        A of W = W0 + A^T X.
    history_ : polars.DataFrame
        A row for each step 0..n_steps: `step`, `train_accuracy`, `test_accuracy` (null without
        test rows; an output of exactly 0 counts as wrong), `loss`, `linear_part` (of the outputs on
        the test rows where there are any, else on the training rows; see
        `diagnostics.linear_part`).
    train_output_, test_output_ : ndarray of shape (n_steps + 1, rows)
        f at each step; `test_output_` is None without test rows.

    Notes
    -----
    Rows of float32 are trained in float32, all others in float64.

    Examples
    --------
    >>> from overparam.data.synthetic import xor_clusters
    >>> X, y, _ = xor_clusters(200, 4000, 16.0, flip=0.1, seed=0)
    >>> X_test, _, y_test = xor_clusters(500, 4000, 16.0, seed=1)
    >>> net = TwoLayerReLU(hidden=64).fit(X, y, X_test, y_test)
    >>> bool(net.history_["train_accuracy"][30] == 1), bool(net.history_["test_accuracy"][30] > 0.9)
    (True, True)
    """

    def __init__(
        self,
        hidden: int = 256,
        step: float = 0.02,
        n_steps: int = 30,
        init_std: float = 1e-5,
        loss: Loss = "logistic",
        method: Method = "auto",
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.step = step
        self.n_steps = n_steps
        self.init_std = init_std
        self.loss = loss
        self.method = method
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        X_test: Any = None,
        y_test: Any = None,
        W0: Any = None,
        a: Any = None,
    ) -> TwoLayerReLU:
        """Train on X (n, p) and y (n,) of two classes.

        Parameters
        ----------
        X, y
            Training rows and labels.
        X_test, y_test : optional
            Rows that are only watched.
        W0 : array (m, p), optional
            The start of the first layer; drawn by default.
        a : array (m,), optional
            The second layer; drawn by default.

        Raises
        ------
        ValueError
            If there are not two classes, lengths or shapes differ, a parameter lies outside its
            range, or the training leaves the finite numbers.
        """
        self._check()
        X, y = validate_data(self, X, y, dtype=[np.float32, np.float64])
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) != 2:
            kinds = "one class" if len(self.classes_) == 1 else f"{len(self.classes_)} classes"
            raise ValueError(
                f"y must hold 2 classes; got {kinds}. Only binary classification is supported."
            )
        signs = self._signs(y)
        watched, test_signs = self._test_rows(X_test, y_test, X.dtype)
        W0, self.a_ = self._start(W0, a, X)
        moments = self._descend(X, signs, W0, watched)
        self.train_output_ = np.stack([moment.output for moment in moments])
        self.test_output_ = None
        if watched is not None:
            tests = [moment.test_output for moment in moments if moment.test_output is not None]
            self.test_output_ = np.stack(tests)
        self.history_ = self._table(moments, signs, test_signs)
        self._rows = (len(X), None if watched is None else len(watched))
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """f (n,), positive for the second class."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=self.weights_.dtype, reset=False)
        return np.asarray(np.maximum(X @ self.weights_.T, 0) @ self.a_)

    def predict(self, X: Any) -> np.ndarray:
        """The class of each row, (n,)."""
        positive = self.decision_function(X) > 0
        return np.asarray(self.classes_[positive.astype(int)])

    def as_run_history(self) -> RunHistory:
        """`history_` in the form that diagnostics read, whoever trained."""
        check_is_fitted(self)
        history = RunHistory()
        train_rows, test_rows = self._rows
        rows, where = (train_rows, "train") if test_rows is None else (test_rows, "test")
        for row in self.history_.iter_rows(named=True):
            fit = {"accuracy": row["train_accuracy"], "loss": row["loss"]}
            history.add(row["step"], fit, split="train", rows=train_rows)
            if test_rows is not None:
                seen = {"accuracy": row["test_accuracy"]}
                history.add(row["step"], seen, split="test", rows=test_rows)
            history.add(row["step"], {"linear_part": row["linear_part"]}, split=where, rows=rows)
        return history

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _check(self) -> None:
        for name in ("hidden", "n_steps"):
            value = getattr(self, name)
            if value != int(value) or value < (1 if name == "hidden" else 0):
                least = 1 if name == "hidden" else 0
                raise ValueError(f"{name} must be an integer >= {least}; got {value!r}.")
        if not self.step > 0:
            raise ValueError(f"step must be a number > 0; got {self.step!r}.")
        if not self.init_std >= 0:
            raise ValueError(f"init_std must be a number >= 0; got {self.init_std!r}.")
        if self.loss not in ("logistic", "exponential"):
            raise ValueError(f"loss must be 'logistic' or 'exponential'; got {self.loss!r}.")
        if self.method not in ("auto", "gram", "direct"):
            raise ValueError(f"method must be 'auto', 'gram' or 'direct'; got {self.method!r}.")

    def _signs(self, y: np.ndarray) -> np.ndarray:
        """Labels as -1 and 1."""
        return np.where(y == self.classes_[1], 1.0, -1.0)

    def _test_rows(
        self, X_test: Any, y_test: Any, dtype: Any
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        if (X_test is None) != (y_test is None):
            raise ValueError("X_test and y_test must be given together; got one of them.")
        if X_test is None:
            return None, None
        rows, labels = validate_data(self, X_test, y_test, dtype=dtype, reset=False)
        unknown = set(np.unique(labels).tolist()) - set(self.classes_.tolist())
        if unknown:
            raise ValueError(
                f"y_test must hold the classes of y, {self.classes_.tolist()}; got {unknown}."
            )
        return rows, self._signs(labels)

    def _start(self, W0: Any, a: Any, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        m, rng = self.hidden, np.random.default_rng(self.random_state)
        m = m if W0 is None else len(W0)
        m = m if a is None else len(a)
        drawn, signs = rng.standard_normal((m, X.shape[1])), rng.choice([-1.0, 1.0], m)
        W0 = self.init_std * drawn if W0 is None else np.asarray(W0)
        a = signs / np.sqrt(m) if a is None else np.asarray(a)
        if W0.shape != (m, X.shape[1]) or a.shape != (m,):
            raise ValueError(
                f"W0 must have shape (neurons, {X.shape[1]}) and a (neurons,); "
                f"got {W0.shape} and {a.shape}."
            )
        return W0.astype(X.dtype), a.astype(X.dtype)

    def _descend(
        self, X: np.ndarray, signs: np.ndarray, W0: np.ndarray, watched: np.ndarray | None
    ) -> list[Moment]:
        """Train by the cheaper form; sets the weights."""
        steps: dict[str, Any] = {
            "step": self.step,
            "n_steps": int(self.n_steps),
            "loss": self.loss,
        }
        rows = len(X) + (0 if watched is None else len(watched))
        if self._method(len(X), X.shape[1], rows, len(W0)) == "direct":
            direct = DirectForm(X, W0, watched)
            moments = list(descend(direct, signs, self.a_, **steps))
            self.coef_dual_, self.weights_ = direct.dual, direct.weights
        else:
            gram = GramForm.of(X, W0, watched)
            moments = list(descend(gram, signs, self.a_, **steps))
            self.coef_dual_, self.weights_ = gram.dual, W0 + gram.dual.T @ X
        return moments

    def _method(self, n: int, p: int, rows: int, m: int) -> str:
        if self.method != "auto":
            return self.method
        direct = (self.n_steps + 1) * (rows + n) * p * m
        gram = rows * p * (n + m) + (self.n_steps + 1) * rows * n * m + n * p * m
        return "gram" if gram < direct else "direct"

    @staticmethod
    def _table(
        moments: list[Moment], signs: np.ndarray, test_signs: np.ndarray | None
    ) -> pl.DataFrame:
        rows = []
        for moment in moments:
            output, linear, right = moment.output, moment.linear, None
            train = float((output * signs > 0).mean())
            if test_signs is not None:
                assert moment.test_output is not None
                assert moment.test_linear is not None
                output, linear = moment.test_output, moment.test_linear
                right = float((output * test_signs > 0).mean())
            share = float(linear_share(output.astype(float), linear.astype(float)))
            rows.append((moment.step, train, right, float(moment.loss), share))
        names = ("step", "train_accuracy", "test_accuracy", "loss", "linear_part")
        kinds = (pl.Int64, *[pl.Float64] * 4)
        return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")
