"""Initial weights from a seed alone, without touching the global random stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from a CPU stream that starts at `seed`; the global stream goes on as if untouched.

    Parameters
    ----------
    seed : int
        Seed of the stream inside the `with` block.
    """
    with torch.random.fork_rng(devices=[]):
        # Only the CPU's stream: torch.manual_seed would also reseed every accelerator.
        torch.default_generator.manual_seed(int(seed))
        yield
