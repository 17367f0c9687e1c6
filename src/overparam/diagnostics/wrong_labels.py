"""Which labels are wrong: one calibrated probability from several out-of-fold predictors.

The given label is what a noisy channel made of the true class (`label_channel`). What the labels
alone cannot tell is averaged over: the rate of errors, whether all classes err alike, whether the
errors of a class spread evenly or go to few classes, whether the predictors have learnt the errors,
and how far they take right classes for each other by habit (`habitual_confusion`). Every
combination gets the weight that its evidence (lower bound) gives it, so that a share which the data
do not tell has a wide interval; evidence counts a quarter (`TRUST`).

Within a channel the quality of a label is P(true class = label | predictions, label): calibrated
where the channel and the sharpened predictions are right. No method gets around this: errors which
depend on features as the classes do (a kind of example that is always called another class) look
like a fact about the classes. Sources: Dawid and Skene 1979 (the channel), Northcutt et al. 2021
(out-of-fold predictions of noisy labels), MacKay 1995 (evidence).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.interpolate import Akima1DInterpolator
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
HABITS = (None, 30.0, 3.0)  # precisions; a precision of 3 lets an entry of the matrix be 0.6
STRUCTURES = tuple(
    Structure(sameness, spread, profile=profile, habit=habit)
    for habit in HABITS
    for sameness, spread, profile in (
        (COMMON, COMMON, False),
        (COMMON, FEW, False),
        (COMMON, FEW, True),
        (LOOSE, FEW, True),
    )
)
TWO_CLASSES = (Structure(COMMON, 1.0, profile=False), Structure(LOOSE, 1.0, profile=False))
RATES = 14  # tried, closer together near none
LEAST_RATE, MOST_RATE = 1e-3, 0.5
MOST_OF_CHANCE = 0.9  # of the rate at which a label says nothing
FITTED_ROWS = 5_000  # the channel has few parameters; all rows are scored
SCREENED_ROWS = 1_250  # tell which structures and rates are worth fitting to more
SCORED_AT_ONCE = 5_000  # rows that a processor's cache holds
FIRST_ROUNDS, ROUNDS = 25, 8  # of expectation maximisation, at the first rate and at the next
FINE = 1_200  # rates between which the evidence is interpolated
# Of a nat of evidence between channels: predictors err alike on like rows, and then the evidence
# counts the same thing again.
TRUST = 0.25
NEGLIGIBLE = 1e-4  # posterior weight of a fit that is left out
HOPELESS = 1e-6  # the same, on the screened rows
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
class _Path:
    """Fits of one structure at neighbouring rates, with their bounds on the evidence."""

    structure: Structure
    rates: np.ndarray
    bounds: np.ndarray
    states: list[ChannelState]


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
    n, k = p.shape[1:]
    rows: slice | np.ndarray = slice(None)
    if n > FITTED_ROWS:
        rows = np.random.default_rng(0).choice(n, FITTED_ROWS, replace=False)
    fits, shares, mass = _weighed(p[:, rows], logs[:, rows], labels[rows])

    quality = np.zeros(n)
    for first in range(0, n, SCORED_AT_ONCE):
        part = slice(first, first + SCORED_AT_ONCE)
        given = labels[part]
        for fit in fits:
            true = posterior(logs[:, part], given, fit.rate, fit.structure, fit.state)
            quality[part] += fit.weight * true[np.arange(len(given)), given]
    counts = sum((fit.weight * fit.state.counts for fit in fits), np.zeros((k, k)))
    weights = sum((fit.weight * fit.state.weights for fit in fits), np.zeros(len(p)))
    drawn = np.random.default_rng(0)
    share = drawn.choice(shares, DRAWS, p=mass)
    m = min(n, FITTED_ROWS)
    low, high = np.quantile(drawn.beta(m * share + 0.5, m * (1 - share) + 0.5), [0.025, 0.975])
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
    """Fits with their posterior weights; and shares on a fine grid of rates, with their mass."""
    k = p.shape[2]
    most = min(MOST_RATE, MOST_OF_CHANCE * (1 - 1 / k))
    rates = LEAST_RATE + (most - LEAST_RATE) * np.linspace(0, 1, RATES) ** 2
    fine = np.linspace(rates[0], rates[-1], FINE)
    few = slice(SCREENED_ROWS)
    start = first_state(p[:, few], y[few])
    paths = [
        _path(logs[:, few], y[few], rates, structure, start)
        for structure in (STRUCTURES if k > 2 else TWO_CLASSES)
    ]
    if len(y) > SCREENED_ROWS:
        screened = zip(paths, _mass(paths, fine), strict=True)
        worthwhile = [_worthwhile(path, mass, fine) for path, mass in screened]
        paths = [_refitted(path, logs, y) for path in worthwhile if path is not None]
    mass = _mass(paths, fine)
    fits, shares = [], []
    for path, own in zip(paths, mass, strict=True):
        wrong = [1 - np.trace(s.counts) / max(s.counts.sum(), 1e-12) for s in path.states]
        shares.append(np.interp(fine, path.rates, wrong))
        weights = _weights(path, own, fine)
        fits += [
            _Fit(rate, path.structure, state, weight)
            for rate, state, weight in zip(path.rates, path.states, weights, strict=True)
            if weight > NEGLIGIBLE
        ]
    total = sum(fit.weight for fit in fits)
    fits = [_Fit(f.rate, f.structure, f.state, f.weight / total) for f in fits]
    return fits, np.concatenate(shares), mass.ravel() / mass.sum()


def _path(
    logs: np.ndarray, y: np.ndarray, rates: np.ndarray, structure: Structure, start: ChannelState
) -> _Path:
    """Fits at every rate; each starts from that at the next higher rate.

    From above: at a high rate the class is sure and the channel explains the disagreement, and as
    the rate falls the fit lets go of it, where the opposite path would never take it up.
    """
    bounds, states = np.empty(len(rates)), [start] * len(rates)
    state, rounds = start, FIRST_ROUNDS
    for i in range(len(rates) - 1, -1, -1):
        bounds[i], state = fit_channel(logs, y, rates[i], structure, state, rounds=rounds)
        states[i], rounds = state, ROUNDS
    return _Path(structure, rates, bounds, states)


def _refitted(path: _Path, logs: np.ndarray, y: np.ndarray) -> _Path:
    """The same fits to all rows, each from where it stands."""
    bounds, states = np.empty(len(path.rates)), []
    for i, (rate, state) in enumerate(zip(path.rates, path.states, strict=True)):
        more = replace(state, counts=state.counts * (len(y) / SCREENED_ROWS))
        bounds[i], found = fit_channel(logs, y, rate, path.structure, more, rounds=ROUNDS)
        states.append(found)
    return _Path(path.structure, path.rates, bounds, states)


def _worthwhile(path: _Path, mass: np.ndarray, fine: np.ndarray) -> _Path | None:
    """The rates between which there is any mass, and one more on either side."""
    kept = np.flatnonzero(_weights(path, mass, fine) > HOPELESS)
    if not len(kept):
        return None
    part = slice(max(kept[0] - 1, 0), kept[-1] + 2)
    return _Path(path.structure, path.rates[part], path.bounds[part], path.states[part])


def _mass(paths: list[_Path], fine: np.ndarray) -> np.ndarray:
    """Posterior mass of every structure (rows) at every fine rate; the evidence is interpolated."""
    scaled = np.full((len(paths), len(fine)), -np.inf)
    for row, path in zip(scaled, paths, strict=True):
        inside = (fine >= path.rates[0] - 1e-12) & (fine <= path.rates[-1] + 1e-12)
        evidence = Akima1DInterpolator(path.rates, path.bounds, method="makima", extrapolate=True)
        row[inside] = TRUST * evidence(fine[inside])
    return np.exp(scaled - logsumexp(scaled))


def _weights(path: _Path, mass: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Mass of the path's own rates: that between two goes to both by distance."""
    below = np.clip(np.searchsorted(path.rates, fine, side="right") - 1, 0, len(path.rates) - 2)
    ahead = ((fine - path.rates[below]) / np.diff(path.rates)[below]).clip(0, 1)
    weights = np.bincount(below, mass * (1 - ahead), minlength=len(path.rates))
    return weights + np.bincount(below + 1, mass * ahead, minlength=len(path.rates))
