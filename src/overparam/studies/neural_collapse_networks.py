"""What C5 and C6 of `neural_collapse` measure on networks: one training run a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from overparam.data.loading import load
from overparam.diagnostics.collapse_metrics import neural_collapse
from overparam.diagnostics.collapsing_runs import collapsing_ensemble, train_to_collapse
from overparam.evidence.seed_tables import log_log_slopes
from overparam.nets.collapsing_network import CollapsingNetwork
from overparam.studies.neural_collapse_minima import largest_cosine
from overparam.training.run_history import LogSpaced

METRICS = ("nc1", "nc1_trace", "nc2_etf", "nc2_orthogonal", "nc3", "nc3_centred")


def balanced_network(
    source: str,
    rows: int,
    depth: int,
    loss: str,
    weight_decay: float,
    batch_norm: bool,
    seed: int,
    epochs: int,
    channels: Sequence[int] = (),
) -> dict[str, Any]:
    """C5: the metrics before and after training, and their curves.

    A perceptron of three layers, or with `channels` convolutions and one layer.
    """
    images = load(source)
    assert images.array is not None
    chosen = np.random.default_rng(seed).permutation(images.n)[:rows]
    X = images.array[chosen].reshape(len(chosen), -1).astype(np.float32)
    X = X / images.array.max()
    X, y = X - X.mean(), images.y[chosen]
    ensemble = collapsing_ensemble(
        X.shape[1],
        len(images.classes),
        (64,) if channels else (256, 256, 64),
        [seed],
        depth=depth,
        batch_norm=batch_norm,
        bias=loss == "cross_entropy",
        channels=channels,
        shape=(1, *images.array.shape[1:3]),
    )
    history = train_to_collapse(
        ensemble,
        X,
        y,
        loss=loss,
        weight_decay=weight_decay,
        epochs=epochs,
        at=LogSpaced(8, last=epochs),
    )
    found: dict[str, Any] = {
        "train_accuracy": float(history.curve("accuracy", "train").values[0, -1]),
        "epoch": sorted(set(history.table["epoch"].to_list())),
    }
    for name in METRICS:
        values = history.curve(name, "train", "head.0").values[0]
        found |= {f"{name}_start": float(values[0]), f"{name}_end": float(values[-1])}
        found[f"{name}_curve"] = values
    return found


def imbalanced_network(
    source: str,
    sizes: Sequence[int],
    depth: int,
    weight_decay: float,
    batch_norm: bool,
    seed: int,
    epochs: int,
) -> dict[str, Any]:
    """C6: how the norms of means and rows go with the number of examples of a class."""
    X, y = imbalanced_images(source, sizes, seed)
    ensemble = collapsing_ensemble(
        X.shape[1], len(sizes), (256, 64), [seed], depth=depth, batch_norm=batch_norm
    )
    history = train_to_collapse(
        ensemble, X, y, weight_decay=weight_decay, epochs=epochs, at=LogSpaced(8, last=epochs)
    )
    network = ensemble.member(0)
    assert isinstance(network, CollapsingNetwork)
    with torch.no_grad():
        h = network.body(torch.tensor(X)).double()
    means = np.stack([h[torch.tensor(y == k)].mean(0).numpy() for k in range(len(sizes))])
    rows = network.head[-1].get_parameter("weight").detach().double().numpy()
    norms = {"mean": np.linalg.norm(means, axis=1), "row": np.linalg.norm(rows, axis=1)}
    found: dict[str, Any] = {
        "train_accuracy": float(history.curve("accuracy", "train").values[0, -1]),
        "mean_norms": norms["mean"],
        "row_norms": norms["row"],
        "mean_cosine": largest_cosine(means),
        "row_cosine": largest_cosine(rows),
        "nc1": neural_collapse(h, torch.tensor(y)).nc1,
    }
    for name, lengths in norms.items():
        found[f"{name}_order"] = float(spearmanr(sizes, lengths).statistic)
        found[f"{name}_slope"] = float(log_log_slopes(sizes, lengths))
    return found


def imbalanced_images(
    source: str, sizes: Sequence[int], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The wanted number of images of each of some classes, drawn and permuted by the seed.

    Images of 28 x 28 are averaged to 14 x 14.
    """
    images = load(source)
    assert images.array is not None
    rng = np.random.default_rng(seed)
    classes = rng.permutation(len(images.classes))[: len(sizes)]
    rows, labels = [], []
    for label, (c, size) in enumerate(zip(classes, sizes, strict=True)):
        rows.append(rng.permutation(np.flatnonzero(images.y == c))[:size])
        labels.append(np.full(size, label))
    pixels = images.array[np.concatenate(rows)].astype(np.float32) / images.array.max()
    pixels = pixels.reshape(len(pixels), *pixels.shape[1:3])
    if pixels.shape[1] == 28:
        pixels = pixels.reshape(-1, 14, 2, 14, 2).mean((2, 4))
    X = pixels.reshape(len(pixels), -1)
    return X - X.mean(), np.concatenate(labels)
