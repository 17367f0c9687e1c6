"""Ensembles against a loop over plain networks, torch.bmm by hand, and jax.vmap.

All in one process on one core, from the same initial weights and minibatches, AdamW throughout:
ms are for all members together. `--profile` adds where our time goes and what the matrix products
alone would take; `--quick` runs fewer steps.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import numpy as np
import torch
from torch.nn import functional

from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from overparam.training.minibatches import MinibatchStream, draw_block
from race import race

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    jax = None

ROWS = 4096
RATE, DECAY = 1e-3, 0.01
AGREE = {"rtol": 0.0, "atol": 2e-3}  # probabilities: float32 Adam drifts by 5e-4 of the weights


@dataclass
class Task:
    """M networks, one data set, S steps; every way of training starts from the same weights."""

    name: str
    ensemble: Ensemble
    batch_size: int
    steps: int
    shape: tuple[int, ...]
    goal: float
    X: np.ndarray = field(init=False)
    y: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        self.X = rng.normal(size=(ROWS, *self.shape)).astype(np.float32)
        self.y = rng.integers(0, self.ensemble.n_outputs, ROWS)
        self.start = self.ensemble.state.vector.clone()
        streams = [MinibatchStream(s, torch.arange(ROWS)) for s in self.ensemble.seeds]
        self.minibatches = draw_block(streams, self.steps, self.batch_size)
        self.x, self.t = torch.as_tensor(self.X), torch.as_tensor(self.y)
        self.probe = self.x[:16]
        self.plain = [self.ensemble.member(i).train() for i in range(len(self.ensemble))]
        self.plain_start = [
            [p.detach().clone() for p in module.parameters()] for module in self.plain
        ]

    def ours(self) -> np.ndarray:
        with torch.no_grad():
            self.ensemble.state.vector.copy_(self.start)
        self.ensemble.fit(
            self.X,
            self.y,
            learning_rate=RATE,
            weight_decay=DECAY,
            batch_size=self.batch_size,
            steps=self.steps,
        )
        return softmax(self.ensemble.predict_logits(self.probe))

    def loop(self) -> np.ndarray:
        """What everybody writes, with the fused optimizer."""
        answers = []
        for i, module in enumerate(self.plain):
            with torch.no_grad():
                for p, start in zip(module.parameters(), self.plain_start[i], strict=True):
                    p.copy_(start)
            optimizer = torch.optim.AdamW(
                module.parameters(), lr=RATE, weight_decay=DECAY, fused=True
            )
            for rows in self.minibatches[:, i]:
                optimizer.zero_grad()
                functional.cross_entropy(module(self.x[rows]), self.t[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                answers.append(module(self.probe).numpy())
        return softmax(np.stack(answers))

    def layers(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Initial weights (M, in, out) and biases (M, 1, out) of each layer."""
        pairs = list(zip(*self.plain_start, strict=True))
        stacked = [torch.stack(tensors) for tensors in pairs]
        return [
            (w.transpose(1, 2).contiguous(), b.unsqueeze(1))
            for w, b in zip(stacked[::2], stacked[1::2], strict=True)
        ]

    def bmm(self) -> np.ndarray:
        """Stacked layers under autograd, written out for this one architecture."""
        layers = [
            (w.clone().requires_grad_(), b.clone().requires_grad_()) for w, b in self.layers()
        ]
        flat = [tensor for pair in layers for tensor in pair]
        optimizer = torch.optim.AdamW(flat, lr=RATE, weight_decay=DECAY, fused=True)

        def forward(h: torch.Tensor) -> torch.Tensor:
            for i, (w, b) in enumerate(layers):
                h = torch.baddbmm(b, h, w)
                h = h.relu() if i < len(layers) - 1 else h
            return h

        for rows in self.minibatches:
            optimizer.zero_grad()
            logits = forward(self.x[rows]).flatten(0, 1)
            loss = functional.cross_entropy(logits, self.t[rows].flatten(), reduction="sum")
            (loss / self.batch_size).backward()
            optimizer.step()
        with torch.no_grad():
            return softmax(forward(self.probe.expand(len(self.plain), -1, -1)).numpy())

    def jax(self) -> Callable[[], np.ndarray]:
        """vmap over members, scan over steps, compiled once outside the race."""
        layers = [(w.numpy(), b[:, 0].numpy()) for w, b in self.layers()]
        X, y = jnp.asarray(self.X), jnp.asarray(self.y)
        minibatches = jnp.asarray(self.minibatches.numpy())

        def logits(params, x):
            for i, (w, b) in enumerate(params):
                x = x @ w + b
                x = jax.nn.relu(x) if i < len(params) - 1 else x
            return x

        def loss(params, x, t):
            return -jnp.take_along_axis(jax.nn.log_softmax(logits(params, x)), t[:, None], 1).mean()

        slopes = jax.vmap(jax.grad(loss))

        def step(carry, rows):
            params, first, second, clock = carry
            clock = clock + 1
            g = slopes(params, X[rows], y[rows])
            first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, g)
            second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, g)
            params = jax.tree.map(
                lambda p, m, v: (
                    p * (1 - RATE * DECAY)
                    - RATE * (m / (1 - 0.9**clock)) / (jnp.sqrt(v / (1 - 0.999**clock)) + 1e-8)
                ),
                params,
                first,
                second,
            )
            return (params, first, second, clock), None

        @jax.jit
        def train(params):
            zeros = jax.tree.map(jnp.zeros_like, params)
            carry, _ = jax.lax.scan(step, (params, zeros, zeros, 0.0), minibatches)
            return jax.vmap(logits, (0, None))(carry[0], jnp.asarray(self.probe.numpy()))

        start = jax.tree.map(jnp.asarray, layers)
        return lambda: softmax(np.asarray(train(start)))


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def mlp_task(sizes: tuple[int, ...], batch_size: int, steps: int, goal: float) -> Task:
    ensemble = Ensemble(
        lambda d, k, seed: MLP(d, k, sizes[1:-1], seed=seed), range(64), sizes[0], sizes[-1]
    )
    name = f"64 MLPs {'-'.join(map(str, sizes))} at {batch_size}"
    return Task(name, ensemble, batch_size, steps, sizes[:1], goal)


