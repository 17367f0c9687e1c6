"""A small GPT, alone or M copies as one batched program.

For tokens t at places i, with LayerNorm N (a gain g, no bias) and causal attention A,

    h = tokens[t] + places[i]
    h = h + out(A(qkv(N(h))))        h = h + down(gelu(up(N(h))))        a layer, `depth` times
    logits = head(N(h))

There are no biases and no dropout; tokens and head are not tied (arXiv 2509.14786's small form).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from overparam.nets.key_value_cache import KeyValueCache
from overparam.nets.seeding import seeded

HEAD_SIZE = 32  # fixed, so that 1 / sqrt(head size) is right at every width, muP's too
_SMALL = 0.02  # initial deviation of embeddings and output
_EPS = 1e-5  # LayerNorm's own default


class TinyGPT(nn.Module):
    """Decoder-only transformer with pre-LayerNorm over a vocabulary of tokens.

    Parameters
    ----------
    vocab : int
        Different tokens.
    d : int
        Width.
    depth : int
        Layers.
    context : int
        Tokens that it can read.
    heads : int, optional
        Attention heads, a divisor of `d`; by default of size 32 each, or one where d < 64.
    seed : int
        Initial weights depend on it alone: deviation 0.02 for embeddings and output, elsewhere
        fan_in^-1/2, times (2 depth)^-1/2 in the two matrices that write into the residual path.

    Raises
    ------
    ValueError
        If a size is below 1 or `heads` does not divide `d`.

    Notes
    -----
    12 depth d^2 + (2 vocab + context + 2 depth + 1) d parameters; 6 FLOPs a parameter and token in
    training. `nets.base_shapes` knows every matrix's role, so that muP needs no other form
    (`maximal_update_factors_`); there the output starts at 0.02 whatever the width, a little large.

    Examples
    --------
    >>> TinyGPT(96, 32, seed=0)(torch.zeros(5, 64, dtype=torch.long)).shape
    torch.Size([5, 64, 96])
    """

    takes_tokens = True  # for `training.Ensemble`: rows are integers, never turned into numbers

    def __init__(
        self,
        vocab: int,
        d: int,
        depth: int = 2,
        context: int = 64,
        heads: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        heads = max(1, d // HEAD_SIZE) if heads is None else heads
        if min(vocab, d, depth, context, heads) < 1:
            raise ValueError(
                "vocab, d, depth, context and heads must be integers >= 1; "
                f"got {vocab}, {d}, {depth}, {context} and {heads}."
            )
        if d % heads:
            raise ValueError(f"heads must divide d; got heads={heads} and d={d}.")
        self.vocab, self.d, self.depth, self.context, self.heads = vocab, d, depth, context, heads
        self.dropout, self.mask_units = 0.0, 0
        with seeded(seed):
            self.tokens = nn.Embedding(vocab, d)
            self.places = nn.Embedding(context, d)
            self.layers = nn.ModuleList(_Layer(d, heads) for _ in range(depth))
            self.norm = nn.LayerNorm(d, eps=_EPS, bias=False)
            self.head = nn.Linear(d, vocab, bias=False)
            for small in (self.tokens, self.places, self.head):
                nn.init.normal_(small.weight, 0.0, _SMALL)
            for layer in self.layers:
                for name, matrix in layer.named_children():
                    if isinstance(matrix, nn.Linear):
                        deviation = matrix.in_features**-0.5
                        if name in ("out", "down"):
                            deviation /= math.sqrt(2 * depth)
                        nn.init.normal_(matrix.weight, 0.0, deviation)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, T, vocab) of the token after each of x (B, T), T <= context."""
        self._check(x, 0)
        h = self.tokens(x.long()) + self.places.weight[: x.shape[-1]]
        for layer in self.layers:
            h = layer(h)
        return self.head(self.norm(h))

    def stacked_forward(
        self,
        state: Mapping[str, Tensor],
        x: Tensor,
        masks: Tensor | None = None,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Logits (M, B, T, vocab) of M members on their tokens (M, B, T).

        With a `cache` (of M members and B rows) x holds the tokens that follow those that it has
        read already, and the logits are of these only. See `nets.stackable.Stackable`.
        """
        members, rows, length = x.shape
        start = 0 if cache is None else cache.length
        self._check(x, start)
        offset = torch.arange(members, device=x.device).view(-1, 1, 1) * self.vocab
        h = functional.embedding(x.long() + offset, state["tokens.weight"].flatten(0, 1))
        h = h + state["places.weight"][:, None, start : start + length]
        h = h.flatten(1, 2)  # (M, B T, d): a matrix product a member
        for number in range(self.depth):
            name = f"layers.{number}"
            qkv = _normed(h, state[f"{name}.norm_1.weight"], state[f"{name}.qkv.weight"])
            qkv = qkv.view(members * rows, length, 3, self.heads, -1)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)
            if cache is not None:
                k, v = cache.extend(number, k, v)
            a = _attend(q, k, v, start).transpose(1, 2).reshape(h.shape)
            h = torch.baddbmm(h, a, state[f"{name}.out.weight"].transpose(1, 2))
            up = _normed(h, state[f"{name}.norm_2.weight"], state[f"{name}.up.weight"])
            up = functional.gelu(up)
            h = torch.baddbmm(h, up, state[f"{name}.down.weight"].transpose(1, 2))
        if cache is not None:
            cache.advance(length)
        logits = _normed(h, state["norm.weight"], state["head.weight"])
        return logits.view(members, rows, length, self.vocab)

    def _check(self, x: Tensor, start: int) -> None:
        if x.is_floating_point():
            raise ValueError(f"x must hold tokens (integers); got {x.dtype}.")
        if start + x.shape[-1] > self.context:
            raise ValueError(
                f"x must have at most {self.context} tokens a row, the context; "
                f"got {start + x.shape[-1]}."
            )


class _Layer(nn.Module):
    """Attention, then two matrices with a GELU between them, each added to its input."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1 = nn.LayerNorm(d, eps=_EPS, bias=False)
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.out = nn.Linear(d, d, bias=False)
        self.norm_2 = nn.LayerNorm(d, eps=_EPS, bias=False)
        self.up = nn.Linear(d, 4 * d, bias=False)
        self.down = nn.Linear(4 * d, d, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        """The layer's output (B, T, d)."""
        rows, length, _ = h.shape
        qkv = self.qkv(self.norm_1(h)).view(rows, length, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        h = h + self.out(_attend(q, k, v, 0).transpose(1, 2).reshape(h.shape))
        return h + self.down(functional.gelu(self.up(self.norm_2(h))))


def _attend(q: Tensor, k: Tensor, v: Tensor, start: int) -> Tensor:
    """Causal attention (R, heads, t, size) of t queries, the first of them at place `start`."""
    if start == 0:
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    if q.shape[-2] == 1:
        return functional.scaled_dot_product_attention(q, k, v)
    places = torch.arange(k.shape[-2], device=q.device)
    seen = places <= places[start:, None]
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)


def _normed(h: Tensor, gain: Tensor, weight: Tensor) -> Tensor:
    """Linear map of LayerNorm(h), (M, R, out): the gain multiplies the matrix, which is smaller."""
    normal = functional.layer_norm(h, h.shape[-1:], eps=_EPS)
    return torch.bmm(normal, (weight * gain.unsqueeze(1)).transpose(1, 2))
