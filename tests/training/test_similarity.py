"""CKA and RSA: fixed numbers, invariances, both forms, the unbiased estimate, and range."""

import math
import warnings

import numpy as np
import pytest
import torch

from overparam.training.similarity import (
    centred_features,
    cka_from_gram,
    cka_matrix,
    cka_with_guide,
    linear_cka,
    rsa,
    unit_gram,
)

F64 = torch.float64


def fixture():
    i = torch.arange(6, dtype=F64)
    return torch.stack([i, i**2], 1), torch.stack([i.sin(), i.cos(), i], 1)


def draws(*shapes, seed=0, dtype=F64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


def naive_hsic(K, L):
    n = len(K)
    H = np.eye(n) - np.ones((n, n)) / n
    return ((H @ K @ H) * (H @ L @ H)).sum()


def song_hsic(K, L):
    """The unbiased estimate as it is printed."""
    n = len(K)
    K, L = K - np.diag(np.diag(K)), L - np.diag(np.diag(L))
    one = np.ones(n)
    return (
        np.trace(K @ L)
        + (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (one @ K @ L @ one)
    ) / (n * (n - 3))


def by_definition(X, Y, hsic):
    K, L = ((A.flatten(1) @ A.flatten(1).T).numpy() for A in (X, Y))
    return hsic(K, L) / math.sqrt(hsic(K, K) * hsic(L, L))


def test_the_fixed_example():
    X, Y = fixture()
    assert float(linear_cka(X, Y)) == pytest.approx(0.9229421900732981, abs=1e-12)
    assert float(linear_cka(X, Y, debiased=True)) == pytest.approx(0.9495445882554865, abs=1e-12)
    assert float(rsa(X + 1, Y + 1)) == pytest.approx(0.8227755724266901, abs=1e-12)


@pytest.mark.parametrize("p", [3, 20])
def test_feature_and_gram_form_agree_with_the_definition(p):
    X, Y = draws((12, p), (12, 5, 2))
    expected = by_definition(X, Y, naive_hsic)
    B = Y.flatten(1)
    assert float(linear_cka(X, Y)) == pytest.approx(expected, abs=1e-12)
    assert float(cka_from_gram(X @ X.T, B @ B.T)) == pytest.approx(expected, abs=1e-12)
    guided = cka_with_guide(centred_features(X), unit_gram(B @ B.T))
    assert float(guided) == pytest.approx(expected, abs=1e-12)
    assert float(cka_matrix([Y, X], [X])[0, 0]) == pytest.approx(expected, abs=1e-12)


def test_debiased_is_the_unbiased_estimate_and_may_be_negative():
    values = []
    for seed in range(8):
        X, Y = draws((9, 30), (9, 40), seed=seed)
        values.append(float(linear_cka(X, Y, debiased=True)))
        assert values[-1] == pytest.approx(by_definition(X, Y, song_hsic), abs=1e-12)
        B = (X @ X.T, Y @ Y.T)
        assert float(cka_from_gram(*B, debiased=True)) == pytest.approx(values[-1], abs=1e-12)
    assert min(values) < 0


@pytest.mark.parametrize(("n", "p", "expected"), [(64, 1024, 0.940), (256, 64, 0.199)])
def test_small_batches_of_wide_layers_look_alike(n, p, expected):
    X, Y = draws((n, p), (n, p), dtype=torch.float32)
    assert float(linear_cka(X, Y)) == pytest.approx(expected, abs=0.01)
    assert abs(float(linear_cka(X, Y, debiased=True))) < 0.05


@pytest.mark.parametrize("debiased", [False, True])
def test_what_it_does_and_does_not_see(debiased):
    X, Y, rotation = draws((30, 6), (30, 4), (6, 6))
    orthogonal = torch.linalg.qr(rotation)[0]
    value = linear_cka(X, Y, debiased)
    assert float(linear_cka(X, X, debiased)) == pytest.approx(1, abs=1e-12)
    for same in (X @ orthogonal, 7 * X, X + 100, -X):
        assert float(linear_cka(same, Y, debiased)) == pytest.approx(float(value), abs=1e-10)
    assert abs(linear_cka(X * torch.arange(1, 7), Y, debiased) - value) > 1e-3


@pytest.mark.parametrize("scale", [1e-12, 1e12])
@pytest.mark.parametrize("p", [8, 100])
def test_no_scale_leaves_the_range_of_float32(scale, p):
    X, Y = draws((40, p), (40, p), dtype=torch.float32)
    for similarity in (linear_cka, rsa):
        expected = float(similarity(X, Y))
        assert float(similarity(scale * X, Y)) == pytest.approx(expected, rel=1e-5)
    L = unit_gram(centred_features(Y) @ centred_features(Y).T)
    guided = float(cka_with_guide(centred_features(scale * X), L))
    assert guided == pytest.approx(float(linear_cka(X, Y)), rel=1e-5)


@pytest.mark.parametrize("p", [3, 9])
@pytest.mark.parametrize("debiased", [False, True])
def test_gradients(p, debiased):
    X, Y = draws((7, p), (7, 4))
    X.requires_grad_(), Y.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: linear_cka(a, b, debiased), (X, Y))
    [slope] = torch.autograd.grad(linear_cka(X, Y, debiased), X)
    assert abs((X * slope).sum()) < 1e-10


@pytest.mark.parametrize("p", [3, 9])
def test_gradients_towards_a_guide(p):
    X, Y = draws((7, p), (7, 4))
    L = unit_gram(Y @ Y.T)
    X.requires_grad_()
    assert torch.autograd.gradcheck(lambda a: cka_with_guide(centred_features(a), L), X)
    assert torch.autograd.gradcheck(lambda a: rsa(a, Y), X)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e12])
