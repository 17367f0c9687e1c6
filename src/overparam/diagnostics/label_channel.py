"""A class that nobody sees, and a noisy channel from it to the label that was given.

    P(label j | x) = sum_t pi_t(x) T[t, j],
    pi(x) = softmax_t(sum_q w_q f_qt(x) + b_t + sum_j M[t, j] g_j(x)).

f are log probabilities of Q predictors that have not seen the row; weights w >= 0 and offsets b are
shared by all rows, so that they sharpen or flatten and balance the predictors, but learn no row by
heart. Features are log p_qt itself, or the fit of p_q to the whole profile of a class,
sum_j T[t, j] log p_qj: a predictor that was trained on labels of which two fifths of class 1 are
called 2 answers (.6, .4) for *every* row of class 1. M (k, k), where a structure has it, takes the
classes apart that predictors confuse by habit (`habitual_confusion`); g is the mean of f over
predictors.

T has a variational posterior (Dirichlet), which charges for each class's own errors what they would
win by chance: the rate of errors of a class is Beta(s (1 - r), s r) about one rate r, and where the
errors of a class go is Dirichlet. No class is called another more often than itself: otherwise
two classes could swap their names. Weights and offsets take a Newton step in each round of
expectation maximisation, under wide Gaussian priors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln

from overparam.diagnostics import habitual_confusion

FLOOR = 0.003  # share of the uniform in every prediction: a forest says 0 on the word of 100 trees
WEIGHT_PRIOR = 1.0  # precision of a weight about 1 / Q
OFFSET_PRIOR = 1.0  # precision of an offset about 0
SURE = 0.5  # of the rows of a predicted class, the surest, start the channel
LONGEST_STEP = 1.0  # of a weight or offset in one round
CONVERGED = 0.02  # of the bound, in nats: far below what tells two channels apart


@dataclass(frozen=True)
class Structure:
    """How the errors of a channel are spread.

    Attributes
    ----------
    sameness : float
        Rows that the common rate of errors is worth to each class.
    spread : float
        Rows that an even spread over the other classes is worth; small: few classes get them all.
    profile : bool
        Whether predictions are compared with a class's whole profile of labels.
    habit : float or None
        Precision of habitual confusion about none; None: there is none.
    """

    sameness: float
    spread: float
    profile: bool
    habit: float | None = None


@dataclass(frozen=True)
class ChannelState:
    """Where a fit stands: counts (k, k) of class and label, weights, offsets, and M (k, k)."""

    counts: np.ndarray
    weights: np.ndarray
    offsets: np.ndarray
    habits: np.ndarray


def softmax_rows(z: np.ndarray) -> np.ndarray:
    """Softmax of the rows of a fresh array (n, k), in place."""
    highest = z[:, 0].copy()  # over few columns this is faster than a maximum along the rows
    for column in z.T[1:]:
        np.maximum(highest, column, out=highest)
    z -= highest[:, None]
    np.exp(z, out=z)
    z /= np.einsum("nk->n", z)[:, None]
    return z


def log_probabilities(p: np.ndarray) -> np.ndarray:
    """(Q, n, k) log probabilities off zero, each of mean 0 over the classes."""
    k = p.shape[2]
    logs = np.log((1 - FLOOR) * p + FLOOR / k)
    logs -= (logs @ np.full(k, 1 / k))[:, :, None]
    return logs


def first_state(p: np.ndarray, y: np.ndarray) -> ChannelState:
    """Start of a fit: what the labels are where the mean prediction is surest of a class."""
    q, _, k = p.shape
    mean = p.mean(axis=0)
    predicted, confidence = mean.argmax(axis=1), mean.max(axis=1)
    counts = np.eye(k)
    for c in range(k):
        rows = np.flatnonzero(predicted == c)
        if len(rows):
            surest = rows[np.argsort(-confidence[rows])[: max(int(SURE * len(rows)), 1)]]
            counts[c] = np.bincount(y[surest], minlength=k)
    return ChannelState(counts, np.full(q, 1 / q), np.zeros(k), np.zeros((k, k)))


def fit_channel(
    logs: np.ndarray,
    y: np.ndarray,
    rate: float,
    structure: Structure,
    state: ChannelState,
    *,
    rounds: int,
) -> tuple[float, ChannelState]:
    """Expectation maximisation from a state at one common rate of errors.

    Returns
    -------
    (float, ChannelState)
        The evidence's lower bound in nats, and the state.
    """
    q, _, k = logs.shape
    hot, counts, ones = np.eye(k)[y], state.counts, np.ones(k)
    weights, offsets, habits = state.weights, state.offsets, state.habits
    last = -np.inf
    for _ in range(rounds):
        log_T, divergence = _expected_log_channel(counts, rate, structure)
        F = logs @ _profiles(log_T) if structure.profile else logs
        z = _sum(F, weights) + offsets
        if structure.habit is not None:
            g = _sum(F, np.full(q, 1 / q))
            z += g @ habits.T
        pi = softmax_rows(z)
        if structure.habit is not None:
            bent = habitual_confusion.curvature(pi, g)
            divergence += habitual_confusion.charge(bent, habits, structure.habit)
        responsible = pi * np.exp(log_T).T[y]
        seen = responsible @ ones
        responsible /= seen[:, None]
        bound = (
            float(np.log(seen).sum())
            - divergence
            - WEIGHT_PRIOR / 2 * float(((weights - 1 / q) ** 2).sum())
            - OFFSET_PRIOR / 2 * float((offsets**2).sum())
        )
        if abs(bound - last) < CONVERGED:
            break
        last = bound
        counts = responsible.T @ hot
        weights, offsets = _newton(F, pi, responsible, weights, offsets)
        if structure.habit is not None:
            pi = softmax_rows(_sum(F, weights) + offsets + g @ habits.T)
            habits = habitual_confusion.step(bent, responsible - pi, g, habits, structure.habit)
    return bound, ChannelState(counts, weights, offsets, habits)


def posterior(
    logs: np.ndarray, y: np.ndarray, rate: float, structure: Structure, state: ChannelState
) -> np.ndarray:
    """(n, k) probabilities of the true class, given predictions and label."""
    log_T, _ = _expected_log_channel(state.counts, rate, structure)
    z = _sum(logs, state.weights)
    profiles = _profiles(log_T) if structure.profile else np.eye(len(log_T))
    if structure.profile:
        z = z @ profiles
    if structure.habit is not None:
        z += _sum(logs, np.full(len(logs), 1 / len(logs))) @ (profiles @ state.habits.T)
    return softmax_rows(z + state.offsets + log_T.T[y])


def _expected_log_channel(
    counts: np.ndarray, rate: float, structure: Structure
) -> tuple[np.ndarray, float]:
    """E log T (k, k) under the posterior, and the posterior's divergence from the prior."""
    k = len(counts)
    off = ~np.eye(k, dtype=bool)
    kept = np.diag(counts)
    prior = structure.sameness * np.array([[1 - rate, rate]]).repeat(k, axis=0)
    found = prior + np.stack([kept, counts.sum(axis=1) - kept], axis=1)
    where_prior = np.full((k, k - 1), structure.spread / (k - 1))
    where = where_prior + counts[off].reshape(k, k - 1)
    log_rate, log_where = _expected_logs(found), _expected_logs(where)
    log_T = np.empty((k, k))
    log_T[~off] = log_rate[:, 0]
    log_T[off] = np.minimum(log_rate[:, 1:] + log_where, log_rate[:, :1]).ravel()
    return log_T, _divergence(found, prior) + _divergence(where, where_prior)


