"""Attacks against torchattacks: the same net on Fashion-MNIST, the same radius and steps.

First, robust accuracies must agree (random starts and windows differ, so that they agree within
noise, 0.02 here); of DeepFool the median distances. One thread for everybody. `--profile` says
what our time is made of. Peer: `pip install --no-deps torchattacks` (its pin of requests is old).
"""

from __future__ import annotations

import argparse
import os
from importlib.metadata import version

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torchattacks
from torch import Tensor, nn

from overparam.data.loading import load
from overparam.diagnostics.attacks.adversarial import Attack
from overparam.diagnostics.attacks.auto_projected_gradient import APGD
from overparam.diagnostics.attacks.deepfool_attack import DeepFool
from overparam.diagnostics.attacks.projected_gradient import PGD
from overparam.diagnostics.attacks.square import Square
from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP
from race import race

NOISE = 0.02
NAMES = {"linf": "Linf", "l2": "L2"}


def trained(net: nn.Module, X: Tensor, y: Tensor, epochs: int) -> nn.Module:
    """Adam on batches of 100."""
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for rows in torch.randperm(len(X), generator=order).split(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(X[rows]), y[rows]).backward()
            optimizer.step()
    return net.eval()


def peers(net: nn.Module, attack: Attack) -> torchattacks.attack.Attack:
    """The same attack in torchattacks."""
    norm, eps = NAMES[attack.norm], attack.radius
    if isinstance(attack, PGD):
        alpha = 2.5 * eps / attack.steps
        kind = torchattacks.PGD if norm == "Linf" else torchattacks.PGDL2
        return kind(net, eps=eps, alpha=alpha, steps=attack.steps)
    if isinstance(attack, APGD):
        options = {"norm": norm, "eps": eps, "steps": attack.steps, "n_restarts": 1}
        if attack.loss == "targeted-dlr":
            return torchattacks.APGDT(net, **options, n_classes=10)
        return torchattacks.APGD(net, **options, loss=attack.loss)
    if isinstance(attack, Square):
        return torchattacks.Square(net, norm=norm, eps=eps, n_queries=attack.queries)
    assert isinstance(attack, DeepFool)
    return torchattacks.DeepFool(net, steps=attack.steps, overshoot=1e-3)


def accuracy(net: nn.Module, X: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return float((net(X).argmax(1) == y).double().mean())


def race_attack(
    title: str, net: nn.Module, X: Tensor, y: Tensor, attack: Attack, pairs: int
) -> None:
    """Both take all rows as one batch."""
    peer = peers(net, attack)
    walks = isinstance(attack, DeepFool)

    def ours() -> list[float]:
        found = attack.attack(net, X, y)
        moved = found.distance[found.distance > 0].median() if walks else 0.0
        return [0.0 if walks else found.robust_accuracy, float(moved)]

    def theirs() -> list[float]:
        found = peer(X, y)
        with torch.no_grad():
            # Its DeepFool ends on the boundary itself, where rounding decides on the class.
            stands = 0.0 if walks else float((net(found).argmax(1) == y).double().mean())
        lengths = (found - X).flatten(1).norm(dim=1)
        return [stands, float(lengths[lengths > 0].median()) if walks else 0.0]

    loss = getattr(attack, "loss", "")
    bisected = f"bisections={attack.bisections}" if isinstance(attack, DeepFool) else ""
    name = f"{title}, {type(attack).__name__} {attack.norm} {attack.radius:g} {loss}{bisected}"
    # A bisected distance is shorter than the peer's.
    agree = {"rtol": 0, "atol": NOISE} if not walks else {"rtol": 0, "atol": 2 * NOISE}
    print(name, ours(), theirs())
    race(ours, theirs, agree=agree, pairs=pairs, name=name)


def attacks(radius: float, few: bool) -> list[Attack]:
    """At a radius at which half of the rows stand, then at one at which hardly a row leaves."""
    steps = 10 if few else 20
    wide = 16 * radius  # about the l2 ball that does as much
    return [
        PGD("linf", radius, steps=steps),
        PGD("l2", wide, steps=steps),
        APGD("linf", radius, steps=steps),
        APGD("l2", wide, steps=steps),
        APGD("linf", radius, steps=steps, loss="targeted-dlr"),
        Square("linf", radius, queries=100),
        Square("l2", wide, queries=100),
        DeepFool(steps=50, overshoot=1e-3, bisections=0),
        DeepFool(steps=50),
        PGD("linf", radius / 30, steps=steps),
        APGD("linf", radius / 30, steps=steps),
    ]


def profile(net: nn.Module, X: Tensor, y: Tensor, attack: Attack) -> None:
    """Where the time of one attack goes."""
    from torch.profiler import profile as profiler

    with profiler() as seen:
        attack.attack(net, X, y)
    print(seen.key_averages().table(sort_by="self_cpu_time_total", row_limit=18))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="64 rows, fewer steps")
    parser.add_argument("--profile", metavar="ATTACK", help="PGD, APGD, Square or DeepFool")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(", ".join(f"{name} {version(name)}" for name in ("torch", "torchattacks")))
    data = load("fashion-mnist")
    X = torch.from_numpy(data.array[:5000]).float().view(-1, 1, 28, 28) / 255
    y = torch.from_numpy(data.y[:5000]).long()
    nets = {
        "ConvNet": trained(ConvNet((1, 28, 28), 10, seed=0), X[:4000], y[:4000], 4),
        "MLP": trained(
            nn.Sequential(nn.Flatten(), MLP(784, 10, widths=(200, 200), seed=0)),
            X[:4000],
            y[:4000],
            10,
        ),
    }
    n = 64 if options.quick else 256
    X, y = X[4000 : 4000 + n], y[4000 : 4000 + n]
    for title, net in nets.items():
        for attack in attacks(0.05, options.quick):
            if not options.profile:
                # The peer's DeepFool goes row by row: fewer of them.
                rows = slice(16 if isinstance(attack, DeepFool) else n)
                race_attack(title, net, X[rows], y[rows], attack, 5)
            elif type(attack).__name__ == options.profile:
                print(title, attack)
                profile(net, X, y, attack)


if __name__ == "__main__":
    main()
