"""A recurrent network and a transformer whose hidden states can guide one another.

Each hidden layer passes what is compared through a module of its own, `states.0`, `states.1`, ...:
all places of a sequence, or the last one alone. `training.Guidance` finds it there under that name.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from overparam.nets.seeding import seeded
from overparam.nets.tiny_gpt import TinyGPT

Places = Literal["all", "last"]


class Compared(nn.Module):
    """The hidden states (B, T, d) that are compared: all of them, or those at the last place.

    Parameters
    ----------
    places : {"all", "last"}
        Of a sequence. The last place is the one before the first `blank`.
    blank : int
        The token that fills a sequence up.
    """

    def __init__(self, places: Places, blank: int) -> None:
        super().__init__()
        self.places, self.blank = places, blank

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        """h (B, T, d), or (B, d) at the last place of the tokens x (B, T)."""
        if self.places == "all":
            return h
        return h[torch.arange(len(h)), (x != self.blank).sum(1) - 1]


def compared(depth: int, places: Places, blank: int) -> nn.ModuleList:
    """One module a layer. They have no weights."""
    return nn.ModuleList(Compared(places, blank) for _ in range(depth))


def state_names(depth: int) -> list[str]:
    """What `Guidance` calls the hidden layers of either network."""
    return [f"states.{i}" for i in range(depth)]


class SequenceRNN(nn.Module):
    """Plain recurrent layers, h_t = tanh(W x_t + U h_(t-1) + b), and a linear layer for the logits.

    Parameters
    ----------
    vocab, d, depth : int
        Tokens, units a layer, layers.
    places, blank
        See `Compared`.
    seed : int
        Initial weights depend on it alone; they are PyTorch's.
    """

    def __init__(
        self, vocab: int, d: int, depth: int, places: Places = "all", blank: int = -1, seed: int = 0
    ) -> None:
        super().__init__()
        with seeded(seed):
            self.tokens = nn.Embedding(vocab, d)
            self.layers = nn.ModuleList(nn.RNN(d, d, batch_first=True) for _ in range(depth))
            self.head = nn.Linear(d, vocab)
        self.states = compared(depth, places, blank)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, T, vocab) at each place of the tokens x (B, T)."""
        h = self.tokens(x)
        for layer, state in zip(self.layers, self.states, strict=True):
            h, _ = layer(h)
            state(h, x)
        return self.head(h)


class SequenceGPT(TinyGPT):
    """A causal transformer that shows the outputs of its layers.

    Parameters
    ----------
    vocab, d, depth, context, seed
        See `TinyGPT`.
    places, blank
        See `Compared`.
    """

    def __init__(
        self,
        vocab: int,
        d: int,
        depth: int,
        context: int,
        places: Places = "all",
        blank: int = -1,
        seed: int = 0,
    ) -> None:
        super().__init__(vocab, d, depth, context, seed=seed)
        self.states = compared(depth, places, blank)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, T, vocab) at each place of the tokens x (B, T), T <= context."""
        h = self.tokens(x) + self.places.weight[: x.shape[-1]]
        for layer, state in zip(self.layers, self.states, strict=True):
            h = layer(h)
            state(h, x)
        return self.head(self.norm(h))
