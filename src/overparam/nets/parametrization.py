"""How weights, initial variance and learning rate scale with width: abc-parametrisations.

With L hidden layers of width n (Yang and Hu 2021, section 3):

    W^l = n^-a_l w^l,   entries of w^l ~ N(0, n^-2b_l),   SGD on w with rate eta n^-c,   l = 1..L+1

Whether the limit n -> infinity is stable, whether it learns at all, and whether it learns features
or is kernel gradient descent, follows from a, b and c alone. The maximal update parametrisation
(muP) is the stable one in which every layer learns as much as it can.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.utils import parametrize

from overparam.nets.base_shapes import maximal_update_, maximal_update_factors_
from overparam.nets.forward_multiplier import multiply_weight_

__all__ = [
    "ABC",
    "Limit",
    "maximal_update",
    "maximal_update_",
    "maximal_update_factors_",
    "mean_field",
    "ntk",
    "standard",
]

Kind = Literal["feature-learning", "kernel", "trivial", "unstable"]

_TOLERANCE = 1e-9  # of exponents


@dataclass(frozen=True)
class Limit:
    """What becomes of a parametrisation as the width grows.

    Attributes
    ----------
    stable : bool
        Neither activations nor outputs, nor what one step changes in them, explode.
    nontrivial : bool
        The output changes in training.
    kind : {"feature-learning", "kernel", "trivial", "unstable"}
    r : float
        The entries of the last hidden layer change like n^-r.
    feature_exponent, output_exponent : float
        Change of the last hidden layer's entries and of the output in training, as powers of the
        width; meaningful where stable.
    reasons : tuple of str
        Conditions that fail, or why the limit is of its kind.
    """

    stable: bool
    nontrivial: bool
    kind: Kind
    r: float
    feature_exponent: float
    output_exponent: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class ABC:
    """An abc-parametrisation of a network with len(a) - 1 hidden layers.

    Parameters
    ----------
    a, b : sequence of float
        Exponents of the forward multiplier and of the initial standard deviation, one a layer of
        weights.
    c : float
        Exponent of the learning rate.

    Raises
    ------
    ValueError
        If `a` and `b` differ in length or there is no hidden layer.

    References
    ----------
    Yang and Hu, "Feature Learning in Infinite-Width Neural Networks", 2021, arXiv:2011.14522.

    Examples
    --------
    >>> maximal_update(3).classify().kind
    'feature-learning'
    >>> ntk(3).classify().kind
    'kernel'
    """

    a: Sequence[float]
    b: Sequence[float]
    c: float

    def __post_init__(self) -> None:
        a, b = (tuple(float(v) for v in values) for values in (self.a, self.b))
        if len(a) != len(b) or len(a) < 2:
            raise ValueError(
                "a and b must have one exponent a layer of weights, at least two; "
                f"got {len(a)} and {len(b)}."
            )
        object.__setattr__(self, "a", a)
        object.__setattr__(self, "b", b)
        object.__setattr__(self, "c", float(self.c))

    @property
    def n_hidden(self) -> int:
        """Hidden layers L."""
        return len(self.a) - 1

    def shifted(self, t: float) -> ABC:
        """Another parametrisation with the same training: a + t, b - t, c - 2t."""
        return ABC([v + t for v in self.a], [v - t for v in self.b], self.c - 2 * t)

    def classify(self) -> Limit:
        """The limit of infinite width (Theorems 3.2, 3.3 and 3.8)."""
        a, b, c = self.a, self.b, self.c
        start, moved = a[-1] + b[-1], 2 * a[-1] + c
        r = min(start, moved) + c - 1 + min(2 * a[0] + 1, *(2 * v for v in a[1:-1]), math.inf)
        failures = self._failures(r)
        feature, output = -r, -min(start + r - 1, moved - 1)
        if failures:
            return Limit(False, False, "unstable", r, feature, output, failures)
        nontrivial = abs(output) <= _TOLERANCE
        if not nontrivial:
            why = f"the output changes like n^{output:.3g}: it stands still"
            return Limit(True, False, "trivial", r, feature, output, (why,))
        if abs(r) <= _TOLERANCE:
            why = "r = 0: hidden activations change by order one"
            return Limit(True, True, "feature-learning", r, feature, output, (why,))
        why = f"r = {r:.3g} > 0: hidden activations stand still, training is kernel descent"
        return Limit(True, True, "kernel", r, feature, output, (why,))

    def _failures(self, r: float) -> tuple[str, ...]:
        a, b, c = self.a, self.b, self.c
        conditions = [("a_1 + b_1 = 0", a[0] + b[0], "=", 0.0)]
        conditions += [
            (f"a_{layer} + b_{layer} = 1/2", a[layer - 1] + b[layer - 1], "=", 0.5)
            for layer in range(2, self.n_hidden + 1)
        ]
        last = f"{self.n_hidden + 1}"
        conditions += [
            (f"a_{last} + b_{last} >= 1/2", a[-1] + b[-1], ">=", 0.5),
            ("r >= 0", r, ">=", 0.0),
            (f"2 a_{last} + c >= 1", 2 * a[-1] + c, ">=", 1.0),
            (f"a_{last} + b_{last} + r >= 1", a[-1] + b[-1] + r, ">=", 1.0),
        ]
        return tuple(
            f"{text} fails: {value:.3g}"
            for text, value, sign, bound in conditions
            if value < bound - _TOLERANCE or (sign == "=" and value > bound + _TOLERANCE)
        )

    def apply_(
        self,
        module: nn.Module,
        base_width: int,
        *,
        optimizer: Literal["sgd", "adam"] = "sgd",
        learning_rate: float = 0.1,
    ) -> list[dict[str, Any]]:
        """Rescale a module's layers in place; at `base_width` nothing changes.

        With m = width / base_width, the weights of layer l, which come with the usual initial
        standard deviation (fan_in^-1/2), are multiplied by m^(1/2 - b_l) (the input layer, whose
        fan-in is no width, by m^-b_1), and by m^-a_l in every forward pass. Biases stay.

        The rule for SGD is the definition: every rate is `learning_rate` m^-c. An update of Adam
        has entries of order one, whatever the gradient: the rates m^-(c + a_l + s), with s =
        min(a_L+1 + b_L+1, 2 a_L+1 + c) in layers 1 to L and s = 0 in the last, make its first
        update as large as that of SGD.

        Parameters
        ----------
        module : nn.Module
            Its `nn.Linear` layers in order are the L + 1 layers.
        base_width : int
            Width at which the parametrisation is the module as it came.
        optimizer : {"sgd", "adam"}
        learning_rate : float
            Rate at the base width.

        Returns
        -------
        list of dict
            Parameter groups for `torch.optim`, with their "name" beside "params" and "lr".

        Raises
        ------
        ValueError
            If the parametrisation is unstable (the condition that fails is named), the number of
            linear layers does not fit, hidden widths differ or `base_width` is below 1.
        """
        limit = self.classify()
        if not limit.stable:
            raise ValueError(
                "parametrisation must be stable to be trained with; " + "; ".join(limit.reasons)
            )
        if optimizer not in ("sgd", "adam"):
            raise ValueError(f"optimizer must be 'sgd' or 'adam'; got {optimizer!r}.")
        layers = _linear_layers(module, self.n_hidden + 1)
        m = _width(layers) / _at_least_one(base_width)
        s = min(self.a[-1] + self.b[-1], 2 * self.a[-1] + self.c)
        groups = []
        trained: set[int] = set()
        for index, (name, layer) in enumerate(layers):
            a, b = self.a[index], self.b[index]
            with torch.no_grad():
                layer.weight.mul_(m ** ((0.5 if index else 0.0) - b))
            exponent = self.c
            if optimizer == "adam":
                exponent += a + (s if index < self.n_hidden else 0.0)
            weight = layer.weight
            multiply_weight_(layer, m**-a)
            groups.append(
                {"params": [weight], "lr": learning_rate * m**-exponent, "name": f"{name}.weight"}
            )
            trained.add(id(weight))
        rest = [p for p in module.parameters() if id(p) not in trained]
        if rest:
            exponent = self.c if optimizer == "sgd" else 0.0
            groups.append({"params": rest, "lr": learning_rate * m**-exponent, "name": "others"})
        return groups


def standard(n_hidden: int, c: float = 0.0) -> ABC:
    """What everybody uses: variance 1/fan_in; stable only from c = 1."""
    return ABC([0.0] * (_at_least_one(n_hidden) + 1), [0.0] + [0.5] * n_hidden, c)


def ntk(n_hidden: int) -> ABC:
    """The parametrisation of the neural tangent kernel."""
    return ABC([0.0] + [0.5] * _at_least_one(n_hidden), [0.0] * (n_hidden + 1), 0.0)


def mean_field() -> ABC:
    """Mean field, for one hidden layer."""
    return ABC([0.0, 1.0], [0.0, 0.0], -1.0)


def maximal_update(n_hidden: int) -> ABC:
    """The maximal update parametrisation, muP."""
    inner = _at_least_one(n_hidden) - 1
    return ABC([-0.5, *[0.0] * inner, 0.5], [0.5] * (n_hidden + 1), 0.0)


def _at_least_one(count: int) -> int:
    if count < 1:
        raise ValueError(f"n_hidden and base_width must be integers >= 1; got {count!r}.")
    return count


def _linear_layers(module: nn.Module, expected: int) -> list[tuple[str, nn.Linear]]:
    layers = [(n, layer) for n, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    if len(layers) != expected:
        raise ValueError(
            f"module must have {expected} linear layers for this parametrisation; "
            f"got {len(layers)}."
        )
    if any(parametrize.is_parametrized(layer) for _, layer in layers):
        raise ValueError("module must not be parametrised already; got one that is.")
    return layers


def _width(layers: list[tuple[str, nn.Linear]]) -> int:
    widths = {layer.out_features for _, layer in layers[:-1]}
    if len(widths) != 1:
        raise ValueError(f"module must have hidden layers of one width; got {sorted(widths)}.")
    return widths.pop()
