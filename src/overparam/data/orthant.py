"""Two classes on the positive part of a sphere, with the exact probability of each point.

The test problems of arXiv 2204.14126: a smooth one, and three that are hard for a smooth rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, softmax

Problem = Literal["smooth", "rings", "patch", "long tail"]

CENTRES = 40
SPREAD = 0.08  # of a component of the long tail


@dataclass(frozen=True)
class OrthantSample:
    """Points of the sphere with labels.

    Attributes
    ----------
    X : ndarray of shape (n, 3)
        Unit vectors without negative entries: two dimensions.
    y : ndarray of shape (n,)
        Labels 0 and 1.
    p : ndarray of shape (n,)
        P(y = 1 | x), exact.
    """

    X: np.ndarray
    y: np.ndarray
    p: np.ndarray

    def excess_risk(self, predicted: np.ndarray) -> float:
        """How much more often than the Bayes rule labels `predicted` (n,) err, in expectation.

        The mean of |2p - 1| where the two differ: no noise of the labels is in it.
        """
        differs = np.asarray(predicted) != (self.p > 0.5)
        return float(np.mean(np.abs(2 * self.p - 1) * differs))


def make_orthant(problem: Problem, n: int, *, seed: int = 0, world: int = 0) -> OrthantSample:
    """Draw n points of a problem.

    Parameters
    ----------
    problem : str
        ``smooth``: p = logistic(6 (x_0 - x_1)), Bayes error 0.147. ``rings``: p = 0.9 where
        sin(12 arccos x_2) > 0, else 0.1. ``patch``: p = 0.8 where x_0 > 0.6 and x_1 < 0.5, else
        0.2. ``long tail``: 40 components of masses proportional to 1, 1/2, 1/3, ..., each with a
        random label that is wrong for a twentieth. The first three are uniform on the orthant.
    n : int
        Number of points, >= 1.
    seed : int
        Of the points and labels.
    world : int
        Of the components of ``long tail``; samples of one world come from one distribution.

    Raises
    ------
    ValueError
        For an unknown problem.
    """
    rng = np.random.default_rng(seed)
    if problem == "long tail":
        X, p = _long_tail(n, rng, np.random.default_rng([world, CENTRES]))
    else:
        X = _unit(np.abs(rng.normal(size=(n, 3))))
        match problem:
            case "smooth":
                p = expit(6 * (X[:, 0] - X[:, 1]))
            case "rings":
                p = np.where(np.sin(12 * np.arccos(X[:, 2])) > 0, 0.9, 0.1)
            case "patch":
                p = np.where((X[:, 0] > 0.6) & (X[:, 1] < 0.5), 0.8, 0.2)
            case _:
                raise ValueError(
                    f"problem must be 'smooth', 'rings', 'patch' or 'long tail'; got {problem!r}."
                )
    return OrthantSample(X, (rng.random(n) < p).astype(int), p)


def _long_tail(
    n: int, rng: np.random.Generator, world: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points, and p = 0.05 + 0.9 sum_k t_k pi_k with pi_k the components' shares at each."""
    centres = _unit(np.abs(world.normal(size=(CENTRES, 3))))
    labels = world.integers(0, 2, CENTRES)
    mass = 1 / np.arange(1, CENTRES + 1)
    component = rng.choice(CENTRES, n, p=mass / mass.sum())
    X = _unit(np.abs(centres[component] + SPREAD * rng.normal(size=(n, 3))))
    squares = ((X[:, None] - centres) ** 2).sum(axis=2)
    shares = softmax(np.log(mass) - squares / (2 * SPREAD**2), axis=1)
    return X, 0.05 + 0.9 * shares @ labels


def _unit(X: np.ndarray) -> np.ndarray:
    return X / np.linalg.norm(X, axis=1, keepdims=True)
