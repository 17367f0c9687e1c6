"""The cache holds what was read, in order, and no more than the context."""

import pytest
import torch

from overparam.nets.key_value_cache import KeyValueCache


def test_keys_and_values_follow_each_other_layer_by_layer():
    cache = KeyValueCache(depth=2, context=8)
    keys, values = torch.randn(2, 3, 4, 5, 6)  # (rows, heads, t, size)
    for first, last in ((0, 2), (2, 5)):
        for layer in range(2):
            k, v = cache.extend(
                layer, (layer + 1) * keys[..., first:last, :], values[..., first:last, :]
            )
            assert torch.equal(k, (layer + 1) * keys[..., :last, :])
            assert torch.equal(v, values[..., :last, :])
        cache.advance(last - first)
    assert cache.length == 5


def test_more_than_the_context_is_refused():
    cache = KeyValueCache(depth=1, context=3)
    with pytest.raises(ValueError, match="tokens must be at most 3, the context; got 4"):
        cache.extend(0, torch.zeros(1, 1, 4, 2), torch.zeros(1, 1, 4, 2))
