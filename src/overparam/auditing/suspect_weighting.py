"""The weights that suspected rows get."""

import numpy as np

WEIGHT = 0.05  # not zero: a suspected row may be right, and then it is a rare one


def suspect_weights(n: int, rows: np.ndarray, suspected: np.ndarray) -> np.ndarray:
    """Weights (n,): 1, and `WEIGHT` for the suspected of `rows`."""
    weights = np.ones(n)
    weights[rows[suspected]] = WEIGHT
    return weights
