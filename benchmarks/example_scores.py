"""Gradient norms against `vmap(grad)` and BackPACK, and what scoring Fashion-MNIST costs.

One thread for everybody; the norms first agree to 1e-10 in float64, the race is in float32. The
scoring is timed on all 60,000 rows and ten nets, a training on `--epochs` of its 20 epochs and
scaled, which is said.
"""

from __future__ import annotations

import argparse
import os
import time
from importlib.metadata import version

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor, nn

from overparam.data.embedded import embedded_source
from overparam.diagnostics.example_scores import el2n
from overparam.diagnostics.gradient_norms import grand
from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from race import race

try:
    import backpack
    from backpack.extensions import BatchL2Grad
except ImportError:
    backpack = None

WHOLE_EPOCHS, MEMBERS = 20, 10


def perceptron(inputs: int) -> nn.Sequential:
    """A plain stack of layers, so that every peer can read it."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(inputs, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )


def by_vmap(net: nn.Module, x: Tensor, y: Tensor, chunk: int) -> np.ndarray:
    """Every example's whole gradient, `chunk` of them at once."""
    parameters = {name: p.detach() for name, p in net.named_parameters()}

    def loss(values: dict[str, Tensor], row: Tensor, label: Tensor) -> Tensor:
        logits = torch.func.functional_call(net, values, (row[None],))
        return nn.functional.cross_entropy(logits, label[None])

    gradient = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))
    squares = [
        sum(g.flatten(1).square().sum(1) for g in gradient(parameters, a, b).values())
        for a, b in zip(x.split(chunk), y.split(chunk), strict=True)
    ]
    return torch.cat(squares).sqrt().numpy()


def by_backpack(net: nn.Module, x: Tensor, y: Tensor, chunk: int) -> np.ndarray:
    """BackPACK's squared norms by parameter, of the summed loss."""
    net = backpack.extend(net)
    loss = backpack.extend(nn.CrossEntropyLoss(reduction="sum"))
    found = []
    for a, b in zip(x.split(chunk), y.split(chunk), strict=True):
        net.zero_grad()
        with backpack.backpack(BatchL2Grad()):
            loss(net(a), b).backward()
        found.append(sum(p.batch_l2 for p in net.parameters()).sqrt())
    return torch.cat(found).numpy()


def race_norms(n: int, pairs: int) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, 784)), rng.integers(0, 10, n)
    x, labels = torch.tensor(X), torch.tensor(y)
    peers = {"vmap(grad), 32 rows at once": lambda net, x: by_vmap(net, x, labels, 32)}
    if backpack is None:
        print("BackPACK skipped; pip install --no-deps backpack-for-pytorch")
    else:
        peers["BackPACK BatchL2Grad"] = lambda net, x: by_backpack(net, x, labels, 512)
    ours = grand(perceptron(784).double(), X, y)
    for name, peer in peers.items():
        # In float32 a unit at the kink of its ReLU may fall to either side, in one row of 2,000.
        np.testing.assert_allclose(peer(perceptron(784).double(), x), ours, rtol=1e-10)
        race(
            lambda: grand(perceptron(784), X.astype(np.float32), y),
            lambda peer=peer: peer(perceptron(784), x.float()),
            agree=None,
            pairs=pairs,
            name=f"norms, n = {n:,}, over {name}",
        )


def score_fashion(epochs: int) -> None:
    source = embedded_source("fashion-mnist")
    X = np.asarray(source.features)[:60_000].reshape(60_000, -1).astype(np.float32)
    X = (X - X.mean()) / X.std()
    _, y = np.unique(source.labels.to_numpy()[:60_000], return_inverse=True)
    nets = Ensemble(lambda d, k, seed: MLP(d, k, (128, 128), seed=seed), range(MEMBERS), 784, 10)
    start = time.process_time()
    nets.fit(
        X,
        y,
        optimizer="nesterov",
        learning_rate=0.05,
        batch_size=100,
        epochs=epochs,
        schedule="cosine",
    )
    training = (time.process_time() - start) * WHOLE_EPOCHS / epochs
    times = {}
    for name, score in (
        ("EL2N", lambda: el2n(nets.predict_logits(X), y)),
        ("GraNd", lambda: grand(nets, X, y)),
    ):
        start = time.process_time()
        score()
        times[name] = time.process_time() - start
    print(
        f"Fashion-MNIST, 60,000 rows, {MEMBERS} nets of 784-128-128-10, CPU seconds of one thread: "
        f"one training of all nets {training:.0f} ({epochs} of {WHOLE_EPOCHS} epochs, scaled)"
    )
    for name, seconds in (*times.items(), ("both", sum(times.values()))):
        print(f"  {name:<6}{seconds:7.1f} s, {seconds / training:6.1%} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows and pairs")
    parser.add_argument("--epochs", type=int, default=2, help="that are trained and scaled up")
    options = parser.parse_args()
    torch.set_num_threads(1)
    peer = f", BackPACK {version('backpack-for-pytorch')}" if backpack else ""
    print(f"torch {torch.__version__}{peer}, one thread")
    race_norms(500 if options.quick else 2_000, 5 if options.quick else 9)
    score_fashion(options.epochs)


if __name__ == "__main__":
    main()
