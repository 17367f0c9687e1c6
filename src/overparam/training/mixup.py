"""Mixup of two or more points: train on convex combinations of examples and of their labels.

    x = sum_j lambda_j x_j,   loss = sum_j lambda_j CE(g(x), y_j),   lambda ~ Dirichlet(alpha, ...)

Zhang et al. 2018 for two points; d-Mixup (d + 1 nearby points in R^d) is arXiv 2306.00740, whose
theory restricts the points to a constant distance (`partner="radius"`): mixing far-away points also
blurs classes that do not overlap. Its released code draws one weight vector a batch
(`per_sample=False`) and partners as permutations of the batch; here every sample has its own
weights by default, which has the same mean and a smaller variance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from overparam.training.logit_classifier import LogitClassifier

Partner = Literal["batch", "radius"]


def mixup_batch(
    x: Tensor,
    y_onehot: Tensor,
    mix_size: int = 2,
    alpha: float = 1.0,
    per_sample: bool = True,
    partner: Partner = "batch",
    radius: float | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Mix every example of a batch with `mix_size - 1` partners.

    Parameters
    ----------
    x : Tensor of shape (B, ...)
        Examples; not modified.
    y_onehot : Tensor of shape (B, k)
        One-hot or soft targets; not modified.
    mix_size : int
        Points in a mixture, at least 1; 1 gives back `x` and `y_onehot`.
    alpha : float
        Concentration of the symmetric Dirichlet distribution of the weights, > 0. With
        `alpha=1` the weights are uniform on the simplex.
    per_sample : bool
        Own weights for every example, or one weight vector for the batch.
    partner : {"batch", "radius"}
        Partners from the whole batch, as permutations; or, for every example, at random from those
        within `radius` of it (Euclidean distance of flattened examples), itself among them.
    radius : float
        Needed by `partner="radius"`. Report how pure in classes the neighbourhoods are.
    generator : torch.Generator, optional
        Source of randomness.

    Returns
    -------
    mixed : Tensor of shape (B, ...)
        Mixed examples.
    targets : Tensor of shape (B, k)
        Soft targets; rows sum to what those of `y_onehot` sum to.
    """
    _check_mixing(mix_size, alpha, partner, radius)
    if len(x) != len(y_onehot) or y_onehot.ndim != 2:
        raise ValueError(
            f"y_onehot must have shape ({len(x)}, k); got shape {tuple(y_onehot.shape)}."
        )
    if mix_size == 1:
        return x, y_onehot
    size = len(x)
    rows = size if per_sample else 1
    # A Dirichlet draw is a normalised vector of gamma draws; in float64, since those of a small
    # alpha underflow in float32. `torch.distributions` takes no generator.
    source = x.device if generator is None else generator.device
    shape = torch.full((mix_size, rows), float(alpha), dtype=torch.float64, device=source)
    gamma = torch._standard_gamma(shape, generator=generator).clamp_min(1e-300)
    weights = (gamma / gamma.sum(dim=0)).to(x.device)
    partners = _partners(x, mix_size - 1, partner, radius, generator)
    index = torch.cat([torch.arange(size, device=x.device)[None], partners])  # (mix_size, B)

    def combine(values: Tensor) -> Tensor:
        w = weights.to(values.dtype).reshape(mix_size, rows, *[1] * (values.ndim - 1))
        return (w * values[index]).sum(dim=0)

    return combine(x), combine(y_onehot)


def _partners(
    x: Tensor, count: int, partner: str, radius: float | None, generator: torch.Generator | None
) -> Tensor:
    """(count, B) indices into the batch."""
    size = len(x)
    source = x.device if generator is None else generator.device
    if partner == "batch":
        orders = [torch.randperm(size, generator=generator, device=source) for _ in range(count)]
        return torch.stack(orders).to(x.device)
    flat = x.reshape(size, -1)
    assert radius is not None
    near = (torch.cdist(flat, flat) <= radius).to(torch.float32)
    near.fill_diagonal_(1.0)  # rounding must not leave a row without partners
    drawn = torch.multinomial(near.to(source), count, replacement=True, generator=generator)
    return drawn.T.to(x.device)


