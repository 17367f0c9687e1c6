"""The overlap mixture: its conditionals are the truth."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from overparam.data.synthetic import (
    make_overlap_mixture,
    make_shifted_gaussians,
    overlap_mixture,
    xor_clusters,
)


def test_the_conditionals_are_those_of_bayes_rule():
    data = make_overlap_mixture(4, 50, dim=5, overlap=0.3, spacing=3, offset=1.5, seed=0)
    directions, _ = np.linalg.qr(np.random.default_rng([4, 5]).standard_normal((5, 3)))
    density = np.empty((200, 4))
    for c in range(4):
        centre = 3 * directions[:, c // 2]
        apart = centre + (1.5 if c % 2 else -1.5) * directions[:, 2]
        density[:, c] = 0.3 * multivariate_normal(centre).pdf(data.X) + 0.7 * multivariate_normal(
            apart
        ).pdf(data.X)
    np.testing.assert_allclose(data.conditional, density / density.sum(1, keepdims=True), rtol=1e-8)


def test_labels_follow_the_conditionals():
    data = make_overlap_mixture(4, 5000, dim=8, seed=1)
    first_of_pair = data.conditional[:, 0]
    coin = (first_of_pair > 0.45) & (first_of_pair < 0.55)
    share = (data.y[coin] == 0).mean()
    assert share == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(coin.sum()))
    assert coin.sum() == pytest.approx(5000, rel=0.05)  # half of two of the four classes


@pytest.mark.parametrize("overlap", [0.0, 1.0])
def test_the_ends_of_the_overlap_are_finite(overlap):
    data = make_overlap_mixture(2, 100, dim=3, overlap=overlap)
    assert np.isfinite(data.conditional).all()
    if overlap == 1:
        np.testing.assert_allclose(data.conditional, 0.5)


def test_seeds_change_the_sample_not_the_distribution():
    one, other = (make_overlap_mixture(2, 2000, dim=4, overlap=0, seed=s) for s in (0, 1))
    assert not np.array_equal(one.X, other.X)
    np.testing.assert_allclose(one.X[:2000].mean(0), other.X[:2000].mean(0), atol=0.12)
    assert overlap_mixture is make_overlap_mixture


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 3}, "k must be an even integer >= 2; got 3"),
        ({"dim": 1}, r"dim must be at least k / 2 \+ 1 = 2; got 1"),
        ({"overlap": -0.1}, "overlap must lie in"),
        ({"n_per_class": 0}, "n_per_class must be an integer >= 1; got 0"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_overlap_mixture(**{"k": 2, "n_per_class": 5, **arguments})


def test_shifted_gaussians_have_the_conditionals_of_bayes_rule():
    data = make_shifted_gaussians(300, 0.4, dim=5, seed=3)
    density = np.stack(
        [multivariate_normal(np.full(5, mean)).pdf(data.X) for mean in (0.0, 0.4)], axis=1
    )
    np.testing.assert_allclose(data.conditional, density / density.sum(1, keepdims=True), rtol=1e-9)


def test_shifted_gaussians_have_fair_labels_and_the_mean_that_is_asked_for():
    data = make_shifted_gaussians(20_000, 0.25, dim=4, seed=0)
    assert data.y.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(20_000))
    np.testing.assert_allclose(data.X[data.y == 1].mean(0), 0.25, atol=4 / np.sqrt(10_000))
    np.testing.assert_allclose(data.X[data.y == 0].mean(0), 0.0, atol=4 / np.sqrt(10_000))
    with pytest.raises(ValueError, match="n and dim must be integers >= 1; got 0 and 300"):
        make_shifted_gaussians(0, 0.25)


def test_xor_clusters_have_the_moments_of_their_definition():
    n, p, norm = 20_000, 30, 4.0
    X, y, y_clean = xor_clusters(n, p, norm, flip=0.2, seed=3)
    assert X.dtype == np.float32
    assert X.shape == (n, p)
    assert set(np.unique(y)) == set(np.unique(y_clean)) == {-1, 1}
    assert (X**2).sum(axis=1).mean() == pytest.approx(p + norm**2, rel=0.02)
    spread = np.sqrt((1 + norm**2 / 2) / n)
    assert np.abs((X * y_clean[:, None]).mean(axis=0)).max() < 4.5 * spread  # XOR: no direction
    assert (y != y_clean).mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.2 * 0.8 / n))
    for sign, axis in ((1, 0), (-1, 1)):
        along = X[y_clean == sign, axis]
        assert np.abs(along).mean() == pytest.approx(norm, abs=0.05)
        assert (along > 0).mean() == pytest.approx(0.5, abs=0.03)
        assert X[y_clean == sign, 1 - axis].std() == pytest.approx(1, abs=0.03)
    flipped = y != y_clean
    assert np.corrcoef(flipped, X[:, 0] ** 2)[0, 1] == pytest.approx(0, abs=4 / np.sqrt(n))


def test_xor_clusters_are_those_of_their_seed():
    for first, again in zip(xor_clusters(50, 5, 2.0), xor_clusters(50, 5, 2.0), strict=True):
        np.testing.assert_array_equal(first, again)
    assert (xor_clusters(50, 5, 2.0)[0] != xor_clusters(50, 5, 2.0, seed=1)[0]).all()
    assert (xor_clusters(50, 5, 2.0, flip=0.0)[1] == xor_clusters(50, 5, 2.0)[2]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n must be an integer >= 1; got 0"),
        ({"p": 1}, "p must be an integer >= 2; got 1"),
        ({"mean_norm": -1.0}, r"mean_norm must be a number >= 0; got -1\.0"),
        ({"mean_norm": np.nan}, "mean_norm must be a number >= 0; got nan"),
        ({"flip": 0.5}, r"flip must lie in \[0, 1/2\); got 0\.5"),
        ({"flip": -0.1}, r"flip must lie in \[0, 1/2\); got -0\.1"),
    ],
)
def test_xor_clusters_name_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        xor_clusters(**{"n": 10, "p": 4, "mean_norm": 2.0, **arguments})
