"""One step of the feature-learning limit on bags of words against an ordinary network.

The peer is what everybody would write: the same network of width d + c as two matrices under
autograd, with dense inputs and `torch.optim.SGD`.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from overparam.kernels.feature_learning_limit import FeatureLearningLimit
from race import race

STEPS, BATCH, CONTEXT, RATE = 5, 256, 6, 30.0


def bags(words: int) -> list[tuple[sparse.csr_array, np.ndarray]]:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(STEPS):
        columns = rng.integers(0, words, (BATCH, CONTEXT)).ravel()
        rows = np.repeat(np.arange(BATCH), CONTEXT)
        shares = np.full(columns.size, 1 / CONTEXT)
        x = sparse.coo_array((shares, (rows, columns)), (BATCH, words)).tocsr()
        made.append((x, rng.integers(0, words, BATCH)))
    return made


def main() -> None:
    torch.set_num_threads(1)
    for words in (300, 1000):
        batches = bags(words)
        dense = [
            (torch.as_tensor(x.toarray(), dtype=torch.float32), torch.as_tensor(y))
            for x, y in batches
        ]

        def ours(words: int = words, batches: list = batches) -> np.ndarray:
            net = FeatureLearningLimit(words, words, RATE, dtype=torch.float32)
            for x, y in batches:
                net.partial_fit(x, y)
            return net.predict(np.eye(words)[:20])

        def plain(words: int = words, dense: list = dense) -> np.ndarray:
            whole = torch.eye(2 * words)
            U, V = (m.clone().requires_grad_() for m in (whole[:, :words], whole[:, words:]))
            optimizer = torch.optim.SGD([U, V], lr=RATE)
            for x, y in dense:
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(x @ U.T @ V, y).backward()
                optimizer.step()
            with torch.no_grad():
                return (torch.eye(words)[:20] @ U.T @ V).numpy()

        race(ours, plain, agree={"rtol": 1e-3, "atol": 1e-4}, name=f"{words} words, {STEPS} steps")


if __name__ == "__main__":
    main()