def _expected_logs(a: np.ndarray) -> np.ndarray:
    return digamma(a) - digamma(a.sum(axis=1, keepdims=True))


def _divergence(a: np.ndarray, b: np.ndarray) -> float:
    """Sum over rows of KL(Dirichlet(a) || Dirichlet(b))."""
    normaliser = gammaln(a.sum(axis=1)) - gammaln(b.sum(axis=1))
    terms = gammaln(b) - gammaln(a) + (a - b) * _expected_logs(a)
    return float((normaliser + terms.sum(axis=1)).sum())


def _profiles(log_T: np.ndarray) -> np.ndarray:
    """(k, k) from centred log probabilities to their centred fit to each class's labels."""
    T = np.exp(log_T)
    T /= T.sum(axis=1, keepdims=True)
    return (T - T.mean(axis=0)).T


def _sum(F: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum over predictors, (n, k)."""
    return (weights @ F.reshape(len(F), -1)).reshape(F.shape[1:])


def _newton(
    F: np.ndarray, pi: np.ndarray, target: np.ndarray, weights: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One step on the cross-entropy between `target` and the softmax; F is (Q, n, k)."""
    q, n, k = F.shape
    rows = np.ones(n)  # sums as products: several times faster than along an axis
    weighted = F * pi
    mean = weighted @ np.ones(k)
    error = target - pi
    flat = F.reshape(q, -1)
    gradient = np.concatenate(
        [
            flat @ error.ravel() - WEIGHT_PRIOR * (weights - 1 / q),
            rows @ error - OFFSET_PRIOR * offsets,
        ]
    )
    ww = weighted.reshape(q, -1) @ flat.T - mean @ mean.T + WEIGHT_PRIOR * np.eye(q)
    wb = rows @ weighted - mean @ pi
    bb = np.diag(rows @ pi) - pi.T @ pi + OFFSET_PRIOR * np.eye(k)
    step = np.linalg.solve(np.block([[ww, wb], [wb.T, bb]]), gradient)
    step *= min(1.0, LONGEST_STEP / max(np.abs(step).max(), 1e-12))
    return np.maximum(weights + step[:q], 0), offsets + step[q:]
