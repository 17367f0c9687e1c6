"""Exact minima behind C1 to C4 of `neural_collapse`: free features under linear layers.

In a file of its own, so that a new threshold or picture does not minimise everything again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from overparam.diagnostics.collapse_metrics import neural_collapse
from overparam.theory.collapse import mse_geometry
from overparam.training.unconstrained_features import UnconstrainedFit, fit_unconstrained_features

FEATURE_DECAY = 1e-5  # C1 and C4
CE_DECAY = 1e-4  # C4
SQUARE = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], dtype=float)
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)])


def balanced_minimum(
    k: int, per_class: int, depth: int, decay: float, growth: float, bias: bool, starts: int
) -> dict[str, float]:
    """C1: the lowest of some starts under squared error, against the closed form.

    From each layer to the next the decay grows by the factor `growth`.
    """
    sizes, decays = [per_class] * k, decay * growth ** np.arange(depth)
    fit = fit_unconstrained_features(sizes, decays, FEATURE_DECAY, bias=bias, starts=starts)
    found = neural_collapse(fit.features, fit.labels, fit.product)
    formula = mse_geometry(sizes, decays, FEATURE_DECAY)
    return {
        "excess": abs(fit.loss / formula.loss - 1),
        "nc1": found.nc1,
        "nc2_orthogonal": found.nc2_orthogonal,
        "nc2_etf": found.nc2_etf,
        "nc3": found.nc3,
        "balance": layer_imbalance(fit, decays),
    }


def layer_imbalance(fit: UnconstrainedFit, decays: np.ndarray) -> float:
    """Largest relative norm of l_{m+1} W_{m+1}^T W_{m+1} - l_m W_m W_m^T; 0 for one layer."""
    pairs = pairwise(zip(decays, fit.weights, strict=True))
    gaps = [
        np.linalg.norm(above * V.T @ V - below * W @ W.T) / np.linalg.norm(below * W @ W.T)
        for (below, W), (above, V) in pairs
    ]
    return float(max(gaps, default=0.0))


def imbalanced_minimum(
    sizes: Sequence[int], depth: int, decay: float, feature_decay: float, starts: int
) -> dict[str, Any]:
    """C2, C3: norms and angles of the classes, beside the closed form."""
    decays = [decay] * depth
    fit = fit_unconstrained_features(sizes, decays, feature_decay, starts=starts)
    formula = mse_geometry(sizes, decays, feature_decay)
    found = neural_collapse(fit.features, fit.labels, fit.product)
    means = np.stack([fit.features[fit.labels == k].mean(0) for k in range(len(sizes))])
    alive = np.setdiff1d(np.arange(len(sizes)), formula.collapsed_classes)
    rows = fit.weights[-1]
    dead = formula.collapsed_classes
    return {
        "feature_norms": found.class_norms,
        "feature_formula": formula.feature_norms,
        "weight_norms": np.linalg.norm(rows, axis=1),
        "weight_formula": formula.weight_norms,
        "feature_error": relative_error(found.class_norms, formula.feature_norms, alive),
        "weight_error": relative_error(np.linalg.norm(rows, axis=1), formula.weight_norms, alive),
        "dead_norm": float(found.class_norms[dead].max(initial=0.0)),
        "dead_classes": len(dead),
        "cosine": max(largest_cosine(means[alive]), largest_cosine(rows[alive])),
        "excess": abs(fit.loss / formula.loss - 1),
    }


def relative_error(found: np.ndarray, formula: np.ndarray, classes: np.ndarray) -> float:
    """Largest relative error over some classes."""
    return float(np.abs(found[classes] / formula[classes] - 1).max())


def largest_cosine(vectors: np.ndarray) -> float:
    """Largest |cosine| between two different rows."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    return float(np.abs(cosines - np.diag(np.diag(cosines))).max())


def cross_entropy_minima(k: int, depth: int, per_class: int, starts: int) -> dict[str, Any]:
    """C4: losses from the simplex, from a frame of lower rank and from random starts.

    The angles are those of the lowest loss found, and the worst over random starts.
    """
    minimum = partial(
        fit_unconstrained_features,
        [per_class] * k,
        [CE_DECAY] * depth,
        FEATURE_DECAY,
        loss="cross_entropy",
        bias=True,
    )
    runs = {
        name: minimum(start=frame_start(frame, depth, per_class))
        for name, frame in frames(k).items()
    }
    random = [minimum(seed=seed) for seed in range(starts)]
    losses = {f"{name}_loss": fit.loss for name, fit in runs.items()}
    best = min([*runs.values(), *random], key=lambda fit: fit.loss)
    found = neural_collapse(best.features, best.labels, best.product)
    each = [neural_collapse(fit.features, fit.labels, fit.product) for fit in random]
    return {
        **losses,
        "random_loss": min(fit.loss for fit in random),
        "nc1": found.nc1_trace,
        "nc2_etf": found.nc2_etf,
        "nc3_centred": found.nc3_centred,
        "worst_nc2_etf": max(one.nc2_etf for one in each),
        "worst_nc3_centred": max(one.nc3_centred for one in each),
    }


def frames(k: int) -> dict[str, np.ndarray]:
    """Simplex (K, K) and, for four and six classes, a symmetric frame of lower rank (K, r)."""
    simplex = np.eye(k) - 1 / k
    return {"etf": simplex, "low_rank": {4: SQUARE, 6: OCTAHEDRON}[k]}


def frame_start(
    frame: np.ndarray, depth: int, per_class: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Layers and features that give logits s F F^T with balanced factors, at the best scale s."""
    k, n = len(frame), len(frame) * per_class
    U, values, V = np.linalg.svd(frame @ frame.T)
    product = FEATURE_DECAY * CE_DECAY**depth

    def energies(s: float) -> np.ndarray:
        # Singular values of the logits of all examples are sqrt(per_class) times those of one each.
        return (per_class * (s * values) ** 2 * product) ** (1 / (depth + 1))

    def objective(log_s: float) -> float:
        logits = np.exp(log_s) * frame @ frame.T
        fit = (logsumexp(logits, axis=0) - np.diag(logits)).mean()
        return float(fit + (depth + 1) / 2 * energies(np.exp(log_s)).sum())

    s = np.exp(minimize_scalar(objective, bounds=(0, 5), method="bounded").x)
    roots = np.sqrt(energies(s) / CE_DECAY)
    width = 2 * k
    middle = np.zeros((width, width))
    middle[:k, :k] = np.diag(roots)
    last = np.zeros((k, width))
    last[:, :k] = U * roots
    features = np.zeros((n, width))
    heights = np.sqrt(energies(s) / FEATURE_DECAY / per_class)
    features[:, :k] = np.repeat(V.T * heights, per_class, axis=0)
    return [middle] * (depth - 1) + [last], features
