"""Activations as the theory needs them: a function of NumPy arrays with its derivative.

Names of `torch.nn` are understood, and any elementwise function of arrays or of tensors. A function
that is linear on either side of 0 is recognised: its Gaussian integrals have closed forms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, ndtr

from overparam.kernels.dual import NAMED as FUNCTIONS

Function = Callable[[np.ndarray], np.ndarray]

LEAKY_SLOPE = 0.01  # torch.nn.LeakyReLU's default


@dataclass(frozen=True)
class Elementwise:
    """An activation s.

    Attributes
    ----------
    name : str
        What messages call it.
    function, derivative : callable
        s and s', elementwise on float64 arrays. The derivative is not asked for at a kink.
    slopes : (float, float) or None
        a_+ and a_- if s(z) = a_+ z for z > 0 and a_- z for z < 0, else None.
    """

    name: str
    function: Function
    derivative: Function
    slopes: tuple[float, float] | None = None


Activation = str | Callable[..., Any] | Elementwise


def _piecewise_linear(name: str, above: float, below: float) -> Elementwise:
    return Elementwise(
        name,
        lambda z: np.where(z > 0, above * z, below * z),
        lambda z: np.where(z > 0, above, below),
        (above, below),
    )


def _density(z: np.ndarray) -> np.ndarray:
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


NAMED = {
    each.name: each
    for each in (
        _piecewise_linear("linear", 1.0, 1.0),
        _piecewise_linear("relu", 1.0, 0.0),
        _piecewise_linear("leaky_relu", 1.0, LEAKY_SLOPE),
        Elementwise("tanh", FUNCTIONS["tanh"], lambda z: 1 - np.tanh(z) ** 2),
        Elementwise("sin", FUNCTIONS["sin"], np.cos),
        Elementwise("erf", FUNCTIONS["erf"], lambda z: np.exp(-(z**2)) * (2 / np.sqrt(np.pi))),
        Elementwise("gelu", FUNCTIONS["gelu"], lambda z: ndtr(z) + z * _density(z)),
        Elementwise("swish", FUNCTIONS["silu"], lambda z: expit(z) * (1 + z * expit(-z))),
        Elementwise("elu", FUNCTIONS["elu"], lambda z: np.exp(np.minimum(z, 0))),
        Elementwise("softplus", FUNCTIONS["softplus"], expit),
        Elementwise("sigmoid", FUNCTIONS["sigmoid"], lambda z: expit(z) * expit(-z)),
    )
}
SYNONYMS = {"identity": "linear", "silu": "swish", "leakyrelu": "leaky_relu"}


def elementwise(activation: Activation) -> Elementwise:
    """Return an activation with its derivative.

    Parameters
    ----------
    activation : str, callable or Elementwise
        A key of `NAMED` (upper case, hyphens and PyTorch's synonyms are accepted), or an
        elementwise function of NumPy arrays or of torch tensors, such as `torch.nn.LeakyReLU(0.1)`.
        Tensors are differentiated by autograd, arrays by central differences (relative error
        about 1e-10).

    Raises
    ------
    ValueError
        If the name is unknown, or the function is not elementwise on real numbers.
    """
    if isinstance(activation, Elementwise):
        return activation
    if isinstance(activation, str):
        name = activation.lower().replace("-", "_")
        name = SYNONYMS.get(name, name)
        if name not in NAMED:
            raise ValueError(
                f"activation must be one of {sorted(NAMED)} or an elementwise function; "
                f"got {activation!r}."
            )
        return NAMED[name]
    if not callable(activation):
        raise ValueError(
            f"activation must be a name or an elementwise function; got {activation!r}."
        )
    return _of_function(activation)


def _of_function(activation: Callable[..., Any]) -> Elementwise:
    name = getattr(activation, "__name__", None) or repr(activation)
    probe = np.array([-40.0, -2.7, -1.0, -0.3, 0.3, 1.0, 2.7, 40.0])
    function, derivative = _of_arrays(activation)
    values = _tried(function, probe)
    if values is None:
        function, derivative = _of_tensors(activation)
        values = _tried(function, probe)
    if values is None:
        raise ValueError(
            "activation must map arrays or tensors to finite ones of the same shape, elementwise; "
            f"got {name}."
        )
    ratio = values / probe
    below, above = ratio[:4], ratio[4:]
    if np.ptp(below) < 1e-12 and np.ptp(above) < 1e-12 and (above[0] or below[0]):
        # Slopes such as 0.1 come back with the rounding of one division.
        return _piecewise_linear(name, round(float(above[1]), 12), round(float(below[2]), 12))
    return Elementwise(name, function, derivative)


def _tried(function: Function, probe: np.ndarray) -> np.ndarray | None:
    try:
        values = function(probe)
    except (TypeError, AttributeError):
        return None
    if not isinstance(values, np.ndarray) or values.shape != probe.shape:
        return None
    return values if np.isfinite(values).all() else None


def _of_arrays(activation: Callable[..., Any]) -> tuple[Function, Function]:
    def derivative(z: np.ndarray) -> np.ndarray:
        # The step shrinks towards 0, so that no difference reaches across a kink there.
        h = 1e-3 * np.clip(np.abs(z), 1e-6, 1.0)
        near = activation(z + h) - activation(z - h)
        far = activation(z + 2 * h) - activation(z - 2 * h)
        return (8 * near - far) / (12 * h)

    return activation, derivative


def _of_tensors(activation: Callable[..., Any]) -> tuple[Function, Function]:
    import torch  # heavy, and only functions of tensors need it

    def function(z: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return activation(torch.from_numpy(np.array(z))).numpy()  # a copy: it may be in place

    def derivative(z: np.ndarray) -> np.ndarray:
        with torch.enable_grad():
            leaf = torch.from_numpy(np.array(z)).requires_grad_()
            return torch.autograd.grad(activation(leaf.clone()).sum(), leaf)[0].numpy()

    return function, derivative
