"""The criticality map against a loop of integrals; sampled ensembles against real torch nets.

One thread for everybody. Maps agree to 1e-6; of random nets the mean metric is compared within four
standard errors. The peers run at a size they can stand, then ours alone at full size. With
neural-tangents installed its tangent kernel is an oracle for ours. `--quick` runs fewer pairs and
leaves out the full sizes.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from importlib.metadata import version

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from scipy.special import ndtr

from overparam.theory.kernel_recursion import infinite_width_kernels
from overparam.theory.sampling_trick import sample_preactivations
from overparam.theory.signal_recursion import criticality_map
from race import race

try:
    from neural_tangents import stax
except ImportError:
    stax = None

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(201)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def map_by_loop(C_W: np.ndarray, C_b: np.ndarray, depth: int) -> np.ndarray:
    """What one writes: for each pair of variances, layer by layer, a Gauss-Hermite sum of GELU."""
    K = np.empty((len(C_W), len(C_b), depth))
    for i, weights in enumerate(C_W):
        for j, biases in enumerate(C_b):
            K[i, j, 0] = biases + weights
            for layer in range(1, depth):
                z = np.sqrt(K[i, j, layer - 1]) * NODES
                K[i, j, layer] = biases + weights * (WEIGHTS @ (z * ndtr(z)) ** 2)
    return K


def race_maps(pairs: int, quick: bool) -> None:
    # Variances at which K stays below 10: beyond, Gauss-Hermite is wrong in the fourth digit.
    small = np.linspace(0.5, 1.9, 40), np.linspace(0.0, 0.3, 40)
    race(
        lambda: criticality_map("gelu", *small, 50).K,
        lambda: map_by_loop(*small, 50),
        agree={"rtol": 1e-6},
        pairs=pairs,
        name="map 40 x 40 x 50, GELU, over a loop",
    )
    if not quick:
        full = np.linspace(0.5, 3, 200), np.linspace(0, 1, 200)
        for name in ("relu", "tanh", "gelu", "swish"):
            alone(f"map 200 x 200 x 50, {name}", lambda name=name: criticality_map(name, *full, 50))


def nets_one_by_one(nets: int, width: int, depth: int) -> np.ndarray:
    """Metrics (nets, depth) of ReLU nets, each with all of its weights."""
    found = np.empty((nets, depth))
    x = torch.ones(1, width)
    with torch.no_grad():
        for net in range(nets):
            a = x
            for layer in range(depth):
                found[net, layer] = 2 * float(a.square().mean())
                W = torch.randn(width, width) * (2 / width) ** 0.5
                a = torch.relu(a @ W.T)
    return found


def race_ensembles(pairs: int, quick: bool) -> None:
    nets, width, depth = 500, 100, 30

    def ours(nets: int = nets) -> np.ndarray:
        return sample_preactivations("relu", 2.0, 0.0, width, depth, nets, K0=1.0)

    a, b = ours(4000), nets_one_by_one(2000, width, depth)
    error = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
    assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) <= 4 * error + 1e-6).all()
    race(
        ours,
        lambda: nets_one_by_one(nets, width, depth),
        agree=None,  # random on either side: their means were compared above
        pairs=pairs,
        name=f"{nets} nets, width {width}, depth {depth}, over torch",
    )
    if not quick:
        alone("100,000 nets, width 100, depth 30", lambda: ours(100_000))


def check_neural_tangents() -> None:
    if stax is None:
        print("neural-tangents is not installed: no oracle for H")
        return
    X = np.random.default_rng(0).normal(size=(6, 20))
    dense = [stax.Dense(64, W_std=2**0.5, b_std=0.1**0.5) for _ in range(5)]
    layers = [part for each in dense[:-1] for part in (each, stax.Relu())]
    kernel = stax.serial(*layers, dense[-1])[2](X, None, ("nngp", "ntk"))
    # Its weights learn at rate C_W / fan_in and its biases at C_b.
    ours = infinite_width_kernels("relu", 2.0, 0.1, 5, X, lambda_W=2.0, lambda_b=0.1)
    np.testing.assert_allclose(ours.K[-1], kernel.nngp, rtol=1e-4)
    np.testing.assert_allclose(ours.H[-1], kernel.ntk, rtol=1e-4)
    print("K and H agree with neural-tangents")


def alone(name: str, function) -> None:
    start = time.perf_counter()
    function()
    print(f"{name:<52}{time.perf_counter() - start:8.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    torch.manual_seed(0)
    versions = {name: version(name) for name in ("numpy", "scipy", "torch")}
    print(platform.processor() or platform.machine(), platform.python_version(), versions)
    pairs = 5 if quick else 9
    check_neural_tangents()
    race_maps(pairs, quick)
    race_ensembles(pairs, quick)


if __name__ == "__main__":
    main()
