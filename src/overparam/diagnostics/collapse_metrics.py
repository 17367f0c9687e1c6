"""How far the features of a classifier have collapsed to their class means (arXiv 2301.00437).

mu_k are the class means, Mu = [mu_1 ... mu_K], C = Mu - mean of the mu_k, W the product of the
linear layers above the features; S_W = (1/N) sum (h - mu_y)(h - mu_y)^T, S_B = (1/K) C C^T.

    nc1              Tr(S_W pinv(S_B)) / K             nc1_trace   Tr S_W / Tr S_B
    nc2_orthogonal   || G/||G|| - I/sqrt(K) ||         G = Mu^T Mu
    nc2_etf          || G_c/||G_c|| - (I - 11^T/K)/sqrt(K-1) ||,  G_c = C^T C
    nc3              || W/||W|| - Mu^T/||Mu|| ||       nc3_centred: C for Mu

All are 0 at full collapse, for a classifier without biases (orthogonal means) or with (simplex).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

_CUT = 1e-8  # of the largest eigenvalue of S_B: below, a direction counts as empty
# Numbers of a block: what is computed of the features exists for a block at a time, in cache and
# in memory that the allocator gives again (a copy of all features costs more than their product).
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Collapse:
    """The metrics; each a number, or an array (...,) for features (..., n, d).

    Attributes
    ----------
    nc1, nc1_trace : float
        Scatter within classes relative to that between them. `nc1` weighs every direction between
        classes alike and explodes where one of them is nearly empty; the ratio of traces does not.
    nc2_etf, nc2_orthogonal : float
        Distance of the means' Gram matrix from a simplex frame, and from an orthogonal frame. An
        orthogonal frame is a simplex once it is centred: `nc2_etf` alone does not tell them apart.
    nc3, nc3_centred : float
        Distance of the classifier from the means; NaN without `weight`.
    nc4 : float
        Share of points whose class by the network is not that of the nearest mean; NaN without
        `weight`, and where features were streamed.
    class_norms, weight_norms : ndarray of shape (..., K)
        Norms of the class means and of the rows of W.
    mean_cosines : ndarray of shape (..., K, K)
        Cosines between class means: the frame, as a picture shows it.
    """

    nc1: Any
    nc1_trace: Any
    nc2_etf: Any
    nc2_orthogonal: Any
    nc3: Any
    nc3_centred: Any
    nc4: Any
    class_norms: np.ndarray
    weight_norms: np.ndarray
    mean_cosines: np.ndarray

    def scalars(self) -> dict[str, Any]:
        """The metrics without what concerns single classes."""
        return {k: v for k, v in vars(self).items() if k.startswith("nc")}


def neural_collapse(features: Any, labels: Any, weight: Any = None, bias: Any = None) -> Collapse:
    """Measure neural collapse of features in memory.

    Parameters
    ----------
    features : array or Tensor of shape (..., n, d)
        Leading axes are members or layers of equal width.
    labels : array of shape (n,), int
        Each of 0 .. K - 1 at least once.
    weight : array of shape (..., K, d), optional
        The product of all linear layers above the features.
    bias : array of shape (..., K), optional
        Of the outputs; moves `nc4` only.

    Returns
    -------
    Collapse

    Raises
    ------
    ValueError
        If shapes disagree or a class has no example.

    Notes
    -----
    O(n d K): the scatter within classes is projected on the span of the means, never formed.
    `ClassMoments` takes features batch by batch instead, at O(n d^2).

    Examples
    --------
    >>> y = np.arange(6) % 3
    >>> collapsed = neural_collapse(np.eye(3)[y], y, np.eye(3))
    >>> [round(value, 6) for value in (collapsed.nc1, collapsed.nc2_orthogonal, collapsed.nc3)]
    [0.0, 0.0, 0.0]
    """
    h, y = _features(features), _labels(labels)
    n_classes = int(y.max()) + 1 if weight is None else torch.as_tensor(weight).shape[-2]
    counts = _check(h, y, n_classes)
    means = _class_sums(h, y, n_classes) / counts[:, None]
    directions, strengths = _between(means)
    within = h.new_zeros(h.shape[:-2], dtype=torch.float64)
    seen = torch.zeros_like(strengths)
    centres, axes = means.to(h.dtype), directions.to(h.dtype)
    for rows in _blocks(h):
        z = _residuals(h, y, centres, rows)
        within += torch.linalg.vector_norm(z, dim=(-1, -2)).double().square()
        seen += (z @ axes).square_().sum(-2).double()
    return _assembled(means, strengths, within / len(y), seen / len(y), weight, (h, y, bias))


class ClassMoments:
    """Neural collapse in one pass over batches, in O(d^2 + K d) memory.

    Parameters
    ----------
    n_classes : int

    Notes
    -----
    Moments are those of the differences from each class's mean in the batch that first showed it:
    subtracting squares of means would leave nothing of a scatter of 1e-11 of them.

    Examples
    --------
    >>> y = np.arange(6) % 3
    >>> moments = ClassMoments(3)
    >>> moments.update(np.eye(3)[y], y)
    >>> float(moments.collapse().nc1)
    0.0
    """

    def __init__(self, n_classes: int) -> None:
        if n_classes < 2:
            raise ValueError(f"n_classes must be an integer >= 2; got {n_classes!r}.")
        self.n_classes = n_classes
        self._counts = torch.zeros(n_classes, dtype=torch.float64)
        self._references: Tensor | None = None

    def update(self, features: Any, labels: Any) -> None:
        """Take a batch: features (B, d), labels (B,).

        Raises
        ------
        ValueError
            If shapes disagree, with those of earlier batches too, or a label is outside the
            classes.
        """
        h, y = _features(features), _labels(labels)
        _shapes(h, y, self.n_classes)
        if self._references is None:
            d = h.shape[-1]
            self._references = h.new_zeros((self.n_classes, d))
            self._sums = h.new_zeros((self.n_classes, d), dtype=torch.float64)
            self._second = h.new_zeros((d, d), dtype=torch.float64)
            self._counts = self._counts.to(h.device)
        elif h.shape[-1] != self._references.shape[1]:
            raise ValueError(
                f"features must have {self._references.shape[1]} columns as before; "
                f"got {h.shape[-1]}."
            )
        counts = torch.bincount(y, minlength=self.n_classes).double()
        new = (self._counts == 0) & (counts > 0)
        if new.any():
            first = _class_sums(h, y, self.n_classes)[new] / counts[new, None]
            self._references[new] = first.to(h.dtype)
        for rows in _blocks(h):
            z = _residuals(h, y, self._references, rows)
            self._sums.index_add_(0, y[rows], z.double())
            self._second += _gram(z)
        self._counts += counts

    def collapse(self, weight: Any = None) -> Collapse:
        """The metrics of all batches so far; `nc4` would need a second pass and is NaN.

        Raises
        ------
        ValueError
            If a class had no example, or the weight's shape disagrees.
        """
        _all_there(self._counts)
        assert self._references is not None
        shifts = self._sums / self._counts[:, None]
        means = self._references.double() + shifts
        n = self._counts.sum()
        within = (self._second - (shifts * self._counts[:, None]).T @ shifts) / n
        directions, strengths = _between(means)
        seen = ((within @ directions) * directions).sum(0).clamp(min=0)
        trace = within.diagonal().sum().clamp(min=0)
        return _assembled(means, strengths, trace, seen, weight, None)


def _features(features: Any) -> Tensor:
    h = torch.as_tensor(features).detach()
    if h.dim() < 2 or not h.is_floating_point():
        raise ValueError(
            f"features must be numbers of shape (..., n, d); got {tuple(h.shape)} of {h.dtype}."
        )
    return h if h.dtype in (torch.float32, torch.float64) else h.float()


def _labels(labels: Any) -> Tensor:
    y = torch.as_tensor(labels)
    if y.dim() != 1 or y.is_floating_point():
        raise ValueError(f"labels must be integers of shape (n,); got {tuple(y.shape)}, {y.dtype}.")
    return y.long()


def _shapes(h: Tensor, y: Tensor, n_classes: int) -> None:
    if h.shape[-2] != len(y):
        raise ValueError(
            f"labels must have one entry per row of features; got {len(y)} labels for "
            f"{h.shape[-2]} rows."
        )
    if len(y) and not 0 <= int(y.min()) <= int(y.max()) < n_classes:
        raise ValueError(
            f"labels must be in 0 .. {n_classes - 1}; got {int(y.min())} to {int(y.max())}."
        )


def _check(h: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """Class sizes (K,), after checking that everything fits."""
    _shapes(h, y, n_classes)
    counts = torch.bincount(y, minlength=n_classes).double()
    _all_there(counts)
    return counts


def _all_there(counts: Tensor) -> None:
    empty = (counts == 0).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"labels must name each class at least once; got none of {empty}.")


def _class_sums(h: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """Sums (..., K, d) of the features of each class, in double precision."""
    sums = h.new_zeros((*h.shape[:-2], n_classes, h.shape[-1]), dtype=torch.float64)
    for rows in _blocks(h):
        sums.index_add_(-2, y[rows], h[..., rows, :].double())
    return sums


def _blocks(h: Tensor) -> Iterator[slice]:
    """Cut the rows of features (..., n, d)."""
    n = h.shape[-2]
    size = max(16, _BLOCK * n // max(1, h.numel()))
    for start in range(0, n, size):
        yield slice(start, start + size)


def _residuals(h: Tensor, y: Tensor, centres: Tensor, rows: slice) -> Tensor:
    """Features of some rows minus the centre (..., K, d) of their class."""
    z = centres.index_select(-2, y[rows])
    return torch.sub(h[..., rows, :], z, out=z)


def _gram(z: Tensor) -> Tensor:
    """z^T z; on a CPU by NumPy, which computes half of it (BLAS syrk) where PyTorch does all."""
    if z.device.type != "cpu":
        return z.T @ z
    a = z.numpy()
    return torch.from_numpy(a.T @ a)


def _between(means: Tensor) -> tuple[Tensor, Tensor]:
    """Directions (..., d, r) between classes and 1 / eigenvalue of S_B on each, 0 where empty."""
    centred = means - means.mean(-2, keepdim=True)
    _, s, v = torch.linalg.svd(centred, full_matrices=False)
    values = s.square() / means.shape[-2]
    kept = values > _CUT * values.amax(-1, keepdim=True)
    return v.mT, torch.where(kept, 1 / values.where(kept, values.new_ones(())), 0.0)


def _assembled(
    means: Tensor,
    strengths: Tensor,
    within: Tensor,
    seen: Tensor,
    weight: Any,
    points: tuple[Tensor, Tensor, Any] | None,
) -> Collapse:
    n_classes = means.shape[-2]
    centred = means - means.mean(-2, keepdim=True)
    between = centred.square().sum((-1, -2)) / n_classes
    eye = torch.eye(n_classes, dtype=means.dtype, device=means.device)
    simplex = (eye - 1 / n_classes) / (n_classes - 1) ** 0.5
    nan = torch.full_like(within, torch.nan)
    nc3, nc3_centred, nc4 = nan, nan, nan
    norms = means.new_zeros((*means.shape[:-2], 0))
    if weight is not None:
        w = torch.as_tensor(weight).detach().to(means.device, means.dtype)
        if w.shape[-2:] != means.shape[-2:]:
            raise ValueError(
                f"weight must have shape {tuple(means.shape[-2:])}, classes x features; "
                f"got {tuple(w.shape)}."
            )
        nc3 = _norm(_unit(w) - _unit(means))
        nc3_centred = _norm(_unit(w) - _unit(centred))
        norms = w.norm(dim=-1)
        if points is not None:
            nc4 = _disagreement(means, w, *points)
    figures = {
        "nc1": (seen * strengths).sum(-1) / n_classes,
        "nc1_trace": within / between,
        "nc2_etf": _norm(_unit(centred @ centred.mT) - simplex),
        "nc2_orthogonal": _norm(_unit(means @ means.mT) - eye / n_classes**0.5),
        "nc3": nc3,
        "nc3_centred": nc3_centred,
        "nc4": nc4,
    }
    unit = torch.nn.functional.normalize(means, dim=-1)
    plain: dict[str, Any] = {
        name: f.cpu().numpy() if f.dim() else float(f) for name, f in figures.items()
    }
    return Collapse(
        **plain,
        class_norms=means.norm(dim=-1).cpu().numpy(),
        weight_norms=norms.cpu().numpy(),
        mean_cosines=(unit @ unit.mT).cpu().numpy(),
    )


def _disagreement(means: Tensor, weight: Tensor, h: Tensor, y: Tensor, bias: Any) -> Tensor:
    """Share (...,) of points that the network puts elsewhere than the nearest class mean."""
    m, w = means.to(h.dtype), weight.to(h.dtype)
    offset = 0.0 if bias is None else torch.as_tensor(bias).to(h).unsqueeze(-2)
    half = m.square().sum(-1).unsqueeze(-2) / 2
    differ = means.new_zeros(means.shape[:-2])
    for rows in _blocks(h):
        x = h[..., rows, :]
        chosen = (x @ w.mT + offset).argmax(-1)
        nearest = (x @ m.mT - half).argmax(-1)
        differ += (chosen != nearest).sum(-1)
    return differ / len(y)


def _norm(a: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(a)


def _unit(a: Tensor) -> Tensor:
    return a / _norm(a)[..., None, None]
