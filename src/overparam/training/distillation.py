"""A student that learns from a teacher's predictions beside the labels (or in their place).

With the teacher's logits z_t, the student's z, labels y, teacher's share s and temperature T,

    loss = s T^2 H(softmax(z_t / T), softmax(z / T)) + (1 - s) H(y, softmax(z))

(Hinton et al., arXiv:1503.02531). On rows without labels the first term stands alone. A language
model teaches by the texts that it writes: the student reads them as if they were real (the form of
arXiv:2509.14786), s of its loss.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn

from overparam.training.ensemble import Ensemble, ModuleFactory
from overparam.training.language_model import LanguageModel, mixture_weights
from overparam.training.logit_ensemble import LogitEnsemble

IN_MEMORY = 2**28  # bytes of soft targets; more are kept in a file
TEXTS = 4  # of a language model, for each window of the real text


def soft_targets(
    teacher: Any,
    X: Any,
    temperature: float = 1.0,
    *,
    block: int = 1024,
    folder: str | Path | None = None,
) -> np.ndarray:
    """The teacher's probabilities (n, ..., k), float32, computed once, `block` rows at a time.

    Parameters
    ----------
    teacher : LogitEnsemble, Ensemble, nn.Module, callable, or object with `predict_proba`
        A callable maps X to logits. An Ensemble is averaged over its members' logits.
    X : array (n, ...)
    temperature : float
        Logits are divided by it.
    block : int
    folder : path, optional
        Where to keep them if they exceed 256 MB (the system's temporary folder by default): in a
        file without a name, mapped into memory, which goes when the array does.

    Raises
    ------
    ValueError
        If `temperature` is not a positive number.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be a number > 0; got {temperature!r}.")
    logits = _teacher(teacher)
    out: np.ndarray | None = None
    for start in range(0, len(X), block):
        found = softmax(logits(X[start : start + block]) / temperature, axis=-1)
        if out is None:
            out = _room((len(X), *found.shape[1:]), folder)
        out[start : start + block] = found
    if out is None:
        raise ValueError("X must have at least one row; got none.")
    return out


def distill(
    teacher: Any,
    student_factory: ModuleFactory,
    real: Any,
    synthetic_weight: float = 0.75,
    temperature: float = 1.0,
    *,
    synthetic: Any = None,
    seeds: Sequence[int] = (0,),
    folder: str | Path | None = None,
    block: int = 1024,
    **recipe: Any,
) -> Ensemble | LanguageModel:
    """Train a student (one a seed) on a teacher's predictions and real data.

    Parameters
    ----------
    teacher
        See `soft_targets`; or a fitted `LanguageModel`.
    student_factory : callable
        `(n_features, n_outputs, seed) -> nn.Module`; of a text `(context, vocab, seed)`.
    real : (X, y), or tokens (n,)
        Rows with labels (n, ...), integers, or None for y: then the teacher labels them too. A text
        where the teacher is a `LanguageModel`.
    synthetic_weight : float
        The teacher's share of the loss, in (0, 1).
    temperature : float
        Of the soft targets and of the student where it learns from them; of a text, at which the
        teacher writes.
    synthetic : array (m, ...), or int, optional
        Rows that the teacher labels; by default the real ones, where both terms meet. Of a text the
        number of windows that the teacher writes, by default four for each real one.
    seeds : sequence of int
        One a student. The teacher writes its texts with the first.
    folder, block
        See `soft_targets`.
    **recipe
        For `Ensemble.fit` (`epochs` or `steps` among them), or for `LanguageModel`.

    Returns
    -------
    Ensemble or LanguageModel
        The students, trained.

    Raises
    ------
    ValueError
        If `synthetic_weight` or `temperature` is outside its range.

    Examples
    --------
    >>> from overparam.nets.mlp import MLP
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(64, 3)).astype(np.float32)
    >>> y = (X[:, 0] > 0).astype(int)
    >>> factory = lambda d, k, seed: MLP(d, k, (8,), seed=seed)
    >>> teacher = Ensemble(factory, range(4), 3, 2)
    >>> _ = teacher.fit(X, y, learning_rate=0.01, epochs=20)
    >>> student = distill(teacher, factory, (X, y), learning_rate=0.01, epochs=20)
    >>> student.predict_logits(X).shape
    (1, 64, 2)
    """
    if not 0 < synthetic_weight < 1:
        raise ValueError(f"synthetic_weight must be in (0, 1); got {synthetic_weight!r}.")
    if isinstance(teacher, LanguageModel):
        windows = (len(real) - 1) // teacher.context
        count = TEXTS * windows if synthetic is None else int(synthetic)
        texts = teacher.sample(count, teacher.context + 1, seeds[0], temperature=temperature)
        student = LanguageModel(
            teacher.vocab,
            context=teacher.context,
            seeds=seeds,
            module_factory=student_factory,
            **recipe,
        )
        return student.fit(real, synthetic=texts, synthetic_weight=synthetic_weight)
    rows, targets, weights = _mixture(
        teacher, real, synthetic, synthetic_weight, temperature, folder, block
    )
    classes = targets.shape[-1] // (1 if temperature == 1 else 2)
    ensemble = Ensemble(student_factory, seeds, int(np.prod(rows.shape[1:])), classes)
    loss = "cross_entropy" if temperature == 1 else _at_temperature(temperature)
    ensemble.fit(rows, targets, loss=loss, weights=weights, **recipe)
    return ensemble


def _mixture(
    teacher: Any,
    real: Any,
    synthetic: Any,
    share: float,
    temperature: float,
    folder: str | Path | None,
    block: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Rows, their targets and their weights.

    At temperature 1 both terms of the loss are one cross-entropy with a mixed distribution;
    otherwise targets are (..., 2k): the teacher's part, then the labels'.
    """
    X, y = real
    X = np.asarray(X)
    taught = X if synthetic is None else np.asarray(synthetic)
    if y is None and synthetic is not None:
        X = taught = np.concatenate([X, taught])
    soft = soft_targets(teacher, taught, temperature, block=block, folder=folder)
    k = soft.shape[-1]
    apart = temperature != 1
    if synthetic is None or y is None:
        masses = (1.0, 0.0) if y is None else (share, 1 - share)
        targets = _room((*soft.shape[:-1], 2 * k if apart else k), folder)
        for i in range(0, len(X), block):
            part = slice(i, i + block)
            targets[part, ..., :k] = masses[0] * soft[part]
            if y is not None:
                targets[part, ..., -k:] += masses[1] * _one_hot(y[part], k)
        return X, targets, None
    n = len(X)
    targets = _room((n + len(taught), *soft.shape[1:-1], 2 * k if apart else k), folder)
    for i in range(0, n, block):
        targets[i : min(i + block, n), ..., -k:] = _one_hot(y[i : i + block], k)
    for i in range(0, len(taught), block):
        targets[n + i : n + i + block, ..., :k] = soft[i : i + block]
    return np.concatenate([X, taught]), targets, mixture_weights(n, len(taught), share)


def _at_temperature(T: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of the module's docstring, of targets (M, B, 2k)."""

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        soft, hard = targets.chunk(2, -1)
        taught = -(soft * torch.log_softmax(logits / T, -1)).sum(-1)
        return T**2 * taught - (hard * torch.log_softmax(logits, -1)).sum(-1)

    return loss


def _one_hot(y: Any, k: int) -> np.ndarray:
    return np.eye(k, dtype=np.float32)[np.asarray(y)]


def _room(shape: tuple[int, ...], folder: str | Path | None) -> np.ndarray:
    """Zeros, float32: in memory, or in a file that nobody else sees and that vanishes by itself."""
    if 4 * int(np.prod(shape)) <= IN_MEMORY:
        return np.zeros(shape, dtype=np.float32)
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.float32, mode="w+", shape=shape)


def _teacher(teacher: Any) -> Callable[[Any], np.ndarray]:
    """What maps rows to logits (n, ..., k)."""
    if isinstance(teacher, LogitEnsemble):
        return teacher.predict_logits
    if isinstance(teacher, (Ensemble, nn.Module)):
        return LogitEnsemble(teacher).predict_logits
    if hasattr(teacher, "predict_proba"):
        tiny = np.finfo(np.float32).tiny
        return lambda X: np.log(np.maximum(teacher.predict_proba(X), tiny))
    return lambda X: np.asarray(teacher(X))
