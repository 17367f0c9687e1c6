import math

import pytest
import torch

from overparam.nets.number_embeddings import PeriodicEmbedding, PiecewiseEmbedding


def state_of(embedding):
    tensors = {**dict(embedding.named_parameters()), **dict(embedding.named_buffers())}
    return {name: value.detach()[None] for name, value in tensors.items()}


def test_periodic_is_its_formula_column_by_column():
    embedding = PeriodicEmbedding(3, width=4, frequencies=5)
    x = torch.randn(1, 6, 3)
    ours = embedding.stacked_forward(state_of(embedding), x)[0]
    for column in range(3):
        for row in range(6):
            value = x[0, row, column]
            waves = torch.cos(
                2 * math.pi * embedding.frequency[column] * value + embedding.phase[column]
            )
            expected = waves @ embedding.weight[column] + embedding.bias[column]
            torch.testing.assert_close(ours[row, column, 1:], expected, rtol=1e-5, atol=1e-5)
            assert ours[row, column, 0] == value


def test_piecewise_codes_fill_bin_by_bin():
    embedding = PiecewiseEmbedding(1, width=3, bins=2)
    embedding.fit([[0.0], [1.0], [3.0]])  # edges 0, 1, 3
    with torch.no_grad():
        embedding.weight.copy_(torch.eye(2)[None])
    x = torch.tensor([[[-1.0], [0.5], [2.0], [9.0]]])
    codes = embedding.stacked_forward(state_of(embedding), x)[0, :, 0, 1:]
    expected = torch.tensor([[0.0, 0.0], [0.5, 0.0], [1.0, 0.5], [1.0, 1.0]])
    torch.testing.assert_close(codes, expected)


@pytest.mark.parametrize("kind", [PeriodicEmbedding, PiecewiseEmbedding])
def test_columns_and_members_do_not_mix(kind):
    a, b = kind(2), kind(2)
    state = {name: torch.cat([v, state_of(b)[name]]) for name, v in state_of(a).items()}
    x = torch.randn(2, 4, 2)
    before = a.stacked_forward(state, x)
    changed = x.clone()
    changed[0, :, 1] += 1.0
    after = a.stacked_forward(state, changed)
    assert torch.equal(before[1], after[1])
    assert torch.equal(before[0, :, 0], after[0, :, 0])
    assert not torch.equal(before[0, :, 1], after[0, :, 1])


def test_repeated_values_make_empty_bins_not_nan():
    embedding = PiecewiseEmbedding(1, bins=4)
    embedding.fit([[0.0]] * 9 + [[1.0]])
    out = embedding.stacked_forward(state_of(embedding), torch.tensor([[[0.0], [0.5], [1.0]]]))
    assert torch.isfinite(out).all()
