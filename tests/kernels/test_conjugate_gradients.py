import numpy as np
import pytest

from overparam.kernels.conjugate_gradients import conjugate_gradients, low_rank_inverse


@pytest.fixture(scope="module", name="system")
def ill_conditioned_system():
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.normal(size=(60, 60)))
    eigenvalues = np.concatenate([np.logspace(1, 5, 20), np.ones(40)])
    A = (Q * eigenvalues) @ Q.T
    return A, Q[:, :20] * np.sqrt(eigenvalues[:20]), rng.normal(size=(60, 4))


def test_the_solution_solves_all_columns(system):
    A, _, b = system
    solution = conjugate_gradients(lambda v: A @ v, b, tolerance=1e-10)
    assert solution.converged
    np.testing.assert_allclose(solution.x, np.linalg.solve(A, b), rtol=1e-5, atol=1e-9)


def test_a_preconditioner_that_knows_the_large_eigenvalues_saves_iterations(system):
    A, factor, b = system
    plain = conjugate_gradients(lambda v: A @ v, b, tolerance=1e-8)
    helped = conjugate_gradients(
        lambda v: A @ v, b, precondition=low_rank_inverse(factor, 1.0), tolerance=1e-8
    )
    assert helped.iterations <= 6 < plain.iterations / 3
    np.testing.assert_allclose(helped.x, plain.x, rtol=1e-4, atol=1e-6)


def test_woodbury_is_the_inverse(system):
    _, factor, b = system
    direct = np.linalg.solve(factor @ factor.T + 0.5 * np.eye(60), b)
    np.testing.assert_allclose(low_rank_inverse(factor, 0.5)(b), direct, rtol=1e-8, atol=1e-9)


def test_a_good_start_needs_no_iteration_and_zero_columns_stay_zero(system):
    A, _, b = system
    b = np.column_stack([b, np.zeros(60)])
    exact = np.linalg.solve(A, b)
    start = conjugate_gradients(lambda v: A @ v, b, start=exact, tolerance=1e-8)
    assert start.iterations == 0
    cold = conjugate_gradients(lambda v: A @ v, b, tolerance=1e-8)
    np.testing.assert_array_equal(cold.x[:, -1], 0)


def test_running_out_of_iterations_is_said(system):
    A, _, b = system
    seen = []
    solution = conjugate_gradients(
        lambda v: A @ v, b, max_iterations=3, callback=lambda i, x, r: seen.append((i, r.max()))
    )
    assert not solution.converged
    assert solution.iterations == 3
    assert [i for i, _ in seen] == [1, 2, 3]
    assert solution.residuals.max() == seen[-1][1] > 1e-6
