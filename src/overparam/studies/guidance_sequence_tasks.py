"""Two tasks on strings: copy one that was read, and say whether its ones are odd in number.

Strings are drawn anew for every minibatch. Places that are filled up are neither trained on nor
counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

SYMBOLS, SHORTEST, LONGEST = 8, 5, 10  # of a string to copy
COPY, COPY_BLANK = SYMBOLS, SYMBOLS + 1
BITS_SHORTEST, BITS_LONGEST = 2, 20
PARITY_BLANK = 2


class Strings(NamedTuple):
    """Tokens x (B, T), right answers y (B, T), and where they count, (B, T) of bool."""

    x: Tensor
    y: Tensor
    counted: Tensor


class Task(NamedTuple):
    """How strings are drawn, `draw(count, generator)`; their tokens, places, and what fills up."""

    draw: Callable[[int, torch.Generator], Strings]
    vocab: int
    context: int
    blank: int


def copied(count: int, generator: torch.Generator) -> Strings:
    """Strings of 5 to 10 symbols of 8, a copy token, blanks: at as many of those the string is due.

    With string abcde the tokens are a b c d e COPY and blanks, and the answers that count are
    a b c d e at the five places after COPY; elsewhere the answer is a blank and does not count.
    """
    length = torch.randint(SHORTEST, LONGEST + 1, (count, 1), generator=generator)
    drawn = torch.randint(SYMBOLS, (count, LONGEST), generator=generator)
    place = torch.arange(2 * LONGEST + 1).expand(count, -1)
    padded = torch.nn.functional.pad(drawn, (0, LONGEST + 1))
    x = torch.where(place < length, padded, COPY_BLANK)
    x = torch.where(place == length, COPY, x)
    counted = (place > length) & (place <= 2 * length)
    source = (place - length - 1).clamp(0, LONGEST - 1)
    y = torch.where(counted, drawn.gather(1, source), COPY_BLANK)
    return Strings(x, y, counted)


def parities(count: int, generator: torch.Generator) -> Strings:
    """Strings of 2 to 20 bits, blanks: at the last bit the parity of all is due.

    The answer is 1 if the ones are odd in number, and counts at that place alone.
    """
    length = torch.randint(BITS_SHORTEST, BITS_LONGEST + 1, (count, 1), generator=generator)
    bits = torch.randint(2, (count, BITS_LONGEST), generator=generator)
    place = torch.arange(BITS_LONGEST).expand(count, -1)
    counted = place == length - 1
    x = torch.where(place < length, bits, PARITY_BLANK)
    y = torch.where(counted, bits.cumsum(1) % 2, PARITY_BLANK)
    return Strings(x, y, counted)


TASKS = {
    "copy": Task(copied, SYMBOLS + 2, 2 * LONGEST + 1, COPY_BLANK),
    "parity": Task(parities, 3, BITS_LONGEST, PARITY_BLANK),
}


def accuracy(logits: Tensor, strings: Strings) -> float:
    """Share of right tokens among those that count, of logits (B, T, vocab)."""
    right = logits.argmax(-1) == strings.y
    return float(right[strings.counted].double().mean())
