"""A memory of computed arrays that never holds more than a given number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """Keep the values used last, up to a total size.

    Parameters
    ----------
    limit : int
        Most that is kept, in the unit of `size` (bytes, or a count).
    size : callable
        Size of one value. A value larger than `limit` is returned but not kept.
    """

    def __init__(self, limit: int, size: Callable[[Value], int]) -> None:
        self.limit = limit
        self.held = 0
        self._size = size
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return the value under `key`, computed on first use."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = compute()
        size = self._size(value)
        if size > self.limit:
            return value
        self._values[key] = value
        self.held += size
        while self.held > self.limit:
            _, oldest = self._values.popitem(last=False)
            self.held -= self._size(oldest)
        return value
