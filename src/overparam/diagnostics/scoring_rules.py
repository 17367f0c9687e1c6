"""Proper scoring rules of predicted probabilities, and the excess over known conditionals."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.diagnostics.probability_inputs import check_labels, check_probabilities

TINY = np.finfo(np.float64).tiny


def nll(probs: Any, y: Any) -> float:
    """Mean negative log-likelihood (log loss), in nats.

    Parameters
    ----------
    probs : array or tensor of shape (n, k)
        Predicted probabilities; rows sum to one.
    y : array or tensor of shape (n,)
        Labels 0..k-1.

    Returns
    -------
    float
        A probability of exactly 0 for the label counts as the smallest positive float64
        (708 nats), so that one row cannot make the mean infinite.
    """
    p = check_probabilities(probs)
    labels = check_labels(y, *p.shape)
    return float(-np.log(np.maximum(p[np.arange(len(p)), labels], TINY)).mean())


def brier(probs: Any, y: Any) -> float:
    """Brier score: mean over rows of sum_c (p_c - [y = c])^2, in [0, 2]. See `nll`."""
    p = check_probabilities(probs)
    labels = check_labels(y, *p.shape)
    hit = p[np.arange(len(p)), labels]
    return float(((p * p).sum(axis=1) - 2 * hit + 1).mean())


def kl_to_conditional(pi: Any, probs: Any) -> float:
    """Mean KL divergence from the true conditional distribution to the prediction, in nats.

    Parameters
    ----------
    pi : array or tensor of shape (n, k)
        The true conditionals P(y = c | x).
    probs : array or tensor of shape (n, k)
        The predicted probabilities.

    Returns
    -------
    float
        mean_i sum_c pi_ic log(pi_ic / p_ic): what the log loss exceeds its least value by.
    """
    truth = check_probabilities(pi, "pi")
    p = check_probabilities(probs)
    if truth.shape != p.shape:
        raise ValueError(f"pi and probs must have one shape; got {truth.shape} and {p.shape}.")
    ratio = np.log(np.maximum(truth, TINY)) - np.log(np.maximum(p, TINY))
    return float((truth * ratio).sum(axis=1).mean())
