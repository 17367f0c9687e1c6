import numpy as np
import pytest
import torch

from overparam.kernels import compiled_layers
from overparam.kernels.dense_kernel import fully_connected

KERNEL = fully_connected("relu", 2, 1.9, 0.03)


@pytest.fixture(scope="module", name="X")
def rows():
    return np.random.default_rng(0).normal(size=(70, 4))


@pytest.mark.slow
def test_compiled_and_eager_layers_agree(X):
    eager = KERNEL(X, kind="both", block=32, compiled=False)
    fast = KERNEL(X, kind="both", block=32, compiled=True)
    for one, other in zip(fast, eager, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_without_a_compiler_the_eager_layers_serve(X, monkeypatch):
    def missing(*args, **options):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", missing)
    monkeypatch.setattr(compiled_layers, "_compiled", {})
    np.testing.assert_array_equal(KERNEL(X, compiled=True), KERNEL(X, compiled=False))


def test_one_function_a_key(monkeypatch):
    made = []
    monkeypatch.setattr(compiled_layers, "_compiled", {})
    monkeypatch.setattr(
        compiled_layers, "_compile", lambda eager, depth: made.append(depth) or eager
    )
    for key in ("a", "a", "b"):
        compiled_layers.compiled_layers(key, torch.add, 2)
    assert made == [2, 2]


def test_only_large_matrices_are_compiled_unasked(X, monkeypatch):
    asked = []
    architecture = KERNEL.architecture
    original = type(architecture).tile_function

    def spy(self, rows, others, compiled):
        asked.append(compiled)
        return original(self, rows, others, False)

    monkeypatch.setattr(type(architecture), "tile_function", spy)
    KERNEL(X)
    monkeypatch.setattr("overparam.kernels.infinite_kernel.WORTH_IT", 70 * 70 / 2 * 2)
    KERNEL(X)
    assert asked == [False, True]
