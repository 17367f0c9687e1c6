"""Whether a network starts with signals and gradients that reach all of its layers.

The theory's recursion (arXiv 2106.10165) is set beside what is measured in the module itself: the
mean square of the preactivations of every layer, and the squared gradient with respect to them, of
random directions of the output, relative to the last layer. Gradients with respect to *weights*
would not show the trouble: forward and backward factors cancel in a homogeneous net.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from overparam.nets.activations import Activation as NetActivation
from overparam.nets.init import WEIGHT_LAYERS, fan_in
from overparam.theory.depth_to_width import optimal_aspect_ratio
from overparam.theory.elementwise import Activation, elementwise
from overparam.theory.gaussian_moments import gaussian_moments
from overparam.theory.initialization import criticality
from overparam.theory.signal_recursion import signal_propagation

State = Literal["explode", "vanish", "critical"]

FACTOR = 1.25  # of a layer: after 50 layers it is 1e4
NOISE = 3.0  # standard deviations that chance may take a finite net away from criticality
_DIRECTIONS = 8  # random directions of the output
_NORMALISATION = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
)


@dataclass(frozen=True)
class InitReport:
    """What `check_initialization` found.

    Attributes
    ----------
    table : polars.DataFrame
        A row a layer of weights, in the order of use: `layer`, `name`, `width` (units or channels),
        `C_W` and `C_b` as drawn, `K` (mean square of the preactivations) beside `K_theory`,
        `gradient` (squared, relative to the last layer) beside `gradient_theory`, both of an
        infinitely wide chain of layers with these C_W and C_b, and `K_critical`,
        `gradient_critical` of one at criticality.
    signal, gradient : {"explode", "vanish", "critical"}
        Forwards and backwards.
    signal_factor, gradient_factor : float
        Measured change a layer over that of a critical net (1 is critical).
    aspect_ratio : float
        Layers of weights times the mean of 1 / width over the hidden layers.
    optimal_aspect_ratio : float
        The theory's best, an order of magnitude; NaN without critical point.
    verdict : str
        ``signals explode``, ``signals vanish`` or ``critical`` (gradients count as signals).
    fix : str
        What to do; empty for a critical net.
    normalised : bool
        Whether the module holds normalisation layers, which the theory's columns leave out.
    notes : tuple of str
        Where the theory's columns do not describe this module.
    """

    table: pl.DataFrame
    signal: State
    gradient: State
    signal_factor: float
    gradient_factor: float
    aspect_ratio: float
    optimal_aspect_ratio: float
    verdict: str
    fix: str
    normalised: bool
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.verdict}: a layer changes the signal by {self.signal_factor:.3g} and the "
            f"squared gradient by {self.gradient_factor:.3g} (1 at criticality).",
            f"Depth / width {self.aspect_ratio:.3g}; theory's best about "
            f"{self.optimal_aspect_ratio:.3g}.",
        ]
        return "\n".join([*lines, *([self.fix] if self.fix else []), *self.notes])


def check_initialization(
    module: nn.Module, X: Any, activation: Activation | None = None, random_state: int = 0
) -> InitReport:
    """Compare a freshly initialised module with the theory of critical initialisation.

    Parameters
    ----------
    module : torch.nn.Module
        A network of Linear and Conv1d/2d/3d layers, before training. It is run in evaluation mode
        and left as it was.
    X : array or Tensor of shape (n, ...)
        A batch as the module takes it; a hundred rows are plenty. One forward and one backward
        pass.
    activation : str or callable, optional
        The hidden activation; found in the module where it is a layer of `torch.nn` or the
        module's attribute `activation`.
    random_state : int
        Seed of the output's directions.

    Returns
    -------
    InitReport

    Raises
    ------
    ValueError
        If the module has fewer than two layers of weights in use, or no activation is found or
        given.

    Examples
    --------
    >>> from overparam.nets.init import critical_
    >>> X = torch.randn(100, 50, generator=torch.manual_seed(0))
    >>> layers = [part for _ in range(6) for part in (nn.Linear(50, 50), nn.ReLU())]
    >>> net = nn.Sequential(*layers, nn.Linear(50, 10))
    >>> check_initialization(net, X).verdict    # torch's default: C_W = 1/3
    'signals vanish'
    >>> check_initialization(critical_(net, "relu"), X).verdict
    'critical'
    """
    s = elementwise(activation if activation is not None else find_activation(module))
    x = torch.as_tensor(np.asarray(X) if not isinstance(X, Tensor) else X)
    example = next(module.parameters(), None)
    if example is not None and x.is_floating_point():
        x = x.to(example.device, example.dtype)
    layers, K, gradient, K0 = _measured(module, x, random_state)
    if len(layers) < 2:
        raise ValueError(
            f"module must use at least two Linear or Conv layers; got {len(layers)} in "
            f"{type(module).__name__}."
        )
    rows = [
        _drawn(name, layer) | {"K": k, "gradient": g}
        for (name, layer), k, g in zip(layers, K, gradient, strict=True)
    ]
    drawn = [(row["C_W"], row["C_b"]) for row in rows]
    table = pl.DataFrame(rows).with_columns(_theory(s, drawn, K0))
    critical = criticality(s)
    reference = _reference(s, critical, K0, len(rows))
    table = table.with_columns(reference).with_row_index("layer", offset=1)
    factors = {
        name: _factor(table, name, beginning) for name, beginning in (("K", 0), ("gradient", -1))
    }
    ratio = len(rows) * float((1 / table["width"].to_numpy()[:-1]).mean())
    best = np.nan
    if critical.universality_class != "none":
        best = optimal_aspect_ratio(s, int(table["width"][-1]))
    # Log K and log gradient wander by about nu / n a step, 2 / n at least; a factor is a mean.
    wander = max(2.0, np.nan_to_num(critical.nu)) * ratio / len(rows)
    steps = {"K": max(1, len(rows) - 2), "gradient": len(rows) - 1}
    signal, backward = (
        _state(factors[name], max(math.log(FACTOR), NOISE * math.sqrt(wander / steps[name])))
        for name in ("K", "gradient")
    )
    verdict = _verdict(signal, backward)
    normalised = any(isinstance(each, _NORMALISATION) for each in module.modules())
    return InitReport(
        table=table,
        signal=signal,
        gradient=backward,
        signal_factor=factors["K"],
        gradient_factor=factors["gradient"],
        aspect_ratio=ratio,
        optimal_aspect_ratio=best,
        verdict=verdict,
        fix="" if verdict == "critical" else _fix(s.name, critical, table),
        normalised=normalised,
        notes=_notes(normalised, critical),
    )


def find_activation(module: nn.Module) -> Activation:
    """Return the first activation that a module holds, as a layer or as its attribute.

    Raises
    ------
    ValueError
        If there is none.
    """
    for each in module.modules():
        attribute = getattr(each, "activation", None)
        if isinstance(attribute, NetActivation):
            return attribute.function
        if isinstance(attribute, str) or (
            callable(attribute) and not isinstance(attribute, nn.Module)
        ):
            return attribute
        if type(each).__module__ == "torch.nn.modules.activation" and not list(each.parameters()):
            return each
    raise ValueError(
        "activation must be given where the module holds none as a layer or as its attribute; "
        f"got {type(module).__name__}."
    )


def _measured(
    module: nn.Module, x: Tensor, random_state: int
) -> tuple[list[tuple[str, nn.Module]], list[float], list[float], float]:
    """Layers in the order of use, mean squares, relative gradients, and the input's mean square."""
    names = {id(each): name for name, each in module.named_modules()}
    used: list[tuple[str, nn.Module]] = []
    outputs: list[Tensor] = []
    first: list[Tensor] = []

    def watch(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        first.append(inputs[0].detach())
        used.append((names[id(layer)], layer))
        # A layer whose own weights are frozen must still pass gradients on to `output`.
        output = output if output.requires_grad else output.detach().requires_grad_()
        outputs.append(output)
        return output.clone()  # an activation in place must not overwrite what is measured

    with _watched(module, watch), torch.enable_grad():
        final = module(x)
        if len(outputs) < 2:
            return used, [], [], 0.0
        generator = torch.Generator().manual_seed(random_state)
        total = torch.zeros(len(outputs), dtype=torch.float64)
        for _ in range(_DIRECTIONS):
            v = torch.randn(final.shape, generator=generator).to(final)
            along = (final * v).sum()  # of a vector, torch would import sympy: half a second
            slopes = torch.autograd.grad(along, outputs, retain_graph=True, allow_unused=True)
            total += torch.tensor(
                [0.0 if g is None else float(g.double().square().sum()) for g in slopes],
                dtype=torch.float64,
            )
    K = [float(output.detach().double().square().mean()) for output in outputs]
    gradient = (total / total[-1]).tolist()
    return used, K, gradient, float(first[0].double().square().mean())


@contextmanager
def _watched(module: nn.Module, watch: Callable[..., Any]) -> Iterator[None]:
    training = {each: each.training for each in module.modules()}
    handles = [
        each.register_forward_hook(watch)
        for each in module.modules()
        if isinstance(each, WEIGHT_LAYERS)
    ]
    module.eval()
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for each, mode in training.items():
            each.training = mode


def _drawn(name: str, layer: Any) -> dict[str, Any]:
    weight = layer.weight.detach().double()
    bias = layer.bias
    return {
        "name": name,
        "width": weight.shape[0],
        "C_W": float(weight.square().mean()) * fan_in(layer),
        "C_b": 0.0 if bias is None else float(bias.detach().double().square().mean()),
    }


def _theory(s: Any, drawn: list[tuple[float, float]], K0: float) -> list[pl.Series]:
    """The recursion with each layer's own variances, and the squared gradient it gives."""
    K, perp = [], []
    second = K0
    for layer, (C_W, C_b) in enumerate(drawn):
        K.append(C_b + C_W * second)
        at = gaussian_moments(s, K[-1])
        second = float(at.second)
        if layer + 1 < len(drawn):
            perp.append(drawn[layer + 1][0] * float(at.derivative))
    backwards = np.cumprod([1.0, *perp[::-1]])[::-1]
    return [pl.Series("K_theory", K), pl.Series("gradient_theory", backwards)]


def _reference(s: Any, critical: Any, K0: float, depth: int) -> list[pl.Series]:
    if critical.universality_class == "none":  # what stays as it is, as the best one could hope for
        K, backwards = np.full(depth, 1.0), np.ones(depth)
    else:
        path = signal_propagation(s, critical.C_W, critical.C_b, depth, K0)
        K = path["K"].to_numpy()
        backwards = np.cumprod([1.0, *path["chi_perp"].to_numpy()[:-1][::-1]])[::-1]
    return [pl.Series("K_critical", K), pl.Series("gradient_critical", backwards)]


def _factor(table: pl.DataFrame, name: str, beginning: int) -> float:
    """Change a layer over that of a critical net, from layer `beginning` to the other end."""
    relative = (table[name] / table[f"{name}_critical"]).to_numpy()
    if name == "K" and len(relative) > 2:
        relative = relative[:-1]  # the mean square of a few outputs is a matter of luck
    start, end = relative[beginning], relative[-1 - beginning]
    if not (start > 0 and end > 0):
        return 0.0 if start > 0 else np.nan
    return float((end / start) ** (1 / (len(relative) - 1)))


def _state(factor: float, slack: float) -> State:
    if factor <= 0 or math.log(factor) < -slack:
        return "vanish"
    return "explode" if not math.log(factor) <= slack else "critical"


def _verdict(signal: State, gradient: State) -> str:
    for state in (gradient, signal):  # training dies of gradients
        if state != "critical":
            return f"signals {state}"
    return "critical"


def _fix(name: str, critical: Any, table: pl.DataFrame) -> str:
    if critical.universality_class == "none":
        return (
            f"{name} has no critical initialisation ({critical.reason}): use another activation, "
            "such as relu, gelu or tanh, or normalisation layers."
        )
    drawn = float(np.exp(np.log(np.maximum(table["C_W"].to_numpy(), 1e-300)).mean()))
    return (
        f"overparam.nets.init.critical_(module, activation) draws weights with C_W = "
        f"{critical.C_W:.4g} and C_b = {critical.C_b:.4g} for {name}; these have C_W = {drawn:.3g}."
    )


def _notes(normalised: bool, critical: Any) -> tuple[str, ...]:
    notes = []
    if normalised:
        notes.append(
            "The module holds normalisation layers, which the theory's columns leave out: "
            "the measured columns and the verdict count them in."
        )
    if critical.universality_class == "none":
        notes.append("Without a critical point the comparison is with signals that stay.")
    return tuple(notes)
