"""Two inputs: equal ones, the arc-cosine kernel, a two-dimensional integral, random nets."""

import numpy as np
import pytest

from overparam.theory.elementwise import NAMED
from overparam.theory.kernel_recursion import infinite_width_kernels, pair_moments
from overparam.theory.sampling_trick import sample_preactivations
from overparam.theory.signal_recursion import signal_propagation

X = np.random.default_rng(0).normal(size=(5, 12))


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "tanh", "sin", "gelu", "swish"])
def test_equal_inputs_follow_the_recursion_of_one(name):
    twice = np.stack([X[0], X[0]])
    found = infinite_width_kernels(name, 1.7, 0.1, 6, twice)
    table = signal_propagation(name, 1.7, 0.1, 6, (X[0] ** 2).mean())
    for i in (0, 1):
        np.testing.assert_allclose(found.K[:, 0, i], table["K"], rtol=1e-10)
        np.testing.assert_allclose(found.H[:, 0, i], table["ntk"], rtol=1e-10)


def test_relu_gives_the_arc_cosine_kernel():
    K = X @ X.T / 12
    signal, gradient = pair_moments("relu", K)
    norm = np.sqrt(np.outer(np.diag(K), np.diag(K)))
    c = np.clip(K / norm, -1, 1)
    angle = np.arccos(c)
    arc_cosine = norm / (2 * np.pi) * (np.sqrt(1 - c**2) + (np.pi - angle) * c)
    np.testing.assert_allclose(signal, arc_cosine, atol=1e-10)
    np.testing.assert_allclose(gradient, (np.pi - angle) / (2 * np.pi), atol=1e-7)


def test_leaky_relu_is_a_mixture_of_relu_and_linear():
    K = X @ X.T / 12
    signal, _ = pair_moments(lambda z: np.where(z > 0, z, 0.3 * z), K)
    rectified, _ = pair_moments("relu", K)
    # s = 0.7 relu + 0.3 z, and E[relu(z) z'] = K / 2
    expected = 0.49 * rectified + 2 * 0.21 * K / 2 + 0.09 * K
    np.testing.assert_allclose(signal, expected, atol=1e-12)


def test_erf_and_sin_have_closed_forms():
    K = X @ X.T / 12
    d = np.diag(K)
    signal, _ = pair_moments("erf", K)
    expected = 2 / np.pi * np.arcsin(2 * K / np.sqrt(np.outer(1 + 2 * d, 1 + 2 * d)))
    np.testing.assert_allclose(signal, expected, atol=1e-10)
    signal, gradient = pair_moments("sin", K)
    damped = np.exp(-(d[:, None] + d) / 2)
    np.testing.assert_allclose(signal, damped * np.sinh(K), atol=1e-10)
    np.testing.assert_allclose(gradient, damped * np.cosh(K), atol=1e-10)


def test_wide_random_nets_have_the_kernel_on_average():
    G = sample_preactivations("tanh", 1.3, 0.1, width=400, depth=4, n_nets=300, X=X)
    K = infinite_width_kernels("tanh", 1.3, 0.1, 4, X).K
    error = G.std(axis=0)[1:] / np.sqrt(len(G))
    assert np.abs((G.mean(axis=0) - K)[1:] / error).max() < 5  # 45 numbers, and 1 / n


def test_kernels_are_symmetric_and_positive():
    found = infinite_width_kernels("gelu", 2.0, 0.2, 5, X)
    for kernel in (*found.K, *found.H):
        np.testing.assert_array_equal(kernel, kernel.T)
        assert np.linalg.eigvalsh(kernel).min() > 0


def test_a_zero_input_correlates_with_nothing():
    with_zero = np.vstack([X[:2], np.zeros(12)])
    found = infinite_width_kernels("relu", 2.0, 0.0, 3, with_zero)
    assert np.isfinite(found.H).all()
    np.testing.assert_array_equal(found.K[:, 2], 0.0)


def test_activation_objects_are_accepted():
    a, b = (infinite_width_kernels(s, 1.0, 0.0, 3, X).H for s in ("tanh", np.tanh))
    np.testing.assert_allclose(a, b, rtol=1e-8)
    assert NAMED["tanh"].slopes is None


def test_errors():
    with pytest.raises(ValueError, match=r"X must have shape \(m, n_0\), both >= 1; got \(12,\)"):
        infinite_width_kernels("relu", 2.0, 0.0, 3, X[0])
    with pytest.raises(ValueError, match="C_W must be a number > 0"):
        infinite_width_kernels("relu", -2.0, 0.0, 3, X)
