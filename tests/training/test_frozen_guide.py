"""What a guide remembers: Gram matrices, or projected features that are right on average."""

import pytest
import torch

from overparam.nets.convnet import ConvNet
from overparam.training import frozen_guide
from overparam.training.frozen_guide import FrozenGuide
from overparam.training.similarity import linear_cka, rsa


def guide_and_rows(n=700):
    guide = ConvNet((1, 12, 12), 3, channels=(6, 7), seed=0).eval()
    return guide, torch.randn(n, 144, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("distance", ["cka", "rsa"])
def test_products_of_matrices_are_similarities(distance):
    guide, X = guide_and_rows(20)
    found = FrozenGuide(guide, distance=distance).similarities(X)
    similarity = linear_cka if distance == "cka" else rsa
    first, second = FrozenGuide(guide).activations(X).values()
    product = (found["convolutions.0"] * found["convolutions.1"]).sum()
    torch.testing.assert_close(product, similarity(first, second), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("distance", ["cka", "rsa"])
def test_many_rows_are_remembered_as_projected_features(monkeypatch, distance):
    guide, X = guide_and_rows()
    index = torch.arange(600, 664)
    exact = FrozenGuide(guide, distance=distance).similarities(X[index])
    whole = FrozenGuide(guide, distance=distance).remember(X)
    monkeypatch.setattr(frozen_guide, "GRAM_ROWS", 100)
    projected = FrozenGuide(guide, distance=distance).remember(X)
    for name, matrix in exact.items():
        torch.testing.assert_close(
            whole.similarities(None, index)[name], matrix, rtol=1e-3, atol=1e-5
        )
        # <K, K'> of unit matrices: 864 and 252 features on 512 directions keep most of it.
        assert (projected.similarities(None, index)[name] * matrix).sum() > 0.9
    assert projected._features["convolutions.0"].shape == (700, 512)
    assert FrozenGuide(guide, cache="gram").remember(X)._grams["convolutions.1"].shape == (700, 700)


def test_projected_inner_products_are_right_on_average(monkeypatch):
    rows = torch.randn(3, 2000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    monkeypatch.setattr(frozen_guide, "_COLUMNS", 300)
    guide, _ = guide_and_rows(4)
    products = torch.stack(
        [(p := FrozenGuide(guide, seed=seed)._projected(rows)) @ p.T for seed in range(40)]
    )
    error = products.mean(0) - rows @ rows.T
    spread = products.std(0) / 40**0.5
    assert (error.abs() < 4 * spread).all()


def test_noise_is_drawn_once_for_remembered_rows():
    guide, X = guide_and_rows(30)
    noisy = FrozenGuide(guide, noise=True).remember(X)
    rows = torch.arange(10)
    first, second = (noisy.similarities(None, rows)["convolutions.0"] for _ in range(2))
    assert torch.equal(first, second)
    clean = FrozenGuide(guide).similarities(X[rows])["convolutions.0"]
    assert (first * clean).sum() < 0.95


def test_without_a_cache_nothing_is_remembered():
    guide, X = guide_and_rows(30)
    assert not FrozenGuide(guide, cache=None).remember(X).remembers
    with pytest.raises(ValueError, match="x must be the minibatch unless its rows are remembered"):
        FrozenGuide(guide).similarities(None, torch.arange(5))
    kept = FrozenGuide(guide).remember(X)
    with pytest.raises(ValueError, match="a batch of at least 4 rows; got 2"):
        kept.similarities(None, torch.arange(2))
    kept.close()
    assert not kept.remembers
