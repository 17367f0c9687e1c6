"""How alike two sets of activations on the same inputs are: CKA and RSA.

Of activations X (n, p) and Y (n, q), columns centred, with Gram matrices K = X X' and L = Y Y',

    CKA = <K, L> / (||K|| ||L||) = ||Y'X||^2 / (||X'X|| ||Y'Y||)

(Frobenius products and norms; the second form is the smaller one where p, q < n). With wide layers
and few rows it is near 1 whatever they hold: independent Gaussian features of width 1024 on 64 rows
have 0.94. The debiased form replaces <K, L> by the unbiased estimate of Song et al. (2012),

    [tr(KL) + (1'K1)(1'L1) / ((n-1)(n-2)) - 2/(n-2) 1'KL1] / (n(n-3)),    diagonals set to 0,

which is the product of the two "U-centred" matrices below. It may be negative.

CKA sees neither rotations of the features, nor their scale, nor shifts; other linear maps it does.
Source: Kornblith et al. 2019, as used as a training loss by arXiv 2410.20035.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

FEWEST_ROWS = 4  # the unbiased estimate divides by n - 3; with fewer rows CKA says nothing anyway


def linear_cka(X: Tensor, Y: Tensor, debiased: bool = False) -> Tensor:
    """Linear centered kernel alignment of two sets of activations.

    Parameters
    ----------
    X, Y : Tensor of shape (n, ...)
        Activations of the same n >= 4 inputs; all other axes are flattened.
    debiased : bool
        The unbiased form: report it, but train with the plain one.

    Returns
    -------
    Tensor of shape ()
        In [0, 1] (at most 1 and possibly negative if debiased), differentiable in both arguments.
        0, with a warning, where activations do not vary over the inputs.

    Raises
    ------
    ValueError
        If the numbers of rows differ or are below 4.

    Examples
    --------
    >>> X = torch.arange(12.0).reshape(6, 2) ** 2
    >>> float(linear_cka(X, 3 * X.flip(1) + 1))
    1.0
    """
    _check_pair(X, Y)
    A, B = centred_features(X), centred_features(Y)
    if debiased:
        return cka_from_gram(A @ A.T, B @ B.T, debiased=True)
    if max(A.shape[1], B.shape[1]) < len(A):
        product, a, b = _square(B.T @ A), A.T @ A, B.T @ B
    else:
        a, b = A @ A.T, B @ B.T  # centred, as the features are
        product = (a * b).sum()
    return _told(product / (_root(_square(a)) * _root(_square(b))), A, B)


def cka_from_gram(K: Tensor, L: Tensor, debiased: bool = False) -> Tensor:
    """Centered kernel alignment of two Gram matrices.

    Parameters
    ----------
    K, L : Tensor of shape (..., n, n)
        Symmetric, over the same n >= 4 inputs, centred or not. Leading axes are broadcast.
    debiased : bool
        See `linear_cka`.

    Returns
    -------
    Tensor of shape (...)

    Raises
    ------
    ValueError
        If the matrices are not square, not of one size, or have fewer than 4 rows.
    """
    for name, matrix in (("K", K), ("L", L)):
        if matrix.dim() < 2 or matrix.shape[-1] != matrix.shape[-2]:
            raise ValueError(
                f"{name} must be a square matrix (n, n); got shape {tuple(matrix.shape)}."
            )
    if K.shape[-1] != L.shape[-1]:
        raise ValueError(f"L must have as many rows as K, {K.shape[-1]}; got {L.shape[-1]}.")
    check_rows(K.shape[-1])
    a, b = (unit_gram(matrix, debiased) for matrix in (K, L))
    return _told((a * b).sum((-2, -1)), a, b)


def cka_matrix(
    acts_a: Sequence[Tensor], acts_b: Sequence[Tensor], debiased: bool = False
) -> Tensor:
    """CKA of every layer of one network with every layer of another.

    Parameters
    ----------
    acts_a, acts_b : sequences of Tensor of shape (n, ...)
        Activations a layer, of the same inputs.
    debiased : bool
        See `linear_cka`.

    Returns
    -------
    Tensor of shape (layers of a, layers of b)

    Raises
    ------
    ValueError
        If a sequence is empty, or as for `linear_cka`.
    """
    if not len(acts_a) or not len(acts_b):
        raise ValueError(
            "acts_a and acts_b must hold at least one layer each; "
            f"got {len(acts_a)} and {len(acts_b)}."
        )
    for acts in (*acts_a, *acts_b):
        _check_pair(acts_a[0], acts)

    def units(acts: Sequence[Tensor]) -> Tensor:
        features = [centred_features(layer) for layer in acts]
        return torch.stack([unit_gram(A @ A.T, debiased).flatten() for A in features])

    a, b = units(acts_a), units(acts_b)
    return _told(a @ b.T, a, b)


def rsa(X: Tensor, Y: Tensor) -> Tensor:
    """Correlation of the cosine-similarity matrices of two sets of activations.

    Pearson's, over all n^2 entries; rows are normalised but not centred, as in the released code of
    arXiv 2410.20035.

    Parameters
    ----------
    X, Y : Tensor of shape (n, ...)
        As in `linear_cka`.

    Returns
    -------
    Tensor of shape ()
        In [-1, 1], differentiable. A row of zeros has cosine 0 with all.

    Raises
    ------
    ValueError
        As for `linear_cka`.
    """
    _check_pair(X, Y)
    a, b = (unit_cosines(A.flatten(1)) for A in (X, Y))
    return _told((a * b).sum((-2, -1)), a, b)


# --- the pieces, of which a training loss keeps its guide's ---------------------------------------


def centred_features(X: Tensor) -> Tensor:
    """Activations (n, ...) as (n, p), columns centred, the whole scaled to a norm of 1.

    CKA does not see the scale, so the scale's own slope is left out. It is taken out before the
    Gram matrix, because squares of squares leave the range of float32: activations of 1e-12 and of
    1e12 must give the same number. What does not vary becomes 0.
    """
    return unit_features(X.flatten(1))


def unit_features(A: Tensor) -> Tensor:
    """`centred_features` of A (..., n, p), which may be those of several members."""
    C = A - A.mean(-2, keepdim=True)
    scaled = _scaled(C, A)
    return scaled / _root(_square(scaled.detach()))[..., None, None]


def unit_gram(K: Tensor, debiased: bool = False) -> Tensor:
    """A Gram matrix (..., n, n), centred or U-centred, with norm 1; what does not vary is 0."""
    scaled = _scaled(_u_centred(K) if debiased else _centred(K), K)
    return scaled / _root(_square(scaled))[..., None, None]


def unit_cosines(A: Tensor) -> Tensor:
    """Cosines (..., n, n) between the rows of A (..., n, p), minus their mean, with norm 1."""
    rows = unit_rows(A)
    return unit_matrix(rows @ rows.mT)


def unit_rows(A: Tensor) -> Tensor:
    """Rows of A (..., n, p) over their norms; those of zeros stay 0."""
    largest = A.detach().abs().amax((-2, -1), keepdim=True)  # rows of 1e-12 must not count as 0
    return torch.nn.functional.normalize(A / largest.clamp_min(torch.finfo(A.dtype).tiny), dim=-1)


def unit_matrix(K: Tensor) -> Tensor:
    """A matrix (..., n, n) minus the mean of its entries, with norm 1; a constant one is 0."""
    scaled = _scaled(K - K.mean((-2, -1), keepdim=True), K)
    return scaled / _root(_square(scaled))[..., None, None]


def cka_with_guide(A: Tensor, L: Tensor) -> Tensor:
    """CKA (...,) of features A (..., n, p) of `unit_features` with Gram matrices L of `unit_gram`.

    <AA', L> = <A, LA>: of a narrow layer the n x n matrix AA' is never formed.
    """
    n, p = A.shape[-2:]
    if p < n:
        return (A * (L @ A)).sum((-2, -1)) / _root(_square(A.mT @ A))
    K = A @ A.mT
    return (K * L).sum((-2, -1)) / _root(_square(K))


def _scaled(C: Tensor, original: Tensor) -> Tensor:
    """C (..., a, b) over its largest entry; 0 if that is no more than the original's rounding."""
    with torch.no_grad():
        info = torch.finfo(C.dtype)
        largest = C.abs().amax((-2, -1), keepdim=True)
        varies = largest > 8 * info.eps * original.abs().amax((-2, -1), keepdim=True)
        factor = torch.where(varies, 1 / largest.clamp_min(info.tiny), 0.0)
    return C * factor


