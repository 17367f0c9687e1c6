"""Networks trained until they collapse, recorded layer by layer: a probe of data and of decay."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from overparam.diagnostics.collapse_tracking import LayerCollapse
from overparam.diagnostics.recording import EnsembleRecorder
from overparam.diagnostics.run_measures import Fit
from overparam.nets.collapsing_network import CollapsingNetwork
from overparam.training.ensemble import Ensemble
from overparam.training.run_history import RunHistory


def half_squared(logits: Tensor, labels: Tensor) -> Tensor:
    """Half the squared distance to the one-hot label, summed over outputs: (M, B)."""
    target = nn.functional.one_hot(labels, logits.shape[-1])
    return (logits - target).square().sum(-1) / 2


def collapsing_ensemble(
    n_features: int,
    n_outputs: int,
    hidden: Sequence[int],
    seeds: Sequence[int],
    *,
    depth: int = 1,
    batch_norm: bool = True,
    bias: bool = False,
    channels: Sequence[int] = (),
    shape: tuple[int, int, int] | None = None,
) -> Ensemble:
    """Untrained networks, one a seed; see `nets.CollapsingNetwork`."""

    def build(d: int, k: int, seed: int) -> nn.Module:
        return CollapsingNetwork((d, *hidden), k, depth, batch_norm, bias, channels, shape)

    return Ensemble(build, seeds, n_features, n_outputs)


def train_to_collapse(
    ensemble: Ensemble,
    X: np.ndarray,
    y: np.ndarray,
    *,
    weight_decay: float | Sequence[float],
    epochs: int,
    loss: str = "squared",
    batch_size: int = 128,
    layers: Sequence[str] = (),
    at: Container[int] | None = None,
) -> RunHistory:
    """Train a `collapsing_ensemble` by SGD with momentum and record its collapse.

    Parameters
    ----------
    ensemble : Ensemble
    X : array of shape (n, d), float32
    y : array of shape (n,), int
    weight_decay : float or sequence of float
        Of all members or one for each, added to the gradient as the theory's penalty is.
    epochs : int
    loss : {"squared", "cross_entropy"}
        Half the squared distance to one-hot labels, or cross-entropy.
    layers : sequence of str
        Layers of the body ("body.0", "body.3", ...) whose inputs are measured beside the head's.
    at : container of int, optional
        Epochs at which to measure; all by default.

    Returns
    -------
    RunHistory
        Fit and collapse on the rows, called "train".
    """
    head = [name for name, _ in ensemble.member(0).named_modules() if name.startswith("head.")]
    recorder = EnsembleRecorder(
        ensemble,
        {"train": (torch.tensor(X), torch.tensor(y))},
        measures=(Fit(), LayerCollapse([*layers, head[0]], head)),
        at=at,
    )
    ensemble.fit(
        X,
        y,
        loss="cross_entropy" if loss == "cross_entropy" else half_squared,
        optimizer="sgd",
        learning_rate=0.05,
        momentum=0.9,
        weight_decay=weight_decay,
        schedule="cosine",
        batch_size=batch_size,
        epochs=epochs,
        callbacks=[recorder],
    )
    return recorder.history
