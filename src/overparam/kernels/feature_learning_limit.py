"""The infinitely wide linear network with one hidden layer that learns features.

For U (n x d) and V (n x c) with standard normal entries, f(x) = V^T U x / n, muP's SGD is

    U -= eta V chi x^T,     V -= eta U x chi^T,     chi = dloss/df, both from the old values.

As n -> infinity, U_0^T U_0 / n -> I_d, V_0^T V_0 / n -> I_c and U_0^T V_0 / n -> 0: the limit is
the same network of width d + c, f = V^T U x without 1/n, started at U = [I_d; 0], V = [0; I_c].
This is exact: the limit costs what a network of that width costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
Task = tuple[Any, Any, Any, Any]  # support inputs and targets, query inputs and targets

LOSSES: dict[str, Loss] = {
    "cross_entropy": torch.nn.functional.cross_entropy,
    "squared": torch.nn.functional.mse_loss,
}


class FeatureLearningLimit:
    """Infinite-width muP limit of a linear network with one hidden layer, trained by SGD.

    Parameters
    ----------
    n_in, n_out : int
    learning_rate : float
        eta, for the mean loss over a batch.
    loss : {"cross_entropy", "squared"} or callable
        ``loss(outputs (B, n_out), targets)`` -> scalar Tensor, differentiable.
    width : int, optional
        A network of this finite width in the same units instead of the limit: entries of U and V
        from N(0, 1/width).
    random_state : int
        For a finite width.
    dtype : torch.dtype

    Attributes
    ----------
    U_, V_ : Tensor of shape (m, n_in), (m, n_out)
        Weights; m = n_in + n_out for the limit.

    Raises
    ------
    ValueError
        If a size is below 1, the rate is not positive or the loss is unknown.

    References
    ----------
    Yang and Hu, "Feature Learning in Infinite-Width Neural Networks", 2021, arXiv:2011.14522,
    section 5.

    Examples
    --------
    >>> limit = FeatureLearningLimit(3, 2, learning_rate=0.1, loss="cross_entropy")
    >>> limit.predict(np.eye(3))  # it starts at zero
    array([[0., 0.],
           [0., 0.],
           [0., 0.]])
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        learning_rate: float,
        loss: str | Loss = "cross_entropy",
        *,
        width: int | None = None,
        random_state: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        for name, value in (("n_in", n_in), ("n_out", n_out), ("width", width or 1)):
            if value < 1:
                raise ValueError(f"{name} must be an integer >= 1; got {value!r}.")
        if not learning_rate > 0:
            raise ValueError(f"learning_rate must be > 0; got {learning_rate!r}.")
        if not callable(loss) and loss not in LOSSES:
            raise ValueError(f"loss must be one of {sorted(LOSSES)} or a function; got {loss!r}.")
        self.n_in, self.n_out = n_in, n_out
        self.learning_rate = learning_rate
        self.loss: Loss = loss if callable(loss) else LOSSES[loss]
        self.dtype = dtype
        if width is None:
            start = torch.eye(n_in + n_out, dtype=dtype)
        else:
            generator = torch.Generator().manual_seed(random_state)
            start = torch.randn(width, n_in + n_out, dtype=dtype, generator=generator)
            start /= width**0.5
        # The columns of U lie in one piece: a sparse step reads and writes few of them.
        self.U_, self.V_ = start[:, :n_in].T.contiguous().T, start[:, n_in:].contiguous()

    def partial_fit(self, X: Any, y: Any) -> FeatureLearningLimit:
        """One step of SGD on a batch.

        Parameters
        ----------
        X : array or scipy sparse matrix of shape (B, n_in)
        y : array
            What the loss takes: labels (B,) or targets (B, n_out).
        """
        x = self._inputs(X)
        h = _times(x, self.U_.T)
        chi = self._slope(h @ self.V_, y)
        eta = self.learning_rate
        through = chi @ self.V_.T  # (B, m), from the old V
        self.V_.sub_(h.T @ chi, alpha=eta)
        _subtract_outer(self.U_, through, x, eta)
        return self

    def fit(
        self, X: Any, y: Any, *, steps: int, batch_size: int | None = None, random_state: int = 0
    ) -> FeatureLearningLimit:
        """SGD for `steps` steps, on the whole or on batches of a shuffled pass after the other.

        Parameters
        ----------
        X : array or scipy sparse matrix of shape (n, n_in)
        y : array of length n
        steps : int
        batch_size : int, optional
            None for all rows at every step.
        random_state : int
        """
        X = X.tocsr() if sparse.issparse(X) else np.asarray(X)
        y, n = np.asarray(y), X.shape[0]
        if batch_size is None or batch_size >= n:
            for _ in range(steps):
                self.partial_fit(X, y)
            return self
        rng, order = np.random.default_rng(random_state), np.empty(0, dtype=int)
        for _ in range(steps):
            if len(order) < batch_size:
                order = np.concatenate([order, rng.permutation(n)])
            rows, order = order[:batch_size], order[batch_size:]
            self.partial_fit(X[rows], y[rows])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Outputs (n, n_out), before any softmax."""
        return (_times(self._inputs(X), self.U_.T) @ self.V_).numpy()

    def embeddings(self) -> np.ndarray:
        """Representations (n_in, m) of the inputs' coordinates: the columns of U."""
        return self.U_.T.numpy().copy()

    def first_order_maml(
        self, tasks: Iterable[Task], inner_learning_rate: float
    ) -> FeatureLearningLimit:
        """One meta-step: adapt to each task by one inner step, and follow the mean query gradient.

        The outer gradient is taken at the adapted weights and applied to the present ones with
        `learning_rate` (first-order MAML).

        Parameters
        ----------
        tasks : iterable of (support X, support y, query X, query y)
        inner_learning_rate : float
            Rate of the one step on the support set.
        """
        tasks = list(tasks)
        slope_U, slope_V = torch.zeros_like(self.U_), torch.zeros_like(self.V_)
        for support, labels, query, query_labels in tasks:
            adapted = self.adapted(support, labels, inner_learning_rate)
            x = self._inputs(query)
            h = adapted.hidden(x)
            chi = self._slope(h @ adapted.V, query_labels)
            slope_V += h.T @ chi
            _subtract_outer(slope_U, chi @ adapted.V.T, x, -1.0)
        self.U_.sub_(slope_U, alpha=self.learning_rate / len(tasks))
        self.V_.sub_(slope_V, alpha=self.learning_rate / len(tasks))
        return self

    def adapted(self, X: Any, y: Any, learning_rate: float) -> Adapted:
        """The network after one step of SGD on a support set; this object stays as it is.

        The adapted U is never formed: U' q = U q - eta G (S q) with G = V chi^T.
        """
        support = self._inputs(X)
        h = _times(support, self.U_.T)
        chi = self._slope(h @ self.V_, y)
        return Adapted(
            self.U_,
            self.V_ - learning_rate * h.T @ chi,
            support,
            learning_rate * chi @ self.V_.T,
        )

    def predict_adapted(self, X: Any, y: Any, query: Any, learning_rate: float) -> np.ndarray:
        """Outputs (n, n_out) for `query` after one step on the support set (X, y)."""
        adapted = self.adapted(X, y, learning_rate)
        return (adapted.hidden(self._inputs(query)) @ adapted.V).numpy()

    def _inputs(self, X: Any) -> Tensor | sparse.csr_array:
        x: Tensor | sparse.csr_array
        if sparse.issparse(X):
            x = sparse.csr_array(X, dtype=torch.empty(0, dtype=self.dtype).numpy().dtype)
        else:
            x = torch.as_tensor(X if isinstance(X, Tensor) else np.asarray(X), dtype=self.dtype)
        if x.ndim != 2 or x.shape[1] != self.n_in:
            raise ValueError(f"X must have shape (n, {self.n_in}); got {tuple(x.shape)}.")
        return x

    def _slope(self, outputs: Tensor, y: Any) -> Tensor:
        """Derivative (B, n_out) of the loss with respect to the outputs."""
        targets = torch.as_tensor(np.asarray(y) if not isinstance(y, Tensor) else y)
        if targets.is_floating_point():
            targets = targets.to(self.dtype)
        leaf = outputs.detach().requires_grad_()
        return torch.autograd.grad(self.loss(leaf, targets), leaf)[0]


