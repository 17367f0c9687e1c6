"""Networks behind C6 and C7 of `boundary_tilting`; levels of decay are members of an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.data.loading import load
from overparam.diagnostics.attacks.deepfool import boundary_points
from overparam.diagnostics.class_scatter import ClassScatter
from overparam.diagnostics.local_boundary import local_tilt
from overparam.nets.mlp import MLP
from overparam.studies.boundary_tilting_cells import image_pair, line_of, logistic
from overparam.training.ensemble import Ensemble

BATCH = 100
RATE = 0.05


def he_network(widths: Sequence[int]) -> Any:
    """A factory of ReLU perceptrons with He's initial weights and biases of zero."""

    def build(n_features: int, n_outputs: int, seed: int) -> nn.Module:
        net = MLP(n_features, n_outputs, widths)
        for layer in net.layers:
            assert isinstance(layer, nn.Linear)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        return net

    return build


def decayed_networks(
    source: str,
    rows: int,
    test_rows: int,
    walked: int,
    width: int,
    epochs: int,
    decay: Sequence[float],
    seed: int,
) -> dict[str, Any]:
    """C6: accuracy, and median relative distance of the first correct test rows, by weight decay.

    SGD adds the decay to the gradient, of biases as well (the specification spares them; they are
    few and small). All members start from the same weights and see the same batches.
    """
    images = load(source)
    assert images.array is not None
    order = np.random.default_rng(seed).permutation(images.n)[: rows + test_rows]
    X = images.array[order].reshape(len(order), -1).astype(np.float32) / images.array.max()
    y, k = images.y[order], len(images.classes)
    means = ClassScatter(X[:rows], y[:rows]).means
    nets = Ensemble(he_network((width, width)), [seed] * len(decay), X.shape[1], k)
    nets.fit(
        X[:rows],
        y[:rows],
        optimizer="sgd",
        learning_rate=RATE,
        momentum=0.9,
        weight_decay=list(decay),
        schedule="cosine",
        batch_size=BATCH,
        epochs=epochs,
    )
    Z, t = X[rows:], y[rows:]
    right = nets.predict_logits(Z).argmax(-1) == t
    found: dict[str, list[float]] = {
        name: [] for name in ("accuracy", "train_accuracy", "distance", "angle", "not_crossed")
    }
    fitted = (nets.predict_logits(X[:rows]).argmax(-1) == y[:rows]).mean(axis=1)
    for member in range(len(decay)):
        chosen = np.flatnonzero(right[member][:walked])
        tilt = local_tilt(nets.member(member), Z[chosen], t[chosen], k, means=means)
        found["accuracy"].append(float(right[member].mean()))
        found["train_accuracy"].append(float(fitted[member]))
        found["distance"].append(tilt.median_relative_distance)
        found["angle"].append(tilt.median_angle)
        found["not_crossed"].append(float(tilt.not_crossed))
    return dict(found)


def logistic_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """log(1 + exp(-(2t - 1) z)) of one output z (M, B, 1) and targets t in {0, 1}: (M, B)."""
    return nn.functional.softplus(-(2 * targets - 1) * logits).squeeze(-1)


def two_perturbations(
    source: str,
    pair: str,
    sizes: Sequence[int],
    c: float,
    width: int,
    epochs: int,
    walked: int,
    kept: int,
    seed: int,
) -> dict[str, Any]:
    """C7: least perturbations of a logistic regression and of a network, on the same test rows.

    Means over those of the first `walked` test rows that both have right. `*_outside`: share of
    the squared norm outside the first `kept` within-class components; `*_to_means`: |cosine| with
    the line of the class means; `linear_flips`: share of rows of which twice the linear
    perturbation changes the network's class, `network_flips` the reverse.
    """
    (X, y), (Z, t) = image_pair(source, pair, sizes, seed)
    coef, intercept = line_of(logistic(c, len(X)).fit(X, y))
    ensemble = Ensemble(lambda d, k, s: MLP(d, k, (width, width), seed=s), [seed], X.shape[1], 1)
    ensemble.fit(
        X,
        y.astype(np.float32),
        loss=logistic_loss,
        optimizer="sgd",
        learning_rate=RATE,
        momentum=0.9,
        weight_decay=5e-4,
        batch_size=BATCH,
        epochs=epochs,
    )
    net = ensemble.member(0).double()

    def says(rows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net(torch.from_numpy(rows)).numpy()[:, 0] > 0

    accuracy = {"linear": (Z @ coef + intercept > 0) == t, "network": says(Z) == t}
    both = np.flatnonzero((accuracy["linear"] & accuracy["network"])[:walked])
    rows = Z[both]
    walk = boundary_points(net, rows)
    steps = {
        "linear": -np.outer((rows @ coef + intercept) / (coef @ coef), coef),
        "network": walk.points.numpy() - rows,
    }
    crossed = walk.crossed.numpy()
    steps = {name: step[crossed] for name, step in steps.items()}
    rows, label = rows[crossed], t[both][crossed]
    scatter = ClassScatter(X, y)
    gap, basis = scatter.gap(), scatter.components[1][:, :kept]
    found: dict[str, Any] = {"not_crossed": int((~crossed).sum()), "rows": len(rows)}
    for name, step in steps.items():
        square = (step**2).sum(axis=1)
        found |= {
            f"{name}_accuracy": float(accuracy[name].mean()),
            f"{name}_outside": float(1 - (((step @ basis) ** 2).sum(axis=1) / square).mean()),
            f"{name}_to_means": float(np.abs(cosines(step, gap)).mean()),
            f"{name}_distance": float(np.median(np.sqrt(square)) / np.linalg.norm(gap) * 2),
        }
    found["cosine"] = float(np.abs(cosines(steps["linear"], steps["network"])).mean())
    found["linear_flips"] = float((says(rows + 2 * steps["linear"]) != label).mean())
    moved = rows + 2 * steps["network"]
    found["network_flips"] = float(((moved @ coef + intercept > 0) != label).mean())
    return found


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of each row of a (n, d) with b, a row each or one for all."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(axis=1) / lengths)
