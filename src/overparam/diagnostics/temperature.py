"""Temperature scaling: one scalar that makes a trained classifier's logits less (or more) sure.

    p_T(x) = softmax(g(x) / T)                                   Guo et al. 2017, eq. 9

T minimises the mean negative log-likelihood on held-out rows. In beta = 1 / T the objective is
convex with derivative

    dNLL/dbeta = mean_i ( E_{p_i}[g] - sum_c pi_ic g_ic ),       monotone in beta,

so that its root is found by Newton's method on log T inside a bracket. `pi` is one-hot for labels;
known conditionals give the oracle temperature of arXiv 2306.00740.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from overparam.diagnostics.probability_inputs import (
    check_labels,
    check_probabilities,
    check_scores,
)

MOST_STEPS = 200  # bisection alone needs 60 for the default bounds and tolerance


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise softmax of (n, k) scores without overflow."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


class TemperatureScaling(BaseEstimator):
    """Calibrate logits by one temperature, fitted to convergence.

    Parameters
    ----------
    bounds : (float, float)
        Smallest and largest temperature. Calibration rows that are all correct drive T to the
        lower bound, logits without information to the upper: `at_bound_` is set, with a warning.
    tol : float
        Largest last step of log T.

    Attributes
    ----------
    temperature_ : float
        The fitted T.
    nll_before_, nll_after_ : float
        Mean cross-entropy on the calibration rows at T = 1 and at the fitted T, in nats.
    gradient_ : float
        dNLL / d log T at the fitted temperature; about 0 unless `at_bound_`.
    at_bound_ : bool
        Whether T was clamped.

    Notes
    -----
    A minimiser stopped early makes every alternative look better than it is: one L-BFGS step from
    T = 1 with learning rate 0.01 stops at 1.1 where the optimum is 3.4 to 5.2. Compare nothing with
    temperature scaling before looking at `gradient_`.

    One T cannot repair a classifier that is right to be sure in one region and a coin flip in
    another; see `overparam.theory.overlap_bound` for what remains.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    >>> scaler = TemperatureScaling().fit(logits, [0, 0, 1, 1])
    >>> round(scaler.temperature_, 4)     # 3 of 4 right: log(3) is the calibrated logit gap
    3.641
    """

    def __init__(self, bounds: tuple[float, float] = (1e-2, 1e3), tol: float = 1e-8) -> None:
        self.bounds = bounds
        self.tol = tol

    def fit(self, logits: Any, y: Any) -> TemperatureScaling:
        """Fit T on held-out rows.

        Parameters
        ----------
        logits : array or tensor of shape (n, k)
            Scores before the softmax, of rows that the network was not trained on.
        y : array of shape (n,) or (n, k)
            Labels 0..k-1, or the known conditional distributions (the oracle fit).
        """
        low, high = self._checked_bounds()
        z = check_scores(logits)
        targets = _targets(y, *z.shape)
        by_class = np.array(z.T, order="C")  # a copy, (k, n): sums run along long rows
        by_class -= by_class.max(axis=0)
        wanted = float(np.einsum("ij,ji->", targets, by_class)) / len(z)

        def slope(beta: float) -> tuple[float, float]:
            """dNLL/dbeta and its derivative, the mean variance of the logits under p."""
            weight = np.exp(beta * by_class)  # at most 1, and 1 for the largest logit
            total = weight.sum(axis=0)
            weight *= by_class
            mean = weight.sum(axis=0) / total
            square = np.einsum("ij,ij->j", weight, by_class) / total
            return float(mean.mean()) - wanted, float((square - mean**2).mean())

        beta, self.at_bound_ = _increasing_root(slope, 1 / high, 1 / low, self.tol)
        self.temperature_ = 1 / beta
        self.gradient_ = -beta * slope(beta)[0]
        self.nll_before_, self.nll_after_ = (
            float(np.log(np.exp(b * by_class).sum(axis=0)).mean()) - b * wanted for b in (1.0, beta)
        )
        if self.at_bound_:
            if beta == 1 / low:
                why = "lower bound, as when the calibration rows are all correct"
            else:
                why = "upper bound, as when the logits carry no information"
            warnings.warn(
                f"temperature {self.temperature_:g} lies at the {why}; bounds were "
                f"{tuple(self.bounds)}. More calibration rows or wider bounds would move it.",
                stacklevel=2,
            )
        return self

    def transform(self, logits: Any) -> np.ndarray:
        """Logits divided by the fitted temperature, (n, k)."""
        return self._scores(logits) / self._fitted_temperature()

    def predict_proba(self, logits: Any) -> np.ndarray:
        """Calibrated probabilities, (n, k). The arg-max of a row never changes."""
        return softmax(self.transform(logits))

    def predict(self, logits: Any) -> np.ndarray:
        """The class of the largest logit, (n,)."""
        return self._scores(logits).argmax(axis=1)

    @staticmethod
    def _scores(logits: Any) -> np.ndarray:
        return check_scores(logits, least_rows=1)  # fitting needs two rows, predicting one

    def _fitted_temperature(self) -> float:
        if not hasattr(self, "temperature_"):
            raise ValueError("TemperatureScaling is not fitted. Call fit(logits, y) first.")
        return self.temperature_

    def _checked_bounds(self) -> tuple[float, float]:
        low, high = self.bounds
        if not 0 < low < high < np.inf:
            raise ValueError(f"bounds must be two numbers 0 < low < high; got {self.bounds!r}.")
        if not self.tol > 0:
            raise ValueError(f"tol must be a number > 0; got {self.tol!r}.")
        return float(low), float(high)


def _targets(y: Any, n: int, k: int) -> np.ndarray:
    if np.ndim(y) == 2:
        targets = check_probabilities(y, "soft targets")
        if targets.shape != (n, k):
            raise ValueError(f"soft targets must have shape {(n, k)}; got {targets.shape}.")
        return targets
    one_hot = np.zeros((n, k))
    one_hot[np.arange(n), check_labels(y, n, k)] = 1.0
    return one_hot


def _increasing_root(slope: Any, low: float, high: float, tol: float) -> tuple[float, bool]:
    """Root of an increasing function on [low, high] in log coordinates; (root, clamped)."""
    if slope(low)[0] >= 0:
        return low, True
    if slope(high)[0] <= 0:
        return high, True
    lower, upper = np.log(low), np.log(high)
    log_beta = float(np.clip(0.0, lower, upper))
    for _ in range(MOST_STEPS):
        beta = float(np.exp(log_beta))
        value, curvature = slope(beta)
        lower, upper = (log_beta, upper) if value < 0 else (lower, log_beta)
        step = -value / (beta * curvature) if curvature > 0 else np.inf
        proposal = log_beta + step
        if not lower < proposal < upper:
            proposal = 0.5 * (lower + upper)
        if abs(proposal - log_beta) < tol:
            return float(np.exp(proposal)), False
        log_beta = proposal
    return float(np.exp(log_beta)), False
