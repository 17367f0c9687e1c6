"""What companding weights costs a training step, against torch's weight normalisation and none.

One thread, SGD, perceptrons 784-512-512-10. First that the answers agree: our backward pass with
autograd's over a arctan(v / b), and the three nets' logits before training, which are those of the
plain net. Then steps in turns: ratios above 1 say that ours is the faster. The arctangents do not
depend on the batch, the matrix products do: the overhead falls as the batch grows.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from overparam.nets.companding import bake, compand, parameter_groups
from overparam.nets.mlp import MLP
from overparam.nets.weight_compander import WeightCompander
from race import race

WIDTHS = (512, 512)
STEPS = 10
BATCHES = (16, 64, 256)


def plain() -> MLP:
    """The net that all start from."""
    return MLP(784, 10, WIDTHS, seed=0)


def companded() -> MLP:
    """With a fixed shape, and the same logits."""
    return compand(plain(), learnable=False)


def learnt() -> MLP:
    """With a shape that is trained."""
    return compand(plain())


def normed() -> MLP:
    """With weight normalisation of every layer."""
    net = plain()
    for layer in net.layers:
        weight_norm(layer)
    return net


def stepper(net: nn.Module, batch: int) -> Callable[[], None]:
    """Some steps of SGD."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 784, generator=generator)
    y = torch.randint(0, 10, (batch,), generator=generator)
    optimizer = torch.optim.SGD(parameter_groups(net, lr=1e-3), momentum=0.9)

    def steps() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()

    return steps


def weight_and_slopes(psi: Callable[[Tensor], Tensor], v: Tensor) -> Callable[[], np.ndarray]:
    """w and the gradient of sum w^2 / 2 with respect to v."""

    def both() -> np.ndarray:
        w = psi(v)
        (slope,) = torch.autograd.grad(w, v, w.detach())
        return torch.stack([w.detach(), slope]).numpy()

    return both


def main() -> None:
    """Run the races."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer pairs")
    pairs = 5 if parser.parse_args().quick else 15
    torch.set_num_threads(1)
    v = 0.05 * torch.randn(512, 784, generator=torch.Generator().manual_seed(0))
    v.requires_grad_()
    compander = WeightCompander(1.0, 0.5, learnable=False).fit_(v.detach())
    a, b = compander.a, compander.b
    race(
        weight_and_slopes(compander, v),
        weight_and_slopes(lambda v: a * torch.atan(v / b), v),
        agree={"rtol": 1e-4, "atol": 1e-7},
        pairs=pairs,
        name="w and its slope: against autograd",
    )
    probe = torch.randn(32, 784)
    nets = {"plain": plain, "companded": companded, "learnt": learnt, "normed": normed}
    with torch.no_grad():
        logits = {name: build()(probe).numpy() for name, build in nets.items()}
        logits["baked"] = bake(companded())(probe).numpy()
    for found in logits.values():
        np.testing.assert_allclose(found, logits["plain"], atol=1e-5)
    for batch in BATCHES:
        for name, ours, peer in (
            ("companded against weight_norm", companded, normed),
            ("companded against plain", companded, plain),
            ("learnt against plain", learnt, plain),
        ):
            race(
                stepper(ours(), batch),
                stepper(peer(), batch),
                agree=None,  # they train differently; before training they agree, as asserted
                pairs=pairs,
                name=f"{STEPS} steps, batch {batch}: {name}",
            )


if __name__ == "__main__":
    main()