def _check_mixing(mix_size: int, alpha: float, partner: str, radius: float | None) -> None:
    if mix_size != int(mix_size) or mix_size < 1:
        raise ValueError(f"mix_size must be an integer >= 1; got {mix_size!r}.")
    if not alpha > 0:
        raise ValueError(f"alpha must be a number > 0; got {alpha!r}.")
    if partner not in ("batch", "radius"):
        raise ValueError(f"partner must be 'batch' or 'radius'; got {partner!r}.")
    if partner == "radius" and (radius is None or not radius > 0):
        raise ValueError(f"radius must be a number > 0 with partner='radius'; got {radius!r}.")


class MixupTransform:
    """Mixup as a `batch_transform` of `training.Ensemble.fit`: every member mixes its own batch.

    Parameters
    ----------
    mix_size, alpha, per_sample, partner, radius
        As in `mixup_batch`.
    """

    def __init__(
        self,
        mix_size: int = 2,
        alpha: float = 1.0,
        per_sample: bool = True,
        partner: Partner = "batch",
        radius: float | None = None,
    ) -> None:
        _check_mixing(mix_size, alpha, partner, radius)
        self.mix = partial(
            mixup_batch,
            mix_size=mix_size,
            alpha=alpha,
            per_sample=per_sample,
            partner=partner,
            radius=radius,
        )

    def __call__(
        self, x: Tensor, targets: Tensor, generators: Sequence[torch.Generator]
    ) -> tuple[Tensor, Tensor]:
        """Mix x (M, B, ...) and targets (M, B, k); member i draws from `generators[i]` alone."""
        mixed = [
            self.mix(x[i], targets[i], generator=generator)
            for i, generator in enumerate(generators)
        ]
        return torch.stack([m[0] for m in mixed]), torch.stack([m[1] for m in mixed])


class MixupClassifier(LogitClassifier, BaseEstimator):
    """A network trained with Mixup, as a scikit-learn classifier.

    Parameters
    ----------
    module_factory : callable, optional
        `module_factory(n_features, n_outputs, seed) -> torch.nn.Module`; by default
        `nets.MLP(n_features, n_outputs, (256, 256))`.
    mix_size, alpha, per_sample, partner, radius
        As in `mixup_batch`; `mix_size=1` is ordinary training (empirical risk minimisation).
    epochs, batch_size, learning_rate, weight_decay
        Training by AdamW at a constant rate; the defaults are those of arXiv 2306.00740 but for
        its batch of 500, which is too large for small data.
    random_state : int
        Seed of initialisation, minibatches and mixing.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Class labels.
    ensemble_ : Ensemble
        The trained network, an ensemble of one.
    """

    def __init__(
        self,
        module_factory: Callable[[int, int, int], torch.nn.Module] | None = None,
        mix_size: int = 2,
        alpha: float = 1.0,
        *,
        per_sample: bool = True,
        partner: Partner = "batch",
        radius: float | None = None,
        epochs: int = 200,
        batch_size: int = 100,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        random_state: int = 0,
    ) -> None:
        self.module_factory = module_factory
        self.mix_size = mix_size
        self.alpha = alpha
        self.per_sample = per_sample
        self.partner = partner
        self.radius = radius
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> MixupClassifier:
        """Train on X (n, d) and labels y (n,)."""
        transform = MixupTransform(
            self.mix_size, self.alpha, self.per_sample, self.partner, self.radius
        )
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y must hold at least 2 classes; got one class, {self.classes_[0]!r}."
            )
        factory = self.module_factory or _two_hidden_layers
        self.ensemble_ = Ensemble(factory, [self.random_state], X.shape[1], len(self.classes_))
        self.ensemble_.fit(
            X,
            codes,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            epochs=self.epochs,
            batch_transform=transform if self.mix_size > 1 else None,
        )
        return self

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        # In float64, so that a row's logits do not depend on the rows beside it.
        with torch.no_grad():
            return self.ensemble_.member(0).double()(torch.as_tensor(X).double()).numpy()


def _two_hidden_layers(n_features: int, n_outputs: int, seed: int) -> torch.nn.Module:
    return MLP(n_features, n_outputs, (256, 256), seed=seed)
