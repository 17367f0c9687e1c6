"""A network trained under guidance, as a scikit-learn classifier."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from overparam.nets.seeding import seeded
from overparam.training.frozen_guide import Cache, Distance
from overparam.training.guidance import Guidance, Mapping
from overparam.training.logit_classifier import LogitClassifier
from overparam.training.minibatches import MinibatchStream
from overparam.training.similarity import FEWEST_ROWS, linear_cka

_DROP = 0.1  # factor on the learning rate after every `drop_every` epochs
_PROFILE = 256  # training rows of `cka_profile_`

Factory = Callable[[int, int, int], nn.Module]


class GuidedClassifier(LogitClassifier, BaseEstimator):
    """Train a target on its task and towards a frozen guide (arXiv 2410.20035).

    Parameters
    ----------
    target_factory : callable
        `target_factory(n_features, n_outputs, seed) -> nn.Module`.
    guide : nn.Module, or callable as `target_factory`
        A network (a copy of it is used), trained or not; or the factory of an untrained one, which
        is built with `random_state`. It must read what the target reads.
    alpha : float
        Weight of the alignment term; 0 is plain training.
    guidance_steps : int, optional
        Guide only so many first steps; None guides throughout.
    guide_layers, target_layers, mapping, distance, reduction, duplicates, cache
        As in `training.Guidance`.
    epochs, batch_size : int
        Compare only runs of one batch size: CKA depends on it. 256 is the paper's.
    learning_rate : float
        Of Adam; a tenth of it after every `drop_every` epochs.
    drop_every : int
    random_state : int
        Seed of the target's weights, of the minibatches and of the target's own randomness.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
    target_ : nn.Module
        The trained network, in evaluation mode, without hooks.
    history_ : dict of str to ndarray of shape (epochs,)
        Means over the steps of an epoch: `loss` (the task's), `alignment` (the alignment term, NaN
        where no step was guided) and `accuracy` on the minibatches.
    cka_profile_ : list of dict
        A pair of layers each: `guide_layer`, `target_layer`, `cka` and `debiased` on at most 256
        training rows after training. Believe the debiased one: the plain one is near 1 for any two
        wide layers.

    Examples
    --------
    >>> from overparam.nets.convnet import ConvNet
    >>> from overparam.nets.mlp import MLP
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = GuidedClassifier(
    ...     lambda d, k, seed: MLP(d, k, (64, 64, 64), seed=seed),
    ...     guide=lambda d, k, seed: ConvNet((1, 8, 8), k, seed=seed),
    ...     guidance_steps=20,
    ...     epochs=20,
    ... ).fit(X / 16, y)
    >>> model.score(X / 16, y) > 0.8
    True
    """

    def __init__(
        self,
        target_factory: Factory,
        guide: nn.Module | Factory,
        alpha: float = 1.0,
        guidance_steps: int | None = None,
        *,
        guide_layers: Any = None,
        target_layers: Any = None,
        mapping: Mapping = "uniform",
        distance: Distance = "cka",
        reduction: Literal["sum", "mean"] = "sum",
        duplicates: Literal["all", "last"] = "all",
        cache: Cache = "auto",
        epochs: int = 30,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        drop_every: int = 30,
        random_state: int = 0,
    ) -> None:
        self.target_factory = target_factory
        self.guide = guide
        self.alpha = alpha
        self.guidance_steps = guidance_steps
        self.guide_layers = guide_layers
        self.target_layers = target_layers
        self.mapping = mapping
        self.distance = distance
        self.reduction = reduction
        self.duplicates = duplicates
        self.cache = cache
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.drop_every = drop_every
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> GuidedClassifier:
        """Train on X (n, ...) with labels y (n,).

        Raises
        ------
        ValueError
            If an argument is outside what is accepted, or y holds a single class.
        """
        for name in ("epochs", "batch_size", "drop_every"):
            value = getattr(self, name)
            if value != int(value) or value < 1:
                raise ValueError(f"{name} must be an integer >= 1; got {value!r}.")
        X, y = validate_data(
            self, X, y, dtype=np.float32, allow_nd=True, ensure_min_samples=FEWEST_ROWS
        )
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y must hold at least 2 classes; got one class, {self.classes_[0]!r}."
            )
        x, labels = torch.as_tensor(X), torch.as_tensor(codes)
        size = (math.prod(X.shape[1:]), len(self.classes_), self.random_state)
        with seeded(self.random_state):
            target = self.target_factory(*size)
        guide = self._guide(*size)
        with Guidance(
            guide,
            target,
            self.guide_layers,
            self.target_layers,
            self.mapping,
            self.alpha,
            self.distance,
            self.guidance_steps,
            self.reduction,
            self.cache,
            self.duplicates,
        ) as guidance:
            if self.alpha > 0 and guidance.active(0):
                guidance.remember(x)
            with seeded(self.random_state):
                self.history_ = self._train(target, guidance, x, labels)
            self.target_ = target.eval()
            self.cka_profile_ = profile(guidance, target, x[:_PROFILE])
        return self

    def _guide(self, n_features: int, n_outputs: int, seed: int) -> nn.Module:
        if isinstance(self.guide, nn.Module):
            return copy.deepcopy(self.guide)
        with seeded(seed):
            return self.guide(n_features, n_outputs, seed).eval()

    def _train(
        self, target: nn.Module, guidance: Guidance, x: Tensor, y: Tensor
    ) -> dict[str, np.ndarray]:
        """Epochs of ceil(n / batch size) steps."""
        size = min(self.batch_size, len(x))
        length = math.ceil(len(x) / size)
        stream = MinibatchStream(self.random_state, torch.arange(len(x)))
        optimizer = torch.optim.Adam(target.parameters(), self.learning_rate)
        rates = torch.optim.lr_scheduler.StepLR(optimizer, self.drop_every * length, _DROP)
        curves = {"loss": [], "alignment": [], "accuracy": []}  # type: dict[str, list[float]]
        target.train()
        for epoch in range(self.epochs):
            sums = torch.zeros(3)
            guided = 0
            for step in range(epoch * length, (epoch + 1) * length):
                rows = stream.take(size)
                logits = target(x[rows])
                task = loss = nn.functional.cross_entropy(logits, y[rows])
                term = torch.zeros(())
                if guidance.active(step):
                    term = guidance.loss(x[rows], rows)
                    guided += 1
                    loss = task + term
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                rates.step()
                hits = (logits.argmax(1) == y[rows]).float().mean()
                sums += torch.stack([task.detach(), term.detach(), hits])
            total, alignment, accuracy = sums.tolist()
            curves["loss"].append(total / length)
            curves["alignment"].append(alignment / guided if guided else math.nan)
            curves["accuracy"].append(accuracy / length)
        return {name: np.array(values) for name, values in curves.items()}

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, allow_nd=True, reset=False)
        # In float64, so that a row's logits do not depend on the rows beside it.
        with torch.no_grad():
            return copy.deepcopy(self.target_).double()(torch.as_tensor(X).double()).numpy()


@torch.no_grad()
def profile(guidance: Guidance, target: nn.Module, x: Tensor) -> list[dict[str, Any]]:
    """CKA, plain and debiased, of each pair of layers on inputs x (B, ...), in evaluation mode."""
    target(x)
    found, guide = guidance.activations(x)
    return [
        {
            "guide_layer": g,
            "target_layer": t,
            "cka": float(linear_cka(found[t], guide[g])),
            "debiased": float(linear_cka(found[t], guide[g], debiased=True)),
        }
        for g, t in guidance.pairs_
    ]
