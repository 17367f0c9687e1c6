"""Stacked nets of the study `deep_learning_theory`, with their backward pass in the open.

    z_1 = W_1 x + b_1        z_{l+1} = [xi z_l +] W_{l+1} s(z_l) + b_{l+1}        output z_L

The study needs what `training.Ensemble` does not offer: the gradient with respect to
preactivations, the tangent kernel of each net, a learning rate for each layer, gradients clipped by
their norm, and skips of strength xi. Each is a line or two once the backward pass is a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from overparam.nets.activations import resolve_activation
from overparam.training.losses import cross_entropy


class Trace(NamedTuple):
    """A forward pass: preactivations `z` of layers 1..L and inputs `a` of layers 1..L."""

    z: list[Tensor]
    a: list[Tensor]


class StackedNets:
    """M nets; a member's weights depend on its own seed only.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, widths of the hidden layers, outputs.
    activation : str
        A name of `nets.activations`.
    seeds : sequence of int
        One a member.
    C_W, C_b : float or sequence of M floats
        Variances of weights times fan-in, and of biases.
    residual : float
        xi^2: skips between hidden layers, whose weights then have C_W (1 - xi^2).
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str,
        seeds: Sequence[int],
        C_W: float | Sequence[float],
        C_b: float = 0.0,
        residual: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.activation = resolve_activation(activation)
        self.depth, self.residual = len(sizes) - 1, residual
        self.weights, self.biases = [], []
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        strength = torch.as_tensor(np.broadcast_to(C_W, (len(seeds),)).copy(), dtype=dtype)
        for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            kept = 1 - residual if self.skips(layer) else 1.0
            scale = (strength * kept / fan_in).sqrt()[:, None, None]
            W = [torch.randn(fan_out, fan_in, generator=g, dtype=dtype) for g in generators]
            b = [torch.randn(1, fan_out, generator=g, dtype=dtype) for g in generators]
            self.weights.append(torch.stack(W) * scale)
            self.biases.append(torch.stack(b) * C_b**0.5)

    def __len__(self) -> int:
        return len(self.weights[0])

    def skips(self, layer: int) -> bool:
        """Whether the input of layer `layer` (from 0) skips it: from hidden to hidden only."""
        return self.residual > 0 and 0 < layer < self.depth - 1

    def forward(self, x: Tensor) -> Trace:
        """Run inputs (M, B, n_0) through all layers."""
        z: list[Tensor] = []
        a = [x]
        for layer, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                a.append(self.activation.function(z[-1]))
            after = torch.baddbmm(b, a[-1], W.transpose(1, 2))
            if self.skips(layer):
                after += self.residual**0.5 * z[-1]
            z.append(after)
        return Trace(z, a)

    def backwards(self, trace: Trace, slope: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """From the last layer to the first: its number from 0, the slope at its z, its input.

        `slope` (M, B, n_L) is the derivative of anything with respect to the output. The input is
        valid until the next step, which writes over it.
        """
        delta = slope
        for layer in reversed(range(self.depth)):
            yield layer, delta, trace.a[layer]
            if layer:
                through = torch.bmm(delta, self.weights[layer])
                before = self.activation.backward(through, trace.z[layer - 1], trace.a[layer])
                delta = before + self.residual**0.5 * delta if self.skips(layer) else before

    def gradients(self, trace: Trace, slope: Tensor) -> list[Tensor]:
        """Of all weights, then of all biases."""
        of_weights: list[Tensor] = [slope] * self.depth
        of_biases: list[Tensor] = [slope] * self.depth
        for layer, delta, a in self.backwards(trace, slope):
            of_weights[layer] = torch.bmm(delta.transpose(1, 2), a)
            of_biases[layer] = delta.sum(1, keepdim=True)
        return of_weights + of_biases

    def tangent_kernel(self, x: Tensor) -> Tensor:
        """H (M, B, B) of nets with one output, weights at rate 1 / fan_in, biases as they are."""
        trace = self.forward(x)
        kernel = torch.zeros(len(self), x.shape[1], x.shape[1], dtype=x.dtype)
        for _, delta, a in self.backwards(trace, torch.ones_like(trace.z[-1])):
            signal = torch.bmm(a, a.transpose(1, 2)) / a.shape[2]
            kernel += signal * torch.bmm(delta, delta.transpose(1, 2))
        return kernel

    def rates(self, eta: Tensor, factors: tuple[np.ndarray, np.ndarray] | None) -> list[Tensor]:
        """Learning rates (M, 1, 1) of all weights, then all biases.

        `factors` are lambda_W and lambda_b of each layer (weights then get eta lambda_W / fan_in);
        without them every parameter has the rate eta (M,).
        """
        eta = eta[:, None, None]
        if factors is None:
            return [eta] * (2 * self.depth)
        of_W, of_b = (torch.as_tensor(each, dtype=eta.dtype) for each in factors)
        fan_in = [W.shape[2] for W in self.weights]
        return [eta * f / n for f, n in zip(of_W, fan_in, strict=True)] + [eta * f for f in of_b]


class SGD:
    """Stochastic gradient descent with momentum on cross-entropy, every member at its own rate."""

    def __init__(
        self,
        nets: StackedNets,
        rates: list[Tensor],
        momentum: float = 0.0,
        clip: float | None = None,
    ) -> None:
        self.nets, self.rates, self.momentum, self.clip = nets, rates, momentum, clip
        self.parameters = nets.weights + nets.biases
        self.velocity = [torch.zeros_like(each) for each in self.parameters]

    def step(self, x: Tensor, y: Tensor) -> None:
        """One update on minibatches x (M, B, n_0) with labels y (M, B)."""
        trace = self.nets.forward(x)
        slope = cross_entropy(trace.z[-1], y, None).slopes / x.shape[1]
        gradients = self.nets.gradients(trace, slope)
        if self.clip is not None:
            norms = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0).sqrt()
            factor = (self.clip / norms).clamp(max=1.0)[:, None, None]
            gradients = list(torch._foreach_mul(gradients, [factor] * len(gradients)))
        torch._foreach_mul_(self.velocity, self.momentum)
        torch._foreach_add_(self.velocity, gradients)
        torch._foreach_sub_(self.parameters, torch._foreach_mul(self.velocity, self.rates))


def train(
    optimizer: SGD,
    X: np.ndarray,
    y: np.ndarray,
    seeds: Sequence[int],
    *,
    batch: int,
    epochs: int,
    after_epoch: Callable[[], None] | None = None,
) -> None:
    """Train for some epochs; X is (M, n, n_0), y (M, n), and minibatches follow a member's seed."""
    rows, labels = torch.as_tensor(X), torch.as_tensor(y)
    members, n = torch.arange(len(seeds))[:, None], rows.shape[1]
    generators = [torch.Generator().manual_seed(1000 + seed) for seed in seeds]
    for _ in range(epochs):
        order = torch.stack([torch.randperm(n, generator=g) for g in generators])
        for start in range(0, n - n % batch, batch):
            chosen = order[:, start : start + batch]
            optimizer.step(rows[members, chosen], labels[members, chosen])
        if after_epoch is not None:
            after_epoch()


def scores(nets: StackedNets, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean cross-entropy (infinite where a member has diverged) and accuracy, each (M,)."""
    logits = nets.forward(torch.as_tensor(X)).z[-1]
    found = cross_entropy(logits, torch.as_tensor(y), None)
    loss = found.values.double().mean(1).nan_to_num(nan=np.inf)
    return loss.numpy(), (logits.argmax(-1) == torch.as_tensor(y)).double().mean(1).numpy()
