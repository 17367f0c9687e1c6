"""Keys and values of the tokens that a transformer has already read."""

from __future__ import annotations

from torch import Tensor


class KeyValueCache:
    """What attention remembers, so that a new token costs one pass over itself only.

    Parameters
    ----------
    depth : int
        Layers.
    context : int
        Tokens at most.

    Attributes
    ----------
    length : int
        Tokens read so far.
    """

    def __init__(self, depth: int, context: int) -> None:
        self.context = context
        self.length = 0
        self._kept: list[tuple[Tensor, Tensor] | None] = [None] * depth

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add the new tokens' keys and values (..., t, size); returns those of all tokens.

        Raises
        ------
        ValueError
            If more than `context` tokens would be held.
        """
        end = self.length + keys.shape[-2]
        if end > self.context:
            raise ValueError(
                f"tokens must be at most {self.context}, the context; got {end} with the cache's."
            )
        room = self._kept[layer]
        if room is None:
            shape = (*keys.shape[:-2], self.context, keys.shape[-1])
            room = self._kept[layer] = keys.new_empty(shape), values.new_empty(shape)
        for store, new in zip(room, (keys, values), strict=True):
            store[..., self.length : end, :] = new
        return room[0][..., :end, :], room[1][..., :end, :]

    def advance(self, tokens: int) -> None:
        """All layers have read `tokens` more."""
        self.length += tokens
