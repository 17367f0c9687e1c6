"""Generated data with a known truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logsumexp


@dataclass(frozen=True)
class MixtureSample:
    """A labelled sample of a known distribution, with its exact conditionals.

    Attributes
    ----------
    X : ndarray of shape (n, dim)
        Features.
    y : ndarray of shape (n,)
        Labels 0..k-1.
    conditional : ndarray of shape (n, k)
        P(y = c | x), exact.
    """

    X: np.ndarray
    y: np.ndarray
    conditional: np.ndarray


def make_overlap_mixture(
    k: int,
    n_per_class: int,
    *,
    dim: int = 40,
    overlap: float = 0.5,
    spacing: float = 12.0,
    offset: float = 6.0,
    seed: int = 0,
) -> MixtureSample:
    """Draw k Gaussian-mixture classes in k / 2 pairs that share a component.

    Classes 2p and 2p + 1 form pair p, centred at `spacing` times the p-th of a set of orthonormal
    directions. With probability `overlap` a row is drawn at the centre, whatever its label (there
    the label is a fair coin), otherwise at the centre minus (even class) or plus (odd class)
    `offset` times one more direction. All noise is unit Gaussian. The directions depend on `k` and
    `dim` only, so that samples of different seeds come from one distribution.

    Parameters
    ----------
    k : int
        Number of classes, even.
    n_per_class : int
        Rows of each class.
    dim : int
        Number of features, at least k / 2 + 1.
    overlap : float
        Share of every class that lies in the overlap, in [0, 1].
    spacing, offset : float
        Distances, in standard deviations of the noise.
    seed : int
        Seed of the sample.
    """
    if k < 2 or k % 2:
        raise ValueError(f"k must be an even integer >= 2; got {k!r}.")
    if dim < k // 2 + 1:
        raise ValueError(f"dim must be at least k / 2 + 1 = {k // 2 + 1}; got {dim!r}.")
    if not 0 <= overlap <= 1:
        raise ValueError(f"overlap must lie in [0, 1]; got {overlap!r}.")
    if n_per_class < 1:
        raise ValueError(f"n_per_class must be an integer >= 1; got {n_per_class!r}.")
    directions, _ = np.linalg.qr(np.random.default_rng([k, dim]).standard_normal((dim, k // 2 + 1)))
    centres = np.repeat(spacing * directions[:, :-1].T, 2, axis=0)  # (k, dim), one a class
    side = np.where(np.arange(k) % 2 == 0, -offset, offset)[:, None] * directions[:, -1]

    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(k), n_per_class)
    apart = rng.random(len(y)) >= overlap
    X = centres[y] + apart[:, None] * side[y] + rng.standard_normal((len(y), dim))
    return MixtureSample(X, y, _conditional(X, centres, side, overlap))


overlap_mixture = make_overlap_mixture


def make_shifted_gaussians(n: int, mean: float, *, dim: int = 300, seed: int = 0) -> MixtureSample:
    """Draw two unit Gaussian classes of equal prior, the second with `mean` in every coordinate.

    The distance of the centres is `mean` sqrt(`dim`) standard deviations, and
    P(y = 1 | x) = expit(mean * sum(x) - dim * mean^2 / 2).

    Parameters
    ----------
    n : int
        Rows.
    mean : float
        Mean of each coordinate of class 1; class 0 is centred at the origin.
    dim : int
        Number of features.
    seed : int
        Seed of the sample.
    """
    if n < 1 or dim < 1:
        raise ValueError(f"n and dim must be integers >= 1; got {n!r} and {dim!r}.")
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = rng.standard_normal((n, dim)) + mean * y[:, None]
    log_odds = mean * X.sum(axis=1) - dim * mean**2 / 2
    return MixtureSample(X, y, np.stack([expit(-log_odds), expit(log_odds)], axis=1))


def xor_clusters(
    n: int, p: int, mean_norm: float, flip: float = 0.1, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw four unit Gaussian clusters in XOR arrangement: no linear classifier separates them.

    x = +-mu_1 (label 1) or +-mu_2 (label -1), equally likely, + N(0, I_p), where mu_1 and mu_2 are
    `mean_norm` times the first two axes: the noise is isotropic, which loses no generality.

    Parameters
    ----------
    n : int
        Rows.
    p : int
        Number of features, >= 2.
    mean_norm : float
        ||mu_1|| = ||mu_2||, not its square, >= 0.
    flip : float
        Probability, in [0, 1/2), that a label is turned around.
    seed : int
        Seed of the sample.

    Returns
    -------
    X : ndarray of shape (n, p), float32
    y : ndarray of shape (n,), int
        Labels in {-1, 1}, some of them turned around.
    y_clean : ndarray of shape (n,), int
        The labels of the clusters.

    Raises
    ------
    ValueError
        If an argument lies outside what is said above.

    References
    ----------
    arXiv 2310.02541.

    Examples
    --------
    >>> X, y, y_clean = xor_clusters(400, 20, 5.0, flip=0.0)
    >>> bool((np.sign(np.abs(X[:, 0]) - np.abs(X[:, 1])) == y).mean() > 0.99)
    True
    """
    if n < 1:
        raise ValueError(f"n must be an integer >= 1; got {n!r}.")
    if p < 2:
        raise ValueError(f"p must be an integer >= 2; got {p!r}.")
    if not 0 <= mean_norm < np.inf:
        raise ValueError(f"mean_norm must be a number >= 0; got {mean_norm!r}.")
    if not 0 <= flip < 0.5:
        raise ValueError(f"flip must lie in [0, 1/2); got {flip!r}.")
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p), dtype=np.float32)
    cluster = rng.integers(0, 4, n)
    axis, sign = cluster // 2, 1 - 2 * (cluster % 2)
    X[np.arange(n), axis] += (mean_norm * sign).astype(np.float32)
    y_clean = 1 - 2 * axis
    return X, np.where(rng.random(n) < flip, -y_clean, y_clean), y_clean


def _conditional(
    X: np.ndarray, centres: np.ndarray, side: np.ndarray, overlap: float
) -> np.ndarray:
    """P(y = c | x) for equal priors, by Bayes' rule on the two components of every class."""

    def log_density(means: np.ndarray) -> np.ndarray:
        return X @ means.T - 0.5 * (means**2).sum(axis=1)

    with np.errstate(divide="ignore"):  # a weight of zero is a log of -inf, as it should be
        components = np.stack(
            [
                np.log(overlap) + log_density(centres),
                np.log1p(-overlap) + log_density(centres + side),
            ]
        )
    joint = logsumexp(components, axis=0)
    return np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