class Adapted:
    """A network one step away from another, its first layer kept as a low-rank change."""

    def __init__(
        self, U: Tensor, V: Tensor, support: Tensor | sparse.csr_array, change: Tensor
    ) -> None:
        self._U, self.V, self._change = U, V, change
        self._support = support if isinstance(support, Tensor) else torch.tensor(support.toarray())

    def hidden(self, x: Tensor | sparse.csr_array) -> Tensor:
        """Hidden representation (n, m) of inputs (n, n_in)."""
        near = _times(x, self._support.T)  # (n, support)
        return _times(x, self._U.T) - near @ self._change


def _times(x: Tensor | sparse.csr_array, matrix: Tensor) -> Tensor:
    return x @ matrix if isinstance(x, Tensor) else torch.from_numpy(x @ matrix.numpy())


def _subtract_outer(U: Tensor, through: Tensor, x: Tensor | sparse.csr_array, rate: float) -> None:
    """U -= rate * through^T x; of sparse inputs only the columns that occur are touched."""
    if isinstance(x, Tensor):
        U.sub_(through.T @ x, alpha=rate)
        return
    columns = np.unique(x.indices)
    change = torch.from_numpy(x[:, columns].T @ through.numpy())  # (columns, m)
    U.T.index_add_(0, torch.from_numpy(columns.astype(np.int64)), change, alpha=-rate)
