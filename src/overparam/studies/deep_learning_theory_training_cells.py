"""Trained classifiers of the study `deep_learning_theory` (C3, C8, C9).

A cell is a stack of seeds times learning rates. The rate, and the epoch at which a net is read, are
chosen on validation rows; test rows only score.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import torch

from overparam.data.loading import load
from overparam.studies.deep_learning_theory_nets import SGD, StackedNets, scores, train
from overparam.theory.initialization import criticality
from overparam.training.layerwise_rates import layer_factors


def trained_nets(
    activation: str,
    factor: float,
    layers: int,
    width: int,
    residual: float,
    layerwise: bool,
    rates: tuple[float, ...],
    source: str,
    parts: tuple[int, int, int],
    batch: int,
    epochs: int,
    momentum: float,
    clip: float | None,
    seed: list[int],
) -> dict[str, Any]:
    """Losses and accuracies of nets with C_W at `factor` times criticality.

    Returns
    -------
    dict
        One entry a seed: `loss` and `accuracy` on test rows of the net with the lowest validation
        loss over all rates and epochs, `rate` where that was, and `train_losses` (rates) after the
        last epoch.
    """
    data = [images(source, parts, each) for each in seed]
    members = list(product(range(len(seed)), rates))
    place = [i for i, _ in members]
    X, y = ([np.stack([part[i][k] for i in place]) for k in range(3)] for part in _columns(data))
    critical = criticality(activation)
    stack = StackedNets(
        [X[0].shape[2], *[width] * (layers - 1), len(np.unique(y[0]))],
        activation,
        [seed[i] for i in place],
        factor * critical.C_W,
        critical.C_b,
        residual,
    )
    factors = layer_factors(activation, layers) if layerwise else None
    eta = torch.tensor([rate for _, rate in members])
    optimizer = SGD(stack, stack.rates(eta, factors), momentum, clip)
    held_out, tested, hits = [], [], []

    def measure() -> None:
        held_out.append(scores(stack, X[1], y[1])[0])
        loss, accuracy = scores(stack, X[2], y[2])
        tested.append(loss)
        hits.append(accuracy)

    measure()
    train(
        optimizer,
        X[0],
        y[0],
        [seed[i] for i in place],
        batch=batch,
        epochs=epochs,
        after_epoch=measure,
    )
    shape = (-1, len(seed), len(rates))
    validation = np.array(held_out).reshape(shape).transpose(1, 2, 0)  # seeds, rates, epochs
    best = validation.reshape(len(seed), -1).argmin(axis=1)
    rate, epoch = np.unravel_index(best, validation.shape[1:])
    at = (epoch, np.arange(len(seed)), rate)
    return {
        "loss": np.array(tested).reshape(shape)[at],
        "accuracy": np.array(hits).reshape(shape)[at],
        "rate": np.array(rates)[rate],
        "train_losses": scores(stack, X[0], y[0])[0].reshape(len(seed), len(rates)),
    }


def images(source: str, parts: tuple[int, int, int], seed: int) -> tuple[Any, Any]:
    """Training, validation and test images, flattened, and their labels.

    Centred by the training rows' mean image; |x|^2 / n_0 = 1 on average over them.
    """
    data = load(source)
    assert data.array is not None
    rows = np.random.default_rng(seed).permutation(data.n)[: sum(parts)]
    X = data.array[rows].reshape(len(rows), -1).astype(np.float32)
    X -= X[: parts[0]].mean(axis=0)
    X /= np.sqrt((X[: parts[0]] ** 2).mean())
    cuts = np.cumsum(parts)[:2]
    return np.split(X, cuts), np.split(data.y[rows], cuts)


def _columns(data: list[tuple[Any, Any]]) -> tuple[Any, ...]:
    return tuple(zip(*data, strict=True))
