"""Small nets of the study `deep_learning_theory`, trained to the end on few rows (C5, C6, C7).

Digits 3 against 8, a scalar output, squared error, full batches. Weights learn at eta / fan_in, so
that outputs follow f' = -H (f - y) with the tangent kernel H; biases stay at 0. (They would add a
constant to H, whose large eigenvalue makes every other direction slow.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

from overparam.studies.deep_learning_theory_nets import StackedNets
from overparam.theory.initialization import criticality
from overparam.theory.kernel_recursion import infinite_width_kernels

PAIR = (3, 8)
CLOSE = 1e-5  # mean squared error at which training stops
TOO_MANY = 30_000  # steps


def fitted_nets(
    activation: str,
    layers: int,
    width: int,
    rows: int,
    test_rows: int,
    quarter: bool,
    seed: list[int],
) -> dict[str, Any]:
    """What training changed, one entry a seed.

    `kernel_change`: ||H_T - H_0|| / ||H_0|| on the training rows. `from_theory` (ReLU only):
    relative distance of the test outputs from f_0 + H H^-1 (y - f_0) with the infinite-width H.
    `from_quarter`: their relative distance from those of the same net, trained with a quarter of
    the step.
    """
    critical = criticality(activation)
    data = [pair_of_digits(each, rows, test_rows) for each in seed]
    X, y, test = (torch.tensor(np.stack(part)) for part in zip(*data, strict=True))
    sizes = [X.shape[2], *[width] * (layers - 1), 1]

    def fresh() -> StackedNets:
        return StackedNets(sizes, activation, seed, critical.C_W, dtype=torch.float64)

    nets = fresh()
    H_0 = nets.tangent_kernel(X)
    f_0, f_0_test = (nets.forward(each).z[-1][..., 0] for each in (X, test))
    largest = torch.linalg.eigvalsh(H_0)[:, -1]
    steps = fit(nets, X, y, 1 / largest)
    f = nets.forward(test).z[-1][..., 0]
    H_T = nets.tangent_kernel(X)
    found = {"kernel_change": relative(H_T, H_0), "steps": steps}
    if critical.universality_class == "scale-invariant":  # others have no kernel in closed form
        expected = predicted(activation, layers, X, test, y - f_0, f_0_test)
        found["from_theory"] = relative(f, expected)
    if quarter:
        slow = fresh()
        slow_steps = fit(slow, X, y, 0.25 / largest)
        found["from_quarter"] = relative(slow.forward(test).z[-1][..., 0], f)
        found["steps"] = np.maximum(steps, slow_steps)
    return found


def pair_of_digits(
    seed: int, rows: int, test_rows: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows, targets -1 or 1, test rows; centred, |x|^2 / n_0 = 1 on average.

    Centred by all images of the pair: the mean of the training rows would leave them dependent, and
    nets that are nearly linear could hardly fit them.
    """
    X, y = load_digits(return_X_y=True)
    of_pair = np.flatnonzero(np.isin(y, PAIR))
    X = X - X[of_pair].mean(axis=0)
    chosen = np.random.default_rng(seed).permutation(of_pair)[: rows + test_rows]
    X, y = X[chosen], np.where(y[chosen] == PAIR[0], -1.0, 1.0)
    X /= np.sqrt((X[:rows] ** 2).mean())
    return X[:rows], y[:rows], X[rows:]


def fit(nets: StackedNets, X: torch.Tensor, y: torch.Tensor, eta: torch.Tensor) -> np.ndarray:
    """Descend until every member is `CLOSE`; members that are stay as they are. Steps (M,)."""
    even = (np.ones(nets.depth), np.zeros(nets.depth))
    steps = np.zeros(len(nets), dtype=int)
    parameters = nets.weights + nets.biases
    for _ in range(TOO_MANY):
        trace = nets.forward(X)
        error = trace.z[-1][..., 0] - y
        open_ = error.square().mean(1) > CLOSE
        if not open_.any():
            return steps
        steps += open_.numpy()
        rates = nets.rates(eta * open_, even)
        gradients = nets.gradients(trace, error[..., None])
        torch._foreach_sub_(parameters, torch._foreach_mul(gradients, rates))
    raise RuntimeError(f"a net is not fitted after {TOO_MANY} steps; errors {error.tolist()}")


def relative(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    """||a - b|| / ||b|| of each member."""
    distance = (a - b).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)
    return distance.numpy()


def predicted(
    activation: str,
    layers: int,
    X: torch.Tensor,
    test: torch.Tensor,
    residual: torch.Tensor,
    f_0_test: torch.Tensor,
) -> torch.Tensor:
    """f_0 + H H^-1 (y - f_0) on the test rows (M, n_test), with the infinite-width H."""
    C_W, n = criticality(activation).C_W, X.shape[1]
    found = []
    for i in range(len(X)):
        both = torch.cat([X[i], test[i]]).numpy()
        H = infinite_width_kernels(activation, C_W, 0.0, layers, both, lambda_b=0.0).H[-1]
        found.append(H[n:, :n] @ np.linalg.solve(H[:n, :n], residual[i].numpy()))
    return f_0_test + torch.tensor(np.array(found))
