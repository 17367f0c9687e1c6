"""What the claims of `temperature_scaling_limits` rest on: one trained network a cell.

In a file of its own, so that a new threshold or picture does not train every network again.

Networks are MLPs with two hidden layers, trained by Adam at rate 1e-3 in batches of 100. At a width
of 512 one of them fills a core, so every seed is a cell, not a member of an ensemble of many.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier

from overparam.data.loading import load
from overparam.data.synthetic import MixtureSample, make_overlap_mixture, make_shifted_gaussians
from overparam.diagnostics.calibration_error import ece
from overparam.diagnostics.scoring_rules import kl_to_conditional, nll
from overparam.diagnostics.temperature import TemperatureScaling, softmax
from overparam.nets.mlp import MLP
from overparam.theory.class_overlap import overlap_bound, uniform_excess
from overparam.training.ensemble import Ensemble
from overparam.training.mixup import MixupTransform, Partner

OVERLAP = 0.5  # share of the mass on which the two classes of a pair are a fair coin
SHARP = (1e-3, 1e3)  # bounds of T: a one-hot interpolator (logit gap 1) wants T = 1 / log u*


def train(
    X: np.ndarray,
    y: np.ndarray,
    k: int,
    *,
    mix_size: int,
    seed: int,
    width: int,
    epochs: int,
    radius: float | None = None,
) -> Ensemble:
    """One network; `mix_size=1` is ordinary training (ERM), no `radius` means any partners."""
    partner: Partner = "batch" if radius is None else "radius"
    ensemble = Ensemble(lambda d, c, s: MLP(d, c, (width, width), seed=s), [seed], X.shape[1], k)
    ensemble.fit(
        X,
        y,
        optimizer="adam",
        learning_rate=1e-3,
        batch_size=100,
        epochs=epochs,
        batch_transform=MixupTransform(mix_size, partner=partner, radius=radius),
    )
    return ensemble


def overlap_samples(
    k: int, seed: int, rows: int, test_rows: int
) -> tuple[MixtureSample, MixtureSample]:
    """Training rows (`rows` a class) and test rows of C1 and C2."""
    train_rows = make_overlap_mixture(k, rows, overlap=OVERLAP, seed=2 * seed)
    return train_rows, make_overlap_mixture(k, test_rows // k, overlap=OVERLAP, seed=2 * seed + 1)


def overlap_network(
    k: int,
    mix_size: int,
    radius: float | None,
    seed: int,
    rows: int,
    test_rows: int,
    width: int,
    epochs: int,
) -> dict[str, Any]:
    """KL from the true conditionals, as trained and at the temperature that is best on the truth.

    Also how pure in pairs of classes the partners within the radius are, over the training rows.
    """
    data, test = overlap_samples(k, seed, rows, test_rows)
    net = train(
        data.X, data.y, k, mix_size=mix_size, seed=seed, width=width, epochs=epochs, radius=radius
    )
    logits = net.predict_logits(test.X)[0].astype(float)
    oracle = TemperatureScaling(bounds=SHARP).fit(logits, test.conditional)
    found = {
        "train_accuracy": accuracy(net, data.X, data.y),
        "raw_kl": kl_to_conditional(test.conditional, softmax(logits)),
        "best_kl": kl_to_conditional(test.conditional, oracle.predict_proba(logits)),
        "temperature": oracle.temperature_,
        "gradient": oracle.gradient_,
        "at_bound": oracle.at_bound_,
    }
    if radius is not None:
        near = cdist(data.X, data.X) <= radius
        np.fill_diagonal(near, False)
        same = (data.y[:, None] // 2 == data.y // 2) & ~np.eye(len(data.y), dtype=bool)
        found["pair_purity"] = (near & same).sum() / near.sum()
        found["pair_reach"] = (near & same).sum() / same.sum()
    return found


def nearest_label(k: int, seed: int, rows: int, test_rows: int) -> dict[str, float]:
    """The sharpest interpolator, one-hot at the nearest training label, at its best temperature."""
    data, test = overlap_samples(k, seed, rows, test_rows)
    nearest = KNeighborsClassifier(1, algorithm="brute").fit(data.X, data.y).predict(test.X)
    logits = np.eye(k)[nearest]
    probs = TemperatureScaling(bounds=SHARP).fit(logits, test.conditional).predict_proba(logits)
    return {
        "nearest_kl": kl_to_conditional(test.conditional, probs),
        "closed_form": overlap_bound(k, OVERLAP),
        "uniform": uniform_excess(k, OVERLAP),
    }


def gaussian_network(
    mean: float, mix_size: int, seed: int, rows: int, width: int, epochs: int
) -> dict[str, Any]:
    """C3: 80 % of the rows to train on, a tenth of these for T, 20 % to test."""
    data = make_shifted_gaussians(rows, mean, seed=seed)
    fit, held_out, test = np.split(np.arange(rows), [rows * 72 // 100, rows * 80 // 100])
    net = train(
        data.X[fit], data.y[fit], 2, mix_size=mix_size, seed=seed, width=width, epochs=epochs
    )
    logits = net.predict_logits(data.X)[0].astype(float)
    found = scored(logits[held_out], data.y[held_out], logits[test], data.y[test])
    truth = data.conditional[test]
    found["scaled_kl"] = kl_to_conditional(truth, softmax(logits[test] / found["temperature"]))
    return {"train_accuracy": accuracy(net, data.X[fit], data.y[fit]), **found}


def noisy_image_network(
    noise: float,
    mix_size: int,
    seed: int,
    source: str,
    parts: tuple[int, int, int],
    width: int,
    epochs: int,
) -> dict[str, Any]:
    """C4: images whose training and calibration labels are wrong with probability `noise`.

    A wrong label is always the same for one class. Test labels are clean. Pixels are standardised
    by one mean and one deviation: at 0 to 1 the same network is far from fitting its labels.
    """
    images = load(source)
    assert images.array is not None
    k, rng = len(images.classes), np.random.default_rng(seed)
    rows = rng.permutation(images.n)[: sum(parts)]
    X, y = images.array[rows].reshape(len(rows), -1).astype(np.float32), images.y[rows]
    fit, held_out, test = np.split(np.arange(len(rows)), np.cumsum(parts)[:2])
    X = (X - X[fit].mean()) / X[fit].std()
    wrong = (np.arange(k) + rng.integers(1, k, k)) % k
    flipped = rng.random(len(rows)) < noise
    flipped[test] = False
    y = np.where(flipped, wrong[y], y)
    net = train(X[fit], y[fit], k, mix_size=mix_size, seed=seed, width=width, epochs=epochs)
    logits = net.predict_logits(X)[0].astype(float)
    found = scored(logits[held_out], y[held_out], logits[test], y[test])
    return {"train_accuracy": accuracy(net, X[fit], y[fit]), **found}


def accuracy(net: Ensemble, X: np.ndarray, y: np.ndarray) -> float:
    """Share of the rows whose label the network gives."""
    return float((net.predict_logits(X)[0].argmax(axis=1) == y).mean())


def scored(
    logits: np.ndarray, y: np.ndarray, test_logits: np.ndarray, test_y: np.ndarray
) -> dict[str, Any]:
    """Log loss and ECE on test rows at T = 1, at the converged T and at that of the released code.

    Both temperatures are fitted on the calibration rows `logits` (n, k) and `y`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `at_bound` tells
        scaler = TemperatureScaling().fit(logits, y)
    released = released_temperature(logits, y)
    found: dict[str, Any] = {
        "temperature": scaler.temperature_,
        "gradient": scaler.gradient_,
        "at_bound": scaler.at_bound_,
        "released_temperature": released,
    }
    for name, T in (("raw", 1.0), ("scaled", scaler.temperature_), ("released", released)):
        probs = softmax(test_logits / T)
        found |= {f"{name}_nll": nll(probs, test_y), f"{name}_ece": ece(probs, test_y)}
    return found


def released_temperature(logits: np.ndarray, y: np.ndarray) -> float:
    """The temperature at which the paper's released code stops, short of the optimum.

    From T = 1 it calls L-BFGS once: at most 20 iterations at rate 0.01, without line search.
    """
    scores, labels = torch.tensor(logits), torch.tensor(y)
    temperature = torch.ones((), dtype=scores.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([temperature], lr=0.01)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(scores / temperature, labels)
        value.backward()
        return value

    optimizer.step(loss)
    return float(temperature.detach())
