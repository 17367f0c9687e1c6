"""Random nets of the study `deep_learning_theory`: what holds at initialisation (C1 to C3, C10)."""

from __future__ import annotations

import numpy as np
import torch

from overparam.studies.deep_learning_theory_nets import StackedNets
from overparam.theory.four_point_vertex import residual_vertex
from overparam.theory.initialization import criticality
from overparam.theory.sampling_trick import ResidualMoments, sample_preactivations
from overparam.theory.signal_recursion import signal_propagation

TORCH_NAMES = {"swish": "silu", "linear": "identity"}
_READ = 8  # outputs whose kernel is measured in each net


def random_nets(
    activation: str, layers: int, width: int, nets: int, seed: int, shown: tuple[int, ...]
) -> dict[str, float]:
    """C1: mean K at the layers `shown`, mean tangent kernel of the last, standard errors."""
    critical = criticality(activation)
    x = unit_input(width, seed)
    seeds = [nets * seed + i for i in range(nets)]
    sizes = [width] * (layers + 1)
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*(f"K_{k}" for k in shown), "H")}
    for first in range(0, nets, 10):  # ten at once: 60 of them would take gigabytes
        few = seeds[first : first + 10]
        stack = StackedNets(
            sizes, TORCH_NAMES.get(activation, activation), few, critical.C_W, critical.C_b
        )
        trace = stack.forward(x.expand(len(few), _READ, -1))
        for layer in shown:
            z = trace.z[layer - 1][:, 0]
            found[f"K_{layer}"].append(z.square().mean(1).double().numpy())
        slope = torch.eye(_READ, width).expand(len(few), -1, -1)
        H = torch.zeros(len(few), _READ)
        for _, delta, a in stack.backwards(trace, slope):
            H += (1 + a.square().mean(2)) * delta.square().sum(2)
        found["H"].append(H.mean(1).double().numpy())
    path = signal_propagation(activation, critical.C_W, critical.C_b, layers, 1.0)
    theory = {f"K_{layer}_theory": path["K"][layer - 1] for layer in shown}
    measured: dict[str, float] = {}
    for name, parts in found.items():
        values = np.concatenate(parts)
        measured[name] = float(values.mean())
        measured[f"{name}_error"] = float(values.std(ddof=1) / np.sqrt(nets))
    return measured | theory | {"H_theory": path["ntk"][-1]}


def metric_moments(
    activation: str, width: int, layers: tuple[int, ...], nets: int, seed: int
) -> dict[str, float]:
    """C2: n V / K^2 = n (E G^2 / (E G)^2 - 1) at some layers, by the sampling trick.

    Beside it the theory: exact at any width for scale-invariant nets, leading order for tanh.
    """
    critical = criticality(activation)
    depth = max(layers)
    G = sample_preactivations(
        activation,
        critical.C_W,
        critical.C_b,
        width,
        depth,
        nets,
        K0=1.0,
        random_state=seed,
    )
    assert isinstance(G, np.ndarray)
    vertex = width * ((G**2).mean(axis=0) / G.mean(axis=0) ** 2 - 1)
    path = signal_propagation(activation, critical.C_W, critical.C_b, depth, 1.0)
    theory = (path["four_point"] / path["K"] ** 2).to_numpy()
    if critical.universality_class == "scale-invariant":
        theory = width * ((1 + critical.nu / width) ** np.arange(depth) - 1)
    found: dict[str, float] = {}
    for layer in layers:
        found[f"measured_{layer}"] = float(vertex[layer - 1])
        found[f"theory_{layer}"] = float(theory[layer - 1])
    return found


def gradient_ratio(
    activation: str, factor: float, layers: int, width: int, nets: int, seed: int
) -> dict[str, float]:
    """C3: squared gradient with respect to the preactivations of layer 1, in log10.

    `geometric`: over that of the last hidden layer, geometric mean over the nets. `arithmetic`: of
    v' z_L for a unit v, mean over the nets. `theory`: the product of chi_perp over the same layers
    as `geometric`.
    """
    critical = criticality(activation)
    C_W = factor * critical.C_W
    name = TORCH_NAMES.get(activation, activation)
    seeds = [nets * seed + i for i in range(nets)]
    stack = StackedNets([width] * (layers + 1), name, seeds, C_W, critical.C_b, dtype=torch.float64)
    trace = stack.forward(unit_input(width, seed).double().expand(nets, 1, -1))
    v = torch.zeros(nets, 1, width, dtype=torch.float64)
    v[..., 0] = 1
    square = np.empty((layers, nets))
    for layer, delta, _ in stack.backwards(trace, v):
        square[layer] = delta.square().sum((1, 2)).numpy()
    path = signal_propagation(activation, C_W, critical.C_b, layers, 1.0)
    theory = np.log10(path["chi_perp"].to_numpy()[: layers - 2]).sum()
    return {
        "geometric": float(np.log10(square[0] / square[-2]).mean()),
        "arithmetic": float(np.log10(square[0].mean())),
        "theory": float(theory),
    }


def residual_moments(
    activation: str, residual: float, width: int, layers: int, nets: int, seed: int
) -> dict[str, float]:
    """C10: V_l / ((l - 1) K^2) of residual nets at the last layer, and its theory at this depth."""
    C_W = criticality(activation).C_W * (1 - residual)
    found = sample_preactivations(
        activation,
        C_W,
        0.0,
        width,
        layers,
        nets,
        K0=1 / C_W,
        residual=residual,
        random_state=seed,
    )
    if isinstance(found, ResidualMoments):
        ratio = found.pair[:, -1].mean() / found.mean_square[:, -1].mean() ** 2
    else:
        ratio = (found[:, -1] ** 2).mean() / found[:, -1].mean() ** 2
    theory = residual_vertex(activation, layers, residual)[-1]
    return {
        "measured": float(width * (ratio - 1) / (layers - 1)),
        "theory": float(theory / (layers - 1)),
    }


def unit_input(width: int, seed: int) -> torch.Tensor:
    """A random input with |x|^2 / n_0 = 1, as (1, 1, n_0)."""
    x = torch.randn(1, 1, width, generator=torch.Generator().manual_seed(seed))
    return x / x.square().mean().sqrt()
