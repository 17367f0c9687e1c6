import numpy as np
import pytest
import torch

from overparam.kernels.dense_kernel import fully_connected
from overparam.kernels.gradient_flow import GradientFlow

KERNEL = fully_connected("erf", 1, 1.5, 0.1)


@pytest.fixture(scope="module", name="data")
def small_problem():
    rng = np.random.default_rng(0)
    return rng.normal(size=(7, 3)), rng.normal(size=7), rng.normal(size=(5, 3))


def test_the_end_of_training_is_kernel_regression(data):
    X, y, Z = data
    end = GradientFlow(KERNEL, X, y).predict(Z, np.inf, covariance=True)
    A = KERNEL(Z, X) @ np.linalg.inv(KERNEL(X))
    nngp = KERNEL(np.vstack([X, Z]), kind="nngp")
    K, Kz, Kzz = nngp[:7, :7], nngp[7:, :7], nngp[7:, 7:]
    np.testing.assert_allclose(end.mean, A @ y, rtol=1e-8)
    expected = Kzz + A @ K @ A.T - A @ Kz.T - Kz @ A.T
    np.testing.assert_allclose(end.covariance, expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(end.variance, np.diag(expected), rtol=1e-7)


def test_with_ridge_the_end_is_kernel_ridge_regression(data):
    X, y, Z = data
    end = GradientFlow(KERNEL, X, y, ridge=0.3).predict(Z, np.inf)
    expected = KERNEL(Z, X) @ np.linalg.solve(KERNEL(X) + 0.3 * np.eye(7), y)
    np.testing.assert_allclose(end.mean, expected, rtol=1e-10)


def test_the_beginning_is_the_initial_process(data):
    X, y, Z = data
    start = GradientFlow(KERNEL, X, y).predict(Z, 0.0, covariance=True)
    np.testing.assert_array_equal(start.mean, 0)
    np.testing.assert_allclose(start.covariance, KERNEL(Z, kind="nngp"), rtol=1e-13)


def test_the_mean_follows_its_differential_equation(data):
    X, y, Z = data
    flow = GradientFlow(KERNEL, X, y)
    now, before, after = (
        flow.predict(X, 0.4),
        flow.predict(Z, 0.4 - 1e-4),
        flow.predict(Z, 0.4 + 1e-4),
    )
    rate = (after.mean - before.mean) / 2e-4
    np.testing.assert_allclose(rate, KERNEL(Z, X) @ (y - now.mean), rtol=1e-6, atol=1e-8)


def test_many_times_at_once_are_one_by_one(data):
    X, y, Z = data
    flow = GradientFlow(KERNEL, X, np.stack([y, -2 * y], 1))
    times = [0.0, 0.7, np.inf]
    together = flow.predict(Z, times)
    assert together.mean.shape == (3, 5, 2)
    assert together.variance.shape == (3, 5)
    for i, t in enumerate(times):
        alone = flow.predict(Z, t, covariance=True)
        np.testing.assert_allclose(together.mean[i], alone.mean, rtol=1e-12)
        np.testing.assert_allclose(together.variance[i], alone.variance, rtol=1e-9, atol=1e-12)


def test_what_cannot_be_learned_stays_as_it_began():
    # A linear net knows only the span of its rows: the direction outside keeps its prior.
    linear = fully_connected("linear", 0, 2.0)
    X, Z = np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([[0.0, 1.0]])
    end = GradientFlow(linear, X, [1.0, 2.0]).predict(Z, [5.0, np.inf])
    np.testing.assert_allclose(end.mean, 0, atol=1e-15)
    np.testing.assert_allclose(end.variance, 1.0, rtol=1e-12)


def train_nets(X, y, Z, members, width, time, steps):
    """Outputs (members, m) at Z of nets like KERNEL's, by gradient descent."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(members, *shape, generator=generator, dtype=torch.float64)

    parameters = [normal(3, width), normal(1, width), normal(width, 1), normal(1, 1)]
    for p in parameters:
        p.requires_grad_()

    def forward(x):
        W, b, V, c = parameters
        h = torch.erf(x @ W * (1.5 / 3) ** 0.5 + 0.1**0.5 * b)
        return (h @ V * (1.5 / width) ** 0.5 + 0.1**0.5 * c)[..., 0]

    x, target = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(steps):
        loss = (forward(x) - target).square().sum() / 2
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            p.data -= time / steps * g
    with torch.no_grad():
        return forward(torch.from_numpy(Z)).numpy()


def test_an_ensemble_of_wide_nets_has_this_mean_and_variance(data):
    X, y, Z = data
    members = 200
    outputs = train_nets(X, y, Z, members, width=256, time=1.0, steps=100)
    flow = GradientFlow(KERNEL, X, y)
    expected, untrained = flow.predict(Z, 1.0), flow.predict(Z, 0.0)
    error = np.sqrt(expected.variance / members)
    # 4 standard errors, and 2 % of the targets' scale for a finite width and finite steps.
    assert (np.abs(outputs.mean(0) - expected.mean) < 4 * error + 0.02).all()
    ratio = outputs.var(0, ddof=1) / expected.variance
    assert (np.abs(ratio - 1) < 4 * np.sqrt(2 / members) + 0.05).all()
    assert (expected.variance < 0.9 * untrained.variance).all()  # training did something


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, y: GradientFlow(KERNEL, X, y, ridge=-1), "ridge must be a number >= 0; got -1"),
        (
            lambda X, y: GradientFlow(KERNEL, X, y[:3]),
            r"y must have one row .* got \(3,\) for 7 rows",
        ),
        (lambda X, y: GradientFlow(KERNEL, X, y * np.nan), "y must be finite; got NaN"),
        (
            lambda X, y: GradientFlow(KERNEL, X, y).predict(X, -1.0),
            "t must be a time >= 0.*got -1.0",
        ),
    ],
)
def test_mistakes_are_named(data, call, message):
    with pytest.raises(ValueError, match=message):
        call(data[0], data[1])
