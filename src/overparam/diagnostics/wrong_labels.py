"""Which labels are wrong: one calibrated probability from several out-of-fold predictors.

The given label is what a noisy channel made of the true class (`label_channel`). What the labels
alone cannot tell is averaged over: the rate of errors, whether all classes err alike, whether the
errors of a class spread evenly or go to few classes, and whether the predictors have learnt the
errors. Every combination gets the weight that its evidence (lower bound) gives it, so that a share
which the data do not tell has a wide interval; evidence counts a quarter (`TRUST`).

Within a channel the quality of a label is P(true class = label | predictions, label): calibrated
where the channel and the sharpened predictions are right. No method gets around this: errors which
depend on features as the classes do (a kind of example that is always called another class) look
like a fact about the classes. Sources: Dawid and Skene 1979 (the channel), Northcutt et al. 2021
(out-of-fold predictions of noisy labels), MacKay 1995 (evidence).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import logsumexp

from overparam.diagnostics.label_channel import (
    ChannelState,
    Structure,
    first_state,
    fit_channel,
    log_probabilities,
    posterior,
)
from overparam.diagnostics.probability_inputs import as_array, check_labels, check_probabilities

COMMON = 1e5  # rows: the same rate or spread for every class
LOOSE = 30.0  # rows: rates of errors differ by class
FEW = 0.3  # rows: the errors of a class go to one or two others
STRUCTURES = (
    Structure(COMMON, COMMON, profile=False),
    Structure(COMMON, FEW, profile=False),
    Structure(COMMON, FEW, profile=True),
    Structure(LOOSE, FEW, profile=True),
)
TWO_CLASSES = (Structure(COMMON, 1.0, profile=False), Structure(LOOSE, 1.0, profile=False))
RATES = 14  # tried, closer together near none
LEAST_RATE, MOST_RATE = 1e-3, 0.5
MOST_OF_CHANCE = 0.9  # of the rate at which a label says nothing
FITTED_ROWS = 5_000  # the channel has few parameters; all rows are scored
FIRST_ROUNDS, ROUNDS = 25, 8  # of expectation maximisation, at the first rate and at the next
FINE = 1_200  # rates between which the evidence is interpolated
# Of a nat of evidence between channels: predictors err alike on like rows, and then the evidence
# counts the same thing again.
TRUST = 0.25
NEGLIGIBLE = 1e-4  # posterior weight of a fit that is left out
DRAWS = 20_000  # for the quantiles of the share


@dataclass(frozen=True)
class LabelQuality:
    """What out-of-fold predictions say about given labels.

    Attributes
    ----------
    quality : ndarray of shape (n,)
        Probability that the label is right.
    share : float
        Share of wrong labels of the most probable channel.
    low, high : float
        95 % interval of the share among rows like these.
    transition : ndarray of shape (k, k)
        P(label j | true class t) in row t.
    weights : ndarray of shape (Q,)
        Of the predictors' log probabilities; their sum is more than 1 where they were not sure
        enough.
    """

    quality: np.ndarray
    share: float
    low: float
    high: float
    transition: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class _Fit:
    rate: float
    structure: Structure
    state: ChannelState
    weight: float


def label_quality(probs: Any, y: Any) -> LabelQuality:
    """Probability that each label is right, and the share of wrong ones.

    Parameters
    ----------
    probs : array of shape (Q, n, k) or (n, k)
        Class probabilities of Q predictors, each trained on the given labels of *other* rows
        (`sklearn.model_selection.cross_val_predict`). Predictors of different kinds help most.
    y : array of shape (n,)
        Given labels 0..k-1.

    Returns
    -------
    LabelQuality

    Raises
    ------
    ValueError
        If probabilities are negative, not finite or do not sum to 1, labels are outside 0..k-1 or
        shapes do not fit.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_predict
    >>> X, y = load_iris(return_X_y=True)
    >>> y[[3, 70]] = 2
    >>> model = LogisticRegression(max_iter=1000)
    >>> p = cross_val_predict(model, X, y, cv=5, method="predict_proba")
    >>> 3 in label_quality(p, y).quality.argsort()[:2]
    True
    """
    array = as_array(probs)
    stacked = array[None] if array.ndim == 2 else array
    if stacked.ndim != 3 or not len(stacked):
        raise ValueError(f"probs must have shape (n, k) or (Q, n, k); got {array.shape}.")
    p = np.stack([check_probabilities(one) for one in stacked])
    labels = check_labels(y, *p.shape[1:])
    logs = log_probabilities(p)
    fits, shares, mass = _weighed(p, logs, labels)

    n, k = p.shape[1:]
    quality, counts, weights = np.zeros(n), np.zeros((k, k)), np.zeros(len(p))
    for fit in fits:
        true = posterior(logs, labels, fit.rate, fit.structure, fit.state)
        quality += fit.weight * true[np.arange(n), labels]
        counts += fit.weight * fit.state.counts
        weights += fit.weight * fit.state.weights
    drawn = np.random.default_rng(0)
    share = drawn.choice(shares, DRAWS, p=mass)
    low, high = np.quantile(drawn.beta(n * share + 0.5, n * (1 - share) + 0.5), [0.025, 0.975])
    total = counts.sum(axis=1, keepdims=True)
    transition = np.where(total > 0, counts / np.where(total > 0, total, 1), np.eye(k))
    return LabelQuality(
        np.clip(quality, 0, 1),
        float(shares[mass.argmax()]),
        float(low),
        float(high),
        transition,
        weights,
    )


def _weighed(
    p: np.ndarray, logs: np.ndarray, y: np.ndarray
) -> tuple[list[_Fit], np.ndarray, np.ndarray]:
    """Fits with their posterior weights; and a fine grid of shares with its posterior mass.

    The evidence is interpolated between rates; the mass between two goes to both by distance.
    """
    n, k = p.shape[1:]
    rows = np.arange(n)
    if n > FITTED_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(n, FITTED_ROWS, replace=False))
    p, logs, y = p[:, rows], logs[rows], y[rows]
    most = min(MOST_RATE, MOST_OF_CHANCE * (1 - 1 / k))
    rates = LEAST_RATE + (most - LEAST_RATE) * np.linspace(0, 1, RATES) ** 2
    fine = np.linspace(rates[0], rates[-1], FINE)
    below = np.clip(np.searchsorted(rates, fine, side="right") - 1, 0, RATES - 2)
    ahead = (fine - rates[below]) / (rates[below + 1] - rates[below])
    structures = STRUCTURES if k > 2 else TWO_CLASSES
    evidence, states, shares = [], [], []
    for structure in structures:
        bounds, found = _along_rates(p, logs, y, rates, structure)
        evidence.append(PchipInterpolator(rates, bounds)(fine))
        states.append(found)
        wrong = [1 - np.trace(s.counts) / max(s.counts.sum(), 1e-12) for s in found]
        shares.append(np.interp(fine, rates, wrong))
    scaled = TRUST * np.array(evidence)
    mass = np.exp(scaled - logsumexp(scaled))
    fits = []
    for structure, found, own in zip(structures, states, mass, strict=True):
        weight = np.bincount(below, own * (1 - ahead), minlength=RATES)
        weight += np.bincount(below + 1, own * ahead, minlength=RATES)
        fits += [
            _Fit(*values)
            for values in zip(rates, [structure] * RATES, found, weight, strict=True)
            if values[-1] > NEGLIGIBLE
        ]
    total = sum(fit.weight for fit in fits)
    fits = [_Fit(f.rate, f.structure, f.state, f.weight / total) for f in fits]
    flat = mass.ravel()
    return fits, np.concatenate(shares), flat / flat.sum()


def _along_rates(
    p: np.ndarray, logs: np.ndarray, y: np.ndarray, rates: np.ndarray, structure: Structure
) -> tuple[np.ndarray, list[ChannelState]]:
    """Bounds and states at every rate; each fit starts from that at the next higher rate.

    From above: at a high rate the class is sure and the channel explains the disagreement, and as
    the rate falls the fit lets go of it, where the opposite path would never take it up.
    """
    bounds = np.empty(len(rates))
    states: list[ChannelState] = [first_state(p, y)] * len(rates)
    state, rounds = states[0], FIRST_ROUNDS
    for i in range(len(rates) - 1, -1, -1):
        bounds[i], state = fit_channel(logs, y, rates[i], structure, state, rounds=rounds)
        states[i], rounds = state, ROUNDS
    return bounds, states
