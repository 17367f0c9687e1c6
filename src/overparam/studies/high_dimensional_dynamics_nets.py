"""Trained networks of `high_dimensional_dynamics`: sweeps of width and of initial scale.

Seeds and widths of a bucket are members of one ensemble. Narrow members are padded to the widest
with units whose weights are 0 on both sides: such a unit gets no gradient from either, so that it
stays 0 and the member is the narrow network exactly. Wide networks fill a core alone and are not
padded to each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from overparam.data.loading import load
from overparam.nets.mlp import MLP
from overparam.training.callbacks import Callback, LiveStack
from overparam.training.ensemble import Ensemble

SEEDS = 1000  # a member's seed is width x SEEDS + seed, so that its factory knows both
EPOCH = 25  # steps between two looks at the test rows
WRONG = 0.2  # share of the training labels


class WithoutBiases(Callback):
    """Keeps the biases, which start at 0, where they are."""

    def before_update(self, stack: LiveStack) -> None:
        """Take away their gradients."""
        for name, gradient in stack.gradients.items():
            if name.endswith("bias"):
                gradient.zero_()


def padded_mlp(widest: int, hidden: float, readout: float, by_fan_in: bool) -> Any:
    """Factory of ReLU networks with one hidden layer, padded with dead units to `widest`.

    Initial weights are normal with deviations `hidden`, or `hidden` sqrt(2 / inputs) where
    `by_fan_in`, and `readout` / sqrt(width); biases are 0.
    """

    def build(n_features: int, n_outputs: int, code: int) -> nn.Module:
        width, seed = divmod(code, SEEDS)
        net = MLP(n_features, n_outputs, (widest,), seed=seed)
        draw = torch.Generator().manual_seed(code)
        first, last = net.layers
        assert isinstance(first, nn.Linear)
        assert isinstance(last, nn.Linear)
        spread = hidden * np.sqrt(2 / n_features) if by_fan_in else hidden
        with torch.no_grad():
            for tensor in net.parameters():
                tensor.zero_()
            # Drawn outside: in place, a slice would get other numbers than a whole tensor.
            first.weight[:width] = spread * torch.randn(width, n_features, generator=draw)
            deviation = readout / np.sqrt(width)
            last.weight[:, :width] = deviation * torch.randn(n_outputs, width, generator=draw)
        return net

    return build


def digit_networks(
    seed: list[int],
    widths: tuple[int, ...],
    kind: str,
    scale: float,
    steps: int,
    rows: int,
) -> dict[str, list[Any]]:
    """Networks on digits with wrong training labels; for each seed lists over the widths.

    Kind "a" has biases and both layers at `scale` times their usual deviation, Adam at 2e-3; kind
    "b" has none, hidden weights N(0, 2) on rows of norm 1, readout N(0, scale^2 / N) and Adam at
    0.02. Squared error of full batches on one-hot targets, summed over outputs in the figures; test
    labels are clean.
    """
    X, clean, train, targets = noisy_digits(kind, seed, rows)
    widest = max(widths)
    build = padded_mlp(widest, scale, scale, True)
    rate: float = 2e-3
    callbacks: tuple[Callback, ...] = ()
    if kind == "b":
        build = padded_mlp(widest, np.sqrt(2), scale, False)
        rate, callbacks = 0.02, (WithoutBiases(),)
    codes = [width * SEEDS + one for one in seed for width in widths]
    nets = Ensemble(build, codes, X.shape[1], 10)
    per_member = len(widths)
    history = nets.fit(
        X,
        clean,
        loss="squared",
        optimizer="adam",
        learning_rate=rate,
        batch_size=rows,
        steps=steps,
        steps_per_epoch=EPOCH,
        schedule="cosine",
        weights=np.repeat(train, per_member, axis=0),
        targets=np.repeat(targets, per_member, axis=0),
        validation=(X, clean, np.repeat(1.0 - train, per_member, axis=0)),
        callbacks=callbacks,
    )
    late, best = history.validation_loss[:, -1], history.validation_loss.min(axis=1)
    fitted = ((nets.predict_logits(X) - np.repeat(targets, per_member, axis=0)) ** 2).sum(axis=2)
    named = {
        "late_mse": 10 * late,
        "best_mse": 10 * best,
        "late_error": 1 - history.validation_accuracy[:, -1],
        "train_mse": (fitted * np.repeat(train, per_member, axis=0)).sum(axis=1) / rows,
    }
    return {name: values.reshape(len(seed), -1).tolist() for name, values in named.items()}


def noisy_digits(
    kind: str, seed: list[int], rows: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All digits X (n, 64) and their one-hot targets (n, 10), and for each seed its training set.

    That is which rows it trains on, (seeds, n) of 1 and 0, and partly wrong targets of these,
    (seeds, n, 10): "a" replaces labels by another one, "b" by any.
    """
    digits = load("digits")
    assert digits.array is not None
    X, n = digits.array.reshape(digits.n, -1).astype(float), digits.n
    if kind == "a":
        X = (X - X.mean()) / X.std()
    else:
        X -= X.mean(axis=0)
        X /= np.linalg.norm(X, axis=1).mean()
    train, labels = np.zeros((len(seed), n)), np.repeat(digits.y[None], len(seed), axis=0)
    for i, one in enumerate(seed):
        rng = np.random.default_rng([one, 4])
        chosen = rng.permutation(n)[:rows]
        train[i, chosen] = 1
        replaced = chosen[rng.random(rows) < WRONG]
        shift = rng.integers(1 if kind == "a" else 0, 10, len(replaced))
        labels[i, replaced] = (labels[i, replaced] + shift) % 10
    middle = 0.1 if kind == "b" else 0.0
    one_hot = np.eye(10, dtype=np.float32)
    return X.astype(np.float32), one_hot[digits.y] - middle, train, one_hot[labels] - middle