def test_constant_activations_have_similarity_zero_and_are_told(value):
    Y = torch.randn(33, 5, generator=torch.Generator().manual_seed(0))
    X = torch.full((33, 7), value, requires_grad=True)
    for debiased in (False, True):
        with pytest.warns(RuntimeWarning, match="do not vary over the inputs"):
            found = linear_cka(X, Y, debiased)
        assert float(found.detach()) == 0
        [slope] = torch.autograd.grad(found, X)
        assert torch.equal(slope, torch.zeros_like(slope))
    with pytest.warns(RuntimeWarning, match="do not vary over the inputs"):
        assert float(rsa(X.detach(), Y)) == 0


def test_a_large_shift_is_not_taken_for_constancy():
    X, Y = draws((33, 5), (33, 5), dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shifted = float(linear_cka(X + 1e4, Y))
    assert shifted == pytest.approx(float(linear_cka(X, Y)), abs=1e-3)


def test_gram_matrices_are_broadcast_over_members():
    X, Y = draws((3, 8, 2), (8, 4))
    K, L = X @ X.mT, Y @ Y.T
    expected = [float(cka_from_gram(k, L)) for k in K]
    np.testing.assert_allclose(cka_from_gram(K, L), expected, atol=1e-12)


def test_every_layer_with_every_layer():
    layers = draws((8, 2), (8, 3, 2), (8, 9))
    for debiased in (False, True):
        found = cka_matrix(layers, layers[1:], debiased)
        expected = [[float(linear_cka(a, b, debiased)) for b in layers[1:]] for a in layers]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_wrong_arguments_are_named():
    X, Y = draws((6, 2), (5, 2))
    for similarity in (linear_cka, rsa):
        with pytest.raises(ValueError, match=r"same number of rows \(the batch\); got shapes \(6"):
            similarity(X, Y)
        with pytest.raises(ValueError, match="a batch of at least 4 rows; got 3"):
            similarity(X[:3], Y[:3])
    with pytest.raises(ValueError, match=r"K must be a square matrix \(n, n\); got shape \(6, 2\)"):
        cka_from_gram(X, Y)
    with pytest.raises(ValueError, match=r"L must be a square matrix"):
        cka_from_gram(X @ X.T, Y)
    with pytest.raises(ValueError, match="L must have as many rows as K, 6; got 5"):
        cka_from_gram(X @ X.T, Y @ Y.T)
    with pytest.raises(ValueError, match="at least 4 rows; got 2"):
        cka_from_gram(X.T @ X, X.T @ X)
    with pytest.raises(ValueError, match="at least one layer each; got 0 and 1"):
        cka_matrix([], [X])
    with pytest.raises(ValueError, match="same number of rows"):
        cka_matrix([X], [Y])
