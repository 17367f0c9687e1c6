"""A recipe: everything that fixes how one net of the audit is built and trained."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from overparam.data.dataset import View
from overparam.data.preprocessing import Preprocessor
from overparam.evidence.errors import UserError
from overparam.nets.base_shapes import maximal_update_factors_
from overparam.nets.companding import compand
from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP
from overparam.nets.tabular import TabularNet

SIDE = 14  # images are brought to about this side by the first convolution's stride

ModuleFactory = Callable[[int, int, int], torch.nn.Module]


@dataclass(frozen=True)
class Recipe:
    """How a net is built and trained; plain values, so that it can be a cell's argument.

    Attributes
    ----------
    net : str
        `tabular`, `convolutional`, `perceptron`, or `package.module:factory` of a user.
    width : int
        Width of hidden layers; channels of a convolutional net's first layer.
    rows : int
        Most training rows; more are subsampled.
    epochs, batch_size, learning_rate, weight_decay, label_smoothing
        As in `training.Ensemble.fit`; AdamW with a cosine schedule.
    mix_size : int
        Points mixed by Mixup; 1 is none.
    early_stopping : bool
        Keep each member's best epoch on the held-out tenth of the training part.
    teachers : int
        Nets of the same recipe whose mean prediction this one learns beside the labels; 0 is none.
    base_width : int
        Maximal update parametrisation (muP) from this width on, so that a learning rate found on
        the net of this width holds; 0 is the usual parametrisation.
    guided_steps : int
        First steps in which an untrained convolutional net guides this one (see
        `untrained_guides`); 0 is none.
    compander : float
        Scale of the weight compander, in units of each layer's initial deviation; its height keeps
        the variance of the initial weights. 0 is none.
    """

    net: str
    width: int
    rows: int
    epochs: int
    batch_size: int
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    label_smoothing: float = 0.0
    mix_size: int = 1
    early_stopping: bool = False
    schedule: str = "cosine"
    base_width: int = 0
    teachers: int = 0
    guided_steps: int = 0
    compander: float = 0.0

    def but(self, **changes: Any) -> Recipe:
        """The same recipe with some values changed."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def features(recipe: Recipe, view: View) -> np.ndarray:
    """What the recipe's net reads: images and mixed columns as they are, else flat numbers.

    A user's own net sees images as images and everything else as flat numbers.
    """
    own = ":" in recipe.net
    if recipe.net in ("tabular", "convolutional") or (own and view.dataset.kind == "image"):
        return view.X
    return view.flat


def module_factory(
    recipe: Recipe,
    preprocessor: Preprocessor,
    X: np.ndarray | None,
    own: ModuleFactory | None = None,
) -> ModuleFactory:
    """A `module_factory(n_features, n_outputs, seed)`.

    Scales of a tabular net are taken from `X`, the rows that it will be fitted on; with None they
    are left for `load_state_dict` to set.
    """
    plain = _plain_factory(recipe, preprocessor, X, own)
    if recipe.compander:
        if recipe.base_width:
            raise ValueError("compander must be 0 where base_width is given; got both.")

        def companded(d: int, k: int, seed: int) -> torch.nn.Module:
            net = plain(d, k, seed)
            return compand(net, init="rescale", b=recipe.compander, learnable=False)

        return companded
    if not recipe.base_width:
        return plain
    base = _plain_factory(_base(recipe), preprocessor, None, own)

    def grown(d: int, k: int, seed: int) -> torch.nn.Module:
        net = plain(d, k, seed)
        maximal_update_factors_(net, base(d, k, seed))
        return net

    return grown


def rate_factors(
    recipe: Recipe, preprocessor: Preprocessor, n_features: int, n_outputs: int
) -> dict[str, float] | None:
    """Factors on the learning rate by parameter, for `training.Ensemble.fit`."""
    if not recipe.base_width:
        return None
    net, base = (
        _plain_factory(one, preprocessor, None, None)(n_features, n_outputs, 0)
        for one in (recipe, _base(recipe))
    )
    return maximal_update_factors_(net, base)


def _base(recipe: Recipe) -> Recipe:
    """The net of the base width."""
    if ":" in recipe.net:
        raise ValueError(f"base_width must be 0 for a net without a width; got {recipe.net!r}.")
    return recipe.but(width=recipe.base_width, base_width=0)


def _plain_factory(
    recipe: Recipe, preprocessor: Preprocessor, X: np.ndarray | None, own: ModuleFactory | None
) -> ModuleFactory:
    """The factory of the usual parametrisation."""
    width = recipe.width
    if recipe.net == "perceptron":
        return lambda d, k, seed: MLP(d, k, widths=(width, width), seed=seed)
    if recipe.net == "convolutional":
        c, h, w = preprocessor.shape
        stride = max(1, round(min(h, w) / SIDE))
        return lambda d, k, seed: ConvNet(
            (c, h, w), k, channels=(width, 2 * width), stride=stride, seed=seed
        )
    if recipe.net == "tabular":

        def tabular(d: int, k: int, seed: int) -> torch.nn.Module:
            net = TabularNet(
                d,
                k,
                categorical=preprocessor.categorical,
                cardinalities=preprocessor.cardinalities,
                width=width,
                seed=seed,
            )
            return net if X is None else net.fit_scaling(X)

        return tabular
    return own or import_factory(recipe.net)


def import_factory(path: str) -> ModuleFactory:
    """The user's own `package.module:factory`."""
    module, _, name = path.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # a console script does not look in the current folder
    if not module or not name:
        raise UserError(f"model must be package.module:factory; got {path!r}.")
    try:
        factory = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise UserError(f"model must be importable; got {path!r}: {error}.") from error
    except AttributeError as error:
        raise UserError(f"model must name something in {module}; got {name!r}.") from error
    if not callable(factory):
        raise UserError(
            "model must be a function (n_features, n_outputs, seed) -> torch.nn.Module; "
            f"got {type(factory).__name__} {path!r}."
        )
    return factory


def check_reachable(factory: ModuleFactory) -> None:
    """Refuse a function that other processes cannot import by its name."""
    name = getattr(factory, "__qualname__", type(factory).__qualname__)
    if "<" in name or factory.__module__ == "__main__":
        raise UserError(
            "model must be a function at the top level of an importable file, so that worker "
            f"processes find it; got {factory.__module__}:{name}. Move it into a .py file."
        )


def count_parameters(module: torch.nn.Module) -> int:
    """Trainable numbers of a module."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def perceptron_width(parameters: float, n_features: int, n_outputs: int) -> int:
    """Width of the two-hidden-layer perceptron with about so many parameters; at least 2.

    Solves w^2 + (d + k + 2) w + k = parameters for w.
    """
    b = n_features + n_outputs + 2
    return max(2, round((-b + math.sqrt(b * b + 4 * max(parameters - n_outputs, 0))) / 2))


def perceptron_parameters(width: int, n_features: int, n_outputs: int) -> int:
    """Parameters of the two-hidden-layer perceptron of `perceptron_width`."""
    return width * width + (n_features + n_outputs + 2) * width + n_outputs


def from_dict(values: Mapping[str, Any]) -> Recipe:
    """The inverse of `Recipe.as_dict`."""
    return Recipe(**values)