def conv_task(steps: int) -> Task:
    shape = (1, 28, 28)
    ensemble = Ensemble(
        lambda d, k, seed: ConvNet(shape, k, (16, 32), seed=seed), range(16), 784, 10
    )
    return Task("16 ConvNets 16/32 channels 28x28 at 64", ensemble, 64, steps, shape, 1.0)


def profile(task: Task) -> None:
    """Where our time goes, and what the matrix products alone take."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as torch_profile

    task.ours()
    with torch_profile(activities=[ProfilerActivity.CPU]) as found:
        task.ours()
    print(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=14))
    members, batch = len(task.plain), task.batch_size
    products = []
    for index, (w, _) in enumerate(task.layers()):
        h, g = torch.randn(members, batch, w.shape[1]), torch.randn(members, batch, w.shape[2])
        products += [(h, w), (h.transpose(1, 2), g)]
        products += [(g, w.transpose(1, 2))] if index else []
    outs = [torch.bmm(a, b) for a, b in products]
    times = []
    for _ in range(20):
        start = time.perf_counter()
        for (a, b), out in zip(products, outs, strict=True):
            torch.bmm(a, b, out=out)
        times.append(time.perf_counter() - start)
    operations = sum(2 * a.numel() * b.shape[2] for a, b in products)
    limit = float(np.median(times))
    print(
        f"matrix products alone: {1e3 * limit:.2f} ms a step, {operations / limit / 1e9:.0f} "
        f"GFLOP/s; our whole step: {1e3 * task.ensemble.history.seconds / task.steps:.2f} ms\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a third of the steps, 5 pairs")
    parser.add_argument("--profile", action="store_true", help="profile instead of racing")
    parser.add_argument("--only", type=int, help="one of the four sizes, from 0")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        # One core for everybody: no way of counting threads can favour one library.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    scale = 1 if options.quick else 3
    tasks = [
        lambda: mlp_task((16, 32, 32, 2), 32, 80 * scale, goal=10.0),
        lambda: mlp_task((30, 64, 64, 2), 64, 40 * scale, goal=4.5),
        lambda: mlp_task((64, 128, 128, 10), 64, 15 * scale, goal=1.45),
        lambda: conv_task(5 * scale),
    ]
    if options.only is not None:
        tasks = tasks[options.only : options.only + 1]
    for make in tasks:
        task = make()
        if options.profile:
            profile(task)
            continue
        ways = {"loop": task.loop}
        if len(task.shape) == 1:
            ways["torch.bmm"] = task.bmm
            if jax is None:
                print(f"{task.name}: jax.vmap skipped; pip install 'overparam[bench]' for it")
            else:
                ways["jax.vmap"] = task.jax()
        print(f"{task.name}, {task.steps} steps a run; goal {task.goal:g}x the loop")
        for way, peer in ways.items():
            race(
                task.ours, peer, agree=AGREE, pairs=5 if options.quick else 9, name=f"  over {way}"
            )


if __name__ == "__main__":
    main()
