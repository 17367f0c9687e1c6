"""Random streams of a member: each from its own seed and purpose, never from its neighbours."""

from __future__ import annotations

import numpy as np
import torch

_PURPOSES = {"minibatches": 1, "masks": 2, "transform": 3, "module": 4}


def stream_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for one purpose of one member.

    Parameters
    ----------
    seed : int
        The member's seed, >= 0.
    purpose : {"minibatches", "masks", "transform", "module"}
        What is drawn from the stream.
    """
    words = np.random.SeedSequence([int(seed), _PURPOSES[purpose]]).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def member_generator(seed: int, purpose: str) -> torch.Generator:
    """The CPU generator of one member for one purpose (see `stream_seed`)."""
    generator = torch.Generator()
    generator.manual_seed(stream_seed(seed, purpose))
    return generator
