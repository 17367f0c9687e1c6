"""What the study of weight companders trains, and what it measures on the trained nets.

Pixels are standardised by one mean and one deviation of all training images, columns each by their
own; training is by Nesterov's SGD with a cosine, the decay acts on what is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import logsumexp
from torch import nn

from overparam.data.dataset import View
from overparam.data.loading import load
from overparam.diagnostics.weight_distribution import accuracy_after_zeroing, weight_shape
from overparam.nets.companding import companders
from overparam.studies.weight_compander_nets import NormedPerceptron, factory, shape_factors
from overparam.training.ensemble import Ensemble

ZEROED = (0.1, 0.2, 0.3, 0.4, 0.5)
FIGURES = ("near_zero", "largest", "kurtosis", "effective")


class Rows(NamedTuple):
    """Training and validation rows with the labels of each seed, and test rows for all of them."""

    X: np.ndarray  # (n, d), all rows that any seed uses
    train: list[np.ndarray]  # positions in X, one array a seed
    validation: list[np.ndarray]
    y: np.ndarray  # (seeds, n), some of them random
    X_test: np.ndarray
    y_test: np.ndarray
    k: int


def rows_of(seeds: Sequence[int], source: str, n: int, held: int, test: int, noise: float) -> Rows:
    """Each seed's own draw of n training and `held` validation rows, and test rows for all.

    A share `noise` of the labels of both is replaced by a class drawn at random.
    """
    data = load(source)
    assert data.array is not None
    array = data.array.reshape(data.n, -1)
    own_test = np.zeros(0, dtype=int) if data.test_rows is None else data.test_rows
    order = np.random.default_rng(0).permutation(np.setdiff1d(np.arange(data.n), own_test))
    if len(own_test):
        pool, tested = order, np.random.default_rng(0).permutation(own_test)[:test]
    else:
        pool, tested = order[test:], order[:test]
    blocks = [np.random.default_rng(s).permutation(pool)[: n + held] for s in seeds]
    X = array[np.concatenate(blocks)].astype(np.float32)
    known = array[pool[:10_000]]
    level, spread = float(known.mean()), float(known.std())
    y = np.tile(data.y[np.concatenate(blocks)], (len(seeds), 1))
    places = np.arange(len(X)).reshape(len(seeds), n + held)
    k = len(data.classes)
    for seed, labels, own in zip(seeds, y, places, strict=True):
        rng = np.random.default_rng([seed, 1])
        wrong = own[rng.random(len(own)) < noise]
        labels[wrong] = rng.integers(0, k, len(wrong))
    return Rows(
        (X - level) / spread,
        [own[:n] for own in places],
        [own[n:] for own in places],
        y,
        (array[tested].astype(np.float32) - level) / spread,
        data.y[tested],
        k,
    )


def trained(
    seed: Sequence[int],
    arm: str,
    learning_rate: float,
    weight_decay: float,
    dropout: float,
    noise: float,
    source: str,
    n: int,
    held: int,
    test: int,
    widths: Sequence[int],
    epochs: int,
    normalised: bool = True,
) -> dict[str, list[float]]:
    """Cell: one net a seed, and everything that the claims ask of it.

    Returns
    -------
    dict of str to list
        For each seed `accuracy`, `nll` and the same of `train_` and `validation_` rows;
        `kept@SHARE`, the accuracy after that share of the weights is zeroed at random; for layer
        1, 2, ... `NAME@LAYER` of the weights' shape (and `start_NAME@LAYER` before training), and
        `a@LAYER`, `b@LAYER` in absolute units.
    """
    rows = rows_of(seed, source, n, held, test, noise)
    build = factory(arm, widths, dropout, normalised)
    ensemble = Ensemble(build, seed, rows.X.shape[1], rows.k)
    starts = [ensemble.member(i) for i in range(len(seed))]
    weights = np.zeros(rows.y.shape, dtype=np.float32)
    for own, places in zip(weights, rows.train, strict=True):
        own[places] = 1.0
    rates, decays = shape_factors(starts[0])
    ensemble.fit(
        rows.X,
        None,
        targets=rows.y,
        weights=weights,
        optimizer="nesterov",
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        rate_factors=rates,
        decay_factors=decays,
        batch_size=50,
        epochs=epochs,
        steps_per_epoch=-(-n // 50),
        schedule="cosine",
    )
    found = []
    for i, start in enumerate(starts):
        net = ensemble.member(i)
        assert isinstance(net, NormedPerceptron)
        net.settle_(torch.as_tensor(rows.X[rows.train[i]]))
        found.append(
            scores(net, rows.X_test, rows.y_test)
            | scores(net, rows.X[rows.train[i]], rows.y[i, rows.train[i]], "train_")
            | held_scores(net, rows, i)
            | zeroed(net, rows, seed[i])
            | shapes(net)
            | shapes(start, "start_")
        )
    return {name: [one[name] for one in found] for name in found[0]}


@torch.no_grad()
def scores(net: nn.Module, X: np.ndarray, y: np.ndarray, prefix: str = "") -> dict[str, float]:
    """Accuracy and negative log-likelihood."""
    logits = net(torch.as_tensor(X)).double().numpy()
    if not np.isfinite(logits).all():
        return {f"{prefix}accuracy": np.nan, f"{prefix}nll": np.nan}
    nll = (logsumexp(logits, axis=1) - logits[np.arange(len(y)), y]).mean()
    return {f"{prefix}accuracy": (logits.argmax(1) == y).mean(), f"{prefix}nll": nll}


def held_scores(net: nn.Module, rows: Rows, i: int) -> dict[str, float]:
    """Scores on the i-th seed's validation rows, where there are any."""
    held = rows.validation[i]
    return scores(net, rows.X[held], rows.y[i, held], "validation_") if len(held) else {}


