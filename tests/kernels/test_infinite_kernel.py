import subprocess
import sys

import numpy as np
import pytest

from overparam.kernels.dense_kernel import fully_connected

KERNEL = fully_connected("relu", 2, 2.0, 0.05)


@pytest.fixture(scope="module", name="X")
def rows():
    return np.random.default_rng(0).normal(size=(41, 6))


@pytest.mark.parametrize("block", [1, 7, 41, 512])
def test_tiles_change_nothing(X, block):
    whole = KERNEL(X, X.copy(), "both")
    for one, other in zip(KERNEL(X, kind="both", block=block), whole, strict=True):
        # Off the diagonal bits may differ with the shape of a matrix product; on it, acos(1).
        np.testing.assert_allclose(one, other, rtol=1e-7)
        off = ~np.eye(41, dtype=bool)
        np.testing.assert_allclose(one[off], other[off], rtol=1e-12, atol=1e-14)


def test_one_set_gives_a_symmetric_matrix_and_its_exact_diagonal(X):
    both = KERNEL(X, kind="both", block=16)
    for name, matrix in both._asdict().items():
        np.testing.assert_array_equal(matrix, matrix.T)
        np.testing.assert_array_equal(np.diag(matrix), KERNEL.diagonal(X, name))


def test_kinds_agree(X):
    both = KERNEL(X, X[:3], "both")
    np.testing.assert_array_equal(KERNEL(X, X[:3], "nngp"), both.nngp)
    np.testing.assert_array_equal(KERNEL(X, X[:3], "ntk"), both.ntk)
    assert both.nngp.shape == (41, 3)


def test_tiles_cover_the_upper_triangle(X):
    seen = np.zeros((41, 41), dtype=int)
    for tile in KERNEL.tiles(X, block=10):
        seen[tile.rows, tile.others] += 1
        np.testing.assert_allclose(
            tile.ntk, KERNEL(X)[tile.rows, tile.others], rtol=1e-12, atol=1e-14
        )
    np.testing.assert_array_equal(seen | seen.T, 1)
    assert seen.max() == 1
    assert seen[-1, 0] == 0


def test_float32_is_float64_rounded(X):
    single, double = KERNEL(X, dtype=np.float32), KERNEL(X)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=2e-5, atol=2e-5)


def test_zero_rows_and_integers_are_welcome():
    pixels = np.array([[0, 0], [3, 4]], dtype=np.uint8)
    np.testing.assert_allclose(
        fully_connected("relu", 2, 2.0)(pixels), [[0, 0], [0, 3 * 25.0]], rtol=1e-12
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X: KERNEL(X, kind="NTK"), "kind must be one of .*; got 'NTK'"),
        (lambda X: KERNEL.diagonal(X, kind="k"), "kind must be one of .*; got 'k'"),
        (lambda X: KERNEL(X, dtype="float16"), "dtype must be float64 or float32; got float16"),
        (lambda X: KERNEL(X, X[:, :2]), "Z must have rows like those of X; got .2,. beside .6,."),
        (lambda X: KERNEL(X * np.inf), "X must be finite; got NaN or infinity"),
        (lambda X: KERNEL(X, X * np.nan), "Z must be finite; got NaN or infinity"),
        (lambda X: KERNEL(X[:0]), r"X must have at least one row and column; got \(0, 6\)"),
        (lambda X: KERNEL([["a"]]), "X must be an array of numbers; got dtype <U1"),
        (lambda X: KERNEL(X, block=0), "block must be an integer >= 1; got 0"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_mistakes_are_named(X, call, message):
    with pytest.raises(ValueError, match=message):
        call(X)


MEMORY = """
import numpy as np
from overparam.kernels.dense_kernel import fully_connected
def peak():  # of this process alone: getrusage begins with its parent's
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0])
kernel = fully_connected("relu", 2)
X = np.random.default_rng(0).normal(size=(6000, 5))
kernel(X[:600], kind="both", compiled=False)      # everything is loaded, buffers exist
before = peak()
both = kernel(X, kind="both", compiled=False)
print((peak() - before) * 1024 / (both.nngp.nbytes + both.ntk.nbytes))
"""


@pytest.mark.slow
def test_a_call_needs_little_beyond_its_results():
    answer = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True
    )
    assert 0.9 < float(answer.stdout) < 1.3