def _centred(K: Tensor) -> Tensor:
    """H K H, H = I - 11'/n, which is never formed."""
    rows = K.mean(-1, keepdim=True)
    return K - rows - rows.mT + rows.mean(-2, keepdim=True)


def _u_centred(K: Tensor) -> Tensor:
    """With the diagonal set to 0, what has no row sums off the diagonal."""
    n = K.shape[-1]
    hollow = K - torch.diag_embed(K.diagonal(dim1=-2, dim2=-1))
    rows = hollow.sum(-1, keepdim=True) / (n - 2)
    centred = hollow - rows - rows.mT + rows.sum(-2, keepdim=True) / (n - 1)
    return centred - torch.diag_embed(centred.diagonal(dim1=-2, dim2=-1))


def _square(K: Tensor) -> Tensor:
    return (K * K).sum((-2, -1))


def _root(square: Tensor) -> Tensor:
    """Square root; 1, without a slope, of 0."""
    return torch.where(square > 0, square, 1.0).sqrt()


def _told(value: Tensor, *parts: Tensor) -> Tensor:
    """`value`, with a warning where a part is 0 throughout."""
    if any(not bool(part.any()) for part in parts):
        constant_activations(stacklevel=4)
    return value


def constant_activations(stacklevel: int = 2) -> None:
    """Warn that activations do not vary."""
    warnings.warn(
        "activations do not vary over the inputs (zero variance): their similarity is set to 0.",
        RuntimeWarning,
        stacklevel=stacklevel,
    )


def _check_pair(X: Tensor, Y: Tensor) -> None:
    if X.dim() < 1 or Y.dim() < 1 or len(X) != len(Y):
        raise ValueError(
            "X and Y must have the same number of rows (the batch); "
            f"got shapes {tuple(X.shape)} and {tuple(Y.shape)}."
        )
    check_rows(len(X))


def check_rows(n: int) -> None:
    """Refuse batches on which CKA says nothing."""
    if n < FEWEST_ROWS:
        raise ValueError(f"similarity needs a batch of at least {FEWEST_ROWS} rows; got {n}.")
