import numpy as np

from overparam.data.bounded_cache import BoundedCache


def test_values_are_computed_once_and_the_oldest_used_leaves_first():
    cache = BoundedCache(2, lambda _: 1)
    calls = []

    def ask(key):
        return cache.get(key, lambda: calls.append(key) or key)

    for key in "abacab":
        assert ask(key) == key
    assert calls == ["a", "b", "c", "b"]


def test_the_bytes_held_never_exceed_the_limit():
    cache = BoundedCache(1000, lambda array: array.nbytes)
    for i in range(50):
        cache.get(i, lambda i=i: np.zeros(10 * (i % 7 + 1), np.uint8))
        assert cache.held <= 1000
    assert cache.held == sum(v.nbytes for v in cache._values.values())


def test_what_is_too_large_is_returned_but_not_kept():
    cache = BoundedCache(10, lambda array: array.nbytes)
    assert cache.get("big", lambda: np.ones(100)).sum() == 100
    assert len(cache) == 0
