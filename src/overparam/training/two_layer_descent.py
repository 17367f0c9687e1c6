"""Full-batch gradient descent on a two-layer ReLU network, in two exactly equal forms.

    f(x) = sum_j a_j relu(<w_j, x>)                                    m neurons, no bias, a fixed
    w_j <- w_j + (step / n) sum_i g_i y_i a_j 1[<w_j, x_i> > 0] x_i    all j from the values before
    g_i = 1 / (1 + exp(y_i f(x_i))) (logistic), exp(-y_i f(x_i)) (exponential)

Every update is a combination of training rows: W = W0 + A^T X with A (n, m). The *direct form*
moves W, at n p m a step. The *Gram form* moves A alone: with K = X X^T once, the pre-activations
are X W0^T + K A on training rows and X_test W0^T + X_test X^T A on others, and p leaves the loop.

Arrays may have leading axes (S, ...): runs of several seeds as one stack. (arXiv 2310.02541)
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy.special import expit

Loss = Literal["logistic", "exponential"]


class Form(Protocol):
    """A state of training; `dual` (..., n, m) is A."""

    dual: np.ndarray

    def rows(self) -> np.ndarray:
        """Pre-activations of the training rows (..., n, m)."""
        ...

    def test_rows(self) -> np.ndarray | None:
        """Those of the test rows (..., n_test, m), where there are any."""
        ...

    def move(self, change: np.ndarray) -> None:
        """Add `change` (..., n, m) to A."""
        ...


class GramForm:
    """A moves; K and the start are given.

    Parameters
    ----------
    gram : ndarray (..., n, n)
        K = X X^T.
    start : ndarray (..., n, m)
        X W0^T.
    test_gram, test_start : ndarray (..., n_test, n) and (..., n_test, m), optional
        X_test X^T and X_test W0^T.
    """

    def __init__(
        self,
        gram: np.ndarray,
        start: np.ndarray,
        test_gram: np.ndarray | None = None,
        test_start: np.ndarray | None = None,
    ) -> None:
        self._gram, self._start = gram, start
        self._test_gram, self._test_start = test_gram, test_start
        self.dual = np.zeros_like(start)

    @classmethod
    def of(cls, X: np.ndarray, W0: np.ndarray, X_test: np.ndarray | None = None) -> GramForm:
        """From the rows (..., n, p) and W0 (..., m, p)."""
        rows, turned = X.swapaxes(-1, -2), W0.swapaxes(-1, -2)
        if X_test is None:
            return cls(X @ rows, X @ turned)
        return cls(X @ rows, X @ turned, X_test @ rows, X_test @ turned)

    def rows(self) -> np.ndarray:
        """See `Form`."""
        return self._start + self._gram @ self.dual

    def test_rows(self) -> np.ndarray | None:
        """See `Form`."""
        if self._test_gram is None:
            return None
        return self._test_start + self._test_gram @ self.dual

    def move(self, change: np.ndarray) -> None:
        """See `Form`."""
        self.dual += change


class DirectForm:
    """W itself moves; A is only counted up.

    Parameters
    ----------
    X : ndarray (..., n, p)
    W0 : ndarray (..., m, p)
    X_test : ndarray (..., n_test, p), optional
    """

    def __init__(self, X: np.ndarray, W0: np.ndarray, X_test: np.ndarray | None = None) -> None:
        self._X, self._X_test = X, X_test
        self.weights = W0.copy()
        self.dual = np.zeros((*X.shape[:-1], W0.shape[-2]), X.dtype)

    def rows(self) -> np.ndarray:
        """See `Form`."""
        return self._X @ self.weights.swapaxes(-1, -2)

    def test_rows(self) -> np.ndarray | None:
        """See `Form`."""
        return None if self._X_test is None else self._X_test @ self.weights.swapaxes(-1, -2)

    def move(self, change: np.ndarray) -> None:
        """See `Form`."""
        self.dual += change
        self.weights += change.swapaxes(-1, -2) @ self._X


@dataclass(frozen=True)
class Moment:
    """What the network shows after `step` updates.

    Attributes
    ----------
    step : int
    output, linear : ndarray (..., n)
        f on the training rows, and its linear part (sum_j a_j <w_j, x>) / 2.
    loss : ndarray (...,)
        Mean loss.
    test_output, test_linear : ndarray (..., n_test) or None
    """

    step: int
    output: np.ndarray
    linear: np.ndarray
    loss: np.ndarray
    test_output: np.ndarray | None
    test_linear: np.ndarray | None


def descend(
    form: Form,
    y: np.ndarray,
    a: np.ndarray,
    *,
    step: float,
    n_steps: int,
    loss: Loss = "logistic",
    at: Container[int] | None = None,
) -> Iterator[Moment]:
    """Train, and yield what the network shows: the caller may look at `form` at each moment.

    Parameters
    ----------
    form : Form
        Where training starts; it is changed.
    y : ndarray (..., n)
        Labels in {-1, 1}.
    a : ndarray (..., m)
        The second layer.
    step : float
        Learning rate.
    n_steps : int
        Updates.
    loss : {"logistic", "exponential"}
    at : container of int, optional
        Steps to yield, all by default; test rows are passed forward only there.

    Raises
    ------
    ValueError
        If labels are not in {-1, 1}, or outputs are no longer finite.
    """
    if not np.isin(y, (-1, 1)).all():
        raise ValueError(f"y must hold labels in {{-1, 1}}; got {np.unique(y)[:5]}.")
    y = y.astype(a.dtype)
    rate = step / y.shape[-1]
    for done in range(n_steps + 1):
        with np.errstate(over="ignore", invalid="ignore"):  # told by the next lines
            before = form.rows()
            output = _read(np.maximum(before, 0), a)
        if not np.isfinite(output).all():
            raise ValueError(
                f"step must be small enough for the training to stay finite; got {step:g}, "
                f"which left it after {done} updates."
            )
        if at is None or done in at:
            yield _moment(form, done, before, output, y, a, loss)
        if done < n_steps:
            pull = rate * slope(y * output, loss) * y
            with np.errstate(over="ignore", invalid="ignore"):
                form.move((before > 0) * pull[..., None] * a[..., None, :])


def slope(margins: np.ndarray, loss: Loss) -> np.ndarray:
    """g, minus the derivative of the loss, at margins y f."""
    if loss == "logistic":
        return expit(-margins)
    with np.errstate(over="ignore"):
        return np.exp(-margins)


def linear_share(output: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Share (...,) of the variance of `output` (..., n) that `linear` and a constant explain.

    For relu(z) = z / 2 + |z| / 2 the rest is the even part of the network. With the constant,
    |<v, x>| has share 0; where outputs have mean 0 it makes no difference. NaN for constant output.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - (output - linear).var(axis=-1) / output.var(axis=-1)


def _moment(
    form: Form,
    done: int,
    before: np.ndarray,
    output: np.ndarray,
    y: np.ndarray,
    a: np.ndarray,
    loss: Loss,
) -> Moment:
    margins = (y * output).astype(float)
    values = np.logaddexp(0, -margins) if loss == "logistic" else slope(margins, loss)
    test = form.test_rows()
    return Moment(
        step=done,
        output=output,
        linear=_read(before, a) / 2,
        loss=values.mean(axis=-1),
        test_output=None if test is None else _read(np.maximum(test, 0), a),
        test_linear=None if test is None else _read(test, a) / 2,
    )


def _read(hidden: np.ndarray, a: np.ndarray) -> np.ndarray:
    """(..., n, m) and (..., m) -> (..., n)."""
    return (hidden @ a[..., None])[..., 0]
