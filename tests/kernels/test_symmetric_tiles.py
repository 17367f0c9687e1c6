import numpy as np
import pytest
import torch

from overparam.kernels.symmetric_tiles import SymmetricTiles, storage_dtype

N = 50


@pytest.fixture(scope="module", name="problem")
def matrix_factor_and_vectors():
    rng = np.random.default_rng(0)
    factor, rest = rng.normal(size=(N, 4)), rng.normal(size=(N, N))
    return factor @ factor.T + 0.01 * (rest + rest.T), factor, rng.normal(size=(N, 3))


def tiles_of(K, dtype=np.float64):
    def tiles():
        for top in range(0, N, 16):
            for left in range(top, N, 16):
                rows, columns = slice(top, min(top + 16, N)), slice(left, min(left + 16, N))
                yield rows, columns, torch.from_numpy(K[rows, columns].astype(dtype))

    return tiles


@pytest.mark.parametrize(
    ("dtype", "error"), [(np.float64, 1e-13), (np.float32, 1e-5), (np.float16, 2e-3), (None, 1e-13)]
)
def test_a_product_is_that_of_the_matrix(problem, dtype, error):
    K, factor, v = problem
    product = SymmetricTiles(tiles_of(K), factor, dtype) @ v
    assert product.shape == (N, 3)
    np.testing.assert_allclose(product, K @ v, atol=error * np.abs(K @ v).max())


def test_half_precision_of_the_remainder_is_better_than_of_the_matrix(problem):
    K, factor, v = problem
    with_factor = SymmetricTiles(tiles_of(K), factor, np.float16) @ v
    without = SymmetricTiles(tiles_of(K), factor[:, :0], np.float16) @ v
    assert np.abs(with_factor - K @ v).max() < 0.1 * np.abs(without - K @ v).max()


def test_stored_tiles_are_made_once_and_counted(problem):
    K, factor, v = problem
    calls, shares = [], []

    def counted():
        calls.append(1)
        return tiles_of(K)()

    matrix = SymmetricTiles(counted, factor, np.float16, shares.append)
    _ = matrix @ v, matrix @ v
    assert len(calls) == 1
    assert shares[-1] == 1.0
    assert matrix.nbytes == 2 * (3 * 16 * 16 + 2 * 2 + 3 * 16 * 16 + 3 * 16 * 2)

    free = SymmetricTiles(counted, factor, None)
    _ = free @ v, free @ v
    assert len(calls) == 3
    assert free.nbytes == 0


def test_the_memory_chooses_the_precision():
    entries = 1000 * 1001 / 2
    assert storage_dtype(1000, 8 * entries) == np.float64
    assert storage_dtype(1000, 8 * entries - 1) == np.float32
    assert storage_dtype(1000, 4 * entries - 1) == np.float16
    assert storage_dtype(1000, 2 * entries - 1) is None