def zeroed(net: nn.Module, rows: Rows, seed: int) -> dict[str, float]:
    """Test accuracy after a share of every layer's weights is gone."""
    found = accuracy_after_zeroing(net, rows.X_test, rows.y_test, ZEROED, seed=seed)
    return {f"kept@{share:g}": value for share, value in zip(ZEROED, found, strict=True)}


def shapes(net: nn.Module, prefix: str = "") -> dict[str, float]:
    """The weights' shape by layer, and the compander's."""
    found = {
        f"{prefix}{name}@{layer}": getattr(shape, name)
        for layer, shape in enumerate(weight_shape(net), start=1)
        for name in FIGURES
    }
    for layer, (_, compander) in enumerate(companders(net), start=1):
        found[f"{prefix}a@{layer}"] = float(compander.a.detach())
        found[f"{prefix}b@{layer}"] = float(compander.b.detach())
    return found


def real_data(
    seed: int, source: str, arm: str, rates: Sequence[float], widths: Sequence[int], epochs: int
) -> dict[str, float]:
    """Cell: C6, the net of the rate with the least validation loss.

    Returns
    -------
    dict
        `loss` (log loss, or squared error over the variance of the training targets) and `accuracy`
        (1 - loss of numbers) on the test part, and the `rate` that was taken.
    """
    data = load(source)
    split = data.split(seed)
    regression = data.task == "regression"
    level, spread = split.train.y.mean(), split.train.y.std()

    def targets(view: View) -> Any:
        return ((view.y - level) / spread).astype(np.float32) if regression else view.y

    members = [seed] * len(rates)
    outputs = len(data.classes) or 1
    ensemble = Ensemble(factory(arm, widths), members, split.train.flat.shape[1], outputs)
    ensemble.fit(
        split.train.flat,
        targets(split.train),
        loss="squared" if regression else "cross_entropy",
        optimizer="nesterov",
        learning_rate=rates,
        weight_decay=5e-4,
        batch_size=50,
        epochs=epochs,
        schedule="cosine",
    )
    fitted = []
    for i in range(len(rates)):
        net = ensemble.member(i)
        assert isinstance(net, NormedPerceptron)
        fitted.append(net.settle_(torch.as_tensor(split.train.flat)))
    losses = [risk(net, split.validation.flat, targets(split.validation))[0] for net in fitted]
    best = int(np.nanargmin(losses))
    loss, accuracy = risk(fitted[best], split.test.flat, targets(split.test))
    return {"loss": loss, "accuracy": accuracy, "rate": rates[best]}


@torch.no_grad()
def risk(net: nn.Module, X: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Log loss and accuracy of labels; squared error and one minus it of numbers."""
    if np.issubdtype(y.dtype, np.integer):
        found = scores(net, X, y)
        return found["nll"], found["accuracy"]
    error = float(((net(torch.as_tensor(X))[:, 0].double().numpy() - y) ** 2).mean())
    return error, 1 - error
