"""Guidance: remembered matrices against a guide that runs; CKA against its definition.

Answers first agree (the term of a step to 1e-5, CKA to 1e-5 in float32), then both sides alternate.
The target is that of the study (40 layers of 64 with BatchNorm), the guide its small ResNet; a step
is forward, backward and Adam. The last lines say what a step costs without guidance, and what
remembering 2,048 rows costs once. One thread for everybody; `--quick` takes fewer pairs.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from overparam.studies.guidance_nets import SmallResNet, single_fcn
from overparam.training.guidance import Guidance
from overparam.training.similarity import cka_from_gram, linear_cka
from race import race

ROWS, BATCH, CLASSES = 2048, 256, 10


def with_h(K: Tensor, L: Tensor) -> Tensor:
    """CKA of Gram matrices as it is written down, H = I - 11'/n in memory."""
    n = len(K)
    H = torch.eye(n) - torch.ones(n, n) / n

    def hsic(a: Tensor, b: Tensor) -> Tensor:
        return ((H @ a @ H) * (H @ b @ H)).sum()

    return hsic(K, L) / (hsic(K, K) * hsic(L, L)).sqrt()


def with_slope(similarity: Callable[[Tensor, Tensor], Tensor], X: Tensor, Y: Tensor) -> list[float]:
    """Value and a few entries of the slope in X, as a training step needs them."""
    A = X.clone().requires_grad_()
    value = similarity(A, Y)
    value.backward()
    assert A.grad is not None
    return [float(value.detach()), *(1e3 * A.grad.flatten()[:8]).tolist()]


def race_similarity(n: int, p: int, q: int, pairs: int) -> None:
    generator = torch.Generator().manual_seed(0)
    X, Y = (torch.randn(n, width, generator=generator) for width in (p, q))
    race(
        lambda: with_slope(linear_cka, X, Y),
        lambda: with_slope(lambda a, b: with_h(a @ a.T, b @ b.T), X, Y),
        agree={"rtol": 1e-3, "atol": 1e-5},
        pairs=pairs,
        name=f"linear_cka with slope, {n} rows, widths {p} and {q}",
    )


def race_gram(n: int, pairs: int) -> None:
    generator = torch.Generator().manual_seed(0)
    K, L = (A @ A.T for A in torch.randn(2, n, 64, generator=generator))
    race(
        lambda: cka_from_gram(K, L),
        lambda: with_h(K, L),
        agree={"rtol": 1e-4},
        pairs=pairs,
        name=f"cka_from_gram, {n} rows",
    )


class Steps:
    """Training steps of the study's target; a fresh target each call, always the same answer."""

    def __init__(self, cache: str | None, guided: bool = True, count: int = 8) -> None:
        generator = torch.Generator().manual_seed(0)
        self.X = torch.randn(ROWS, 784, generator=generator)
        self.y = torch.randint(CLASSES, (ROWS,), generator=generator)
        self.target = single_fcn(784, CLASSES, 40, 64, seed=0)
        self.start = {name: value.clone() for name, value in self.target.state_dict().items()}
        self.guidance = None
        if guided:
            guide = SmallResNet(784, CLASSES, seed=1).eval()
            layers = SmallResNet.GUIDE_LAYERS
            self.guidance = Guidance(guide, self.target, layers, cache=cache)
            self.guidance.remember(self.X)
        self.batches = torch.arange(count * BATCH).view(count, BATCH) % ROWS

    def __call__(self) -> list[float]:
        self.target.load_state_dict(self.start)
        optimizer = torch.optim.Adam(self.target.parameters(), 1e-3, fused=True)
        terms = []
        for rows in self.batches:
            logits = self.target(self.X[rows])
            loss = nn.functional.cross_entropy(logits, self.y[rows])
            if self.guidance is not None:
                term = self.guidance.loss(self.X[rows], rows)
                terms.append(float(term.detach()))
                loss = loss + term
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return terms[:1]  # of the first step: later ones drift apart by rounding


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="five pairs instead of nine")
    pairs = 5 if parser.parse_args().quick else 9
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}")
    race_similarity(256, 64, 784, pairs)
    race_similarity(256, 1024, 1024, pairs)
    race_gram(256, pairs)
    race_gram(2048, pairs)
    remembered, running = Steps("gram"), Steps(None)
    race(remembered, running, agree={"rtol": 1e-5}, pairs=pairs, name="8 guided steps, remembered")
    plain = Steps(None, guided=False)
    race(plain, remembered, agree=None, pairs=pairs, name="8 steps without guidance / remembered")
    start = time.perf_counter()
    Steps("gram")
    print(f"remembering {ROWS} rows once: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
