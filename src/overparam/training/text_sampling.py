"""Text drawn from one transformer, or from the mean of the logits of several."""

from __future__ import annotations

import torch
from torch import Tensor

from overparam.nets.key_value_cache import KeyValueCache
from overparam.nets.tiny_gpt import TinyGPT
from overparam.training.stacked_state import StackedState


@torch.no_grad()
def sample_tokens(
    module: TinyGPT,
    state: StackedState,
    first: Tensor,
    length: int,
    generator: torch.Generator,
    *,
    temperature: float = 1.0,
) -> Tensor:
    """Continue each of the tokens `first` (B,) to a text of `length` tokens.

    Every token costs one pass over itself: keys and values of those before are kept. A text longer
    than the context goes on from the last half of it, read anew.

    Parameters
    ----------
    module : TinyGPT
        The architecture.
    state : StackedState
        The weights of M members; the text is drawn from the softmax of their mean logits.
    first : Tensor of shape (B,), int64
    length : int
    generator : torch.Generator
        On the CPU.
    temperature : float
        The mean logits are divided by it.

    Returns
    -------
    Tensor of shape (B, length), int64
    """
    members, rows = len(state), len(first)
    tensors = state.tensors()
    text = torch.empty(rows, length, dtype=torch.int64, device=first.device)
    text[:, 0] = first
    cache = KeyValueCache(module.depth, module.context)
    new = text[:, :1]
    for place in range(1, length):
        if cache.length == module.context:
            cache = KeyValueCache(module.depth, module.context)
            new = text[:, place - max(1, module.context // 2) : place]
        each = new.expand(members, rows, new.shape[1])
        logits = module.stacked_forward(tensors, each, cache=cache)[:, :, -1].mean(0)
        p = torch.softmax(logits / temperature, -1).cpu()
        drawn = torch.multinomial(p, 1, generator=generator).to(text.device)
        text[:, place : place + 1] = new = drawn
    return text
