"""The infinite linear network: against its recursion, finite widths, and a formed U'."""

import numpy as np
import pytest
import torch
from scipy import sparse

from overparam.kernels.feature_learning_limit import FeatureLearningLimit

D, C, N, ETA = 10, 3, 20, 0.5


def quarter_sum(outputs, labels):
    return torch.nn.functional.cross_entropy(outputs, labels, reduction="sum") / 4


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D))
    return X / np.linalg.norm(X, axis=1, keepdims=True), rng.integers(0, C, N)


def recursion(X, y, steps):
    """A, B, C, D of the specification: U = U_0 A + V_0 B, V = U_0 C + V_0 D, coded apart."""
    a, b = np.eye(D), np.zeros((C, D))
    c, d = np.zeros((D, C)), np.eye(C)
    for _ in range(steps):
        f = X @ (a.T @ c + b.T @ d)
        p = np.exp(f - f.max(1, keepdims=True))
        chi = (p / p.sum(1, keepdims=True) - np.eye(C)[y]) / 4
        a, b, c, d = (
            a - ETA * c @ chi.T @ X,
            b - ETA * d @ chi.T @ X,
            c - ETA * a @ X.T @ chi,
            d - ETA * b @ X.T @ chi,
        )
    return X @ (a.T @ c + b.T @ d)


def limit(**options):
    return FeatureLearningLimit(D, C, ETA, quarter_sum, **options)


def test_it_is_the_recursion(examples):
    X, y = examples
    found = limit().fit(X, y, steps=20).predict(X)
    np.testing.assert_allclose(found, recursion(X, y, 20), atol=1e-12)
    assert np.abs(found).max() > 0.5  # it has learned


def test_it_starts_at_zero(examples):
    assert not limit().predict(examples[0]).any()


def test_finite_widths_come_closer_like_the_root_of_the_width(examples):
    X, y = examples
    infinite = limit().fit(X, y, steps=20).predict(X)
    widths = np.array([100, 1000, 10_000])
    errors = [
        np.mean(
            [
                np.abs(limit(width=n, random_state=s).fit(X, y, steps=20).predict(X) - infinite)
                for s in range(5)
            ]
        )
        for n in widths
    ]
    slope = np.polyfit(np.log(widths), np.log(errors), 1)[0]
    assert -0.65 < slope < -0.35


def test_a_finite_width_is_the_network_with_1_over_n(examples):
    """Entries N(0, 1), f = V^T U x / n and steps without 1/n, as in the paper."""
    X, y = examples
    n, ours = 50, limit(width=50, random_state=1)
    U, V = ours.U_.numpy() * n**0.5, ours.V_.numpy() * n**0.5
    for _ in range(10):
        f = X @ U.T @ V / n
        p = np.exp(f - f.max(1, keepdims=True))
        chi = (p / p.sum(1, keepdims=True) - np.eye(C)[y]) / 4
        U, V = U - ETA * V @ chi.T @ X, V - ETA * U @ X.T @ chi
        ours.partial_fit(X, y)
    np.testing.assert_allclose(ours.predict(X), X @ U.T @ V / n, atol=1e-12)


def test_sparse_inputs_are_the_same_and_touch_their_columns_only(examples):
    X, y = examples
    bags = np.where(np.arange(D) < 4, X, 0)
    dense, thin = limit(), limit()
    for _ in range(5):
        dense.partial_fit(bags, y)
        thin.partial_fit(sparse.csr_matrix(bags), y)
    np.testing.assert_allclose(thin.predict(sparse.csr_matrix(X)), dense.predict(X), atol=1e-13)
    assert torch.equal(thin.U_[:, 4:], limit().U_[:, 4:])
    np.testing.assert_array_equal(thin.embeddings(), thin.U_.numpy().T)


def test_adapting_is_one_step_on_a_copy(examples):
    X, y = examples
    net = limit().fit(X, y, steps=10)
    before = net.predict(X)
    adapted = net.predict_adapted(X[:5], y[:5], X, 0.3)
    np.testing.assert_array_equal(net.predict(X), before)
    copy = FeatureLearningLimit(D, C, 0.3, quarter_sum)
    copy.U_, copy.V_ = net.U_.clone(), net.V_.clone()
    np.testing.assert_allclose(adapted, copy.partial_fit(X[:5], y[:5]).predict(X), atol=1e-12)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_a_meta_step_follows_the_query_gradient_at_the_adapted_weights(examples, form):
    X, y = examples
    tasks = [(X[i : i + 5], y[i : i + 5], X[i + 5 : i + 9], y[i + 5 : i + 9]) for i in (0, 10)]
    net = limit().fit(X, y, steps=3)
    U, V = net.U_.clone(), net.V_.clone()
    slopes = []
    for s, t, q, u in tasks:
        copy = FeatureLearningLimit(D, C, 0.3, quarter_sum)
        copy.U_, copy.V_ = U.clone(), V.clone()
        copy.partial_fit(s, t)
        u_leaf, v_leaf = copy.U_.requires_grad_(), copy.V_.requires_grad_()
        outputs = torch.as_tensor(q) @ u_leaf.T @ v_leaf
        slopes.append(
            torch.autograd.grad(quarter_sum(outputs, torch.as_tensor(u)), (u_leaf, v_leaf))
        )
    net.first_order_maml([(form(s), t, form(q), u) for s, t, q, u in tasks], 0.3)
    for before, now, place in ((U, net.U_, 0), (V, net.V_, 1)):
        mean = (slopes[0][place] + slopes[1][place]) / 2
        torch.testing.assert_close(now, before - ETA * mean, rtol=0, atol=1e-12)


def test_batches_pass_over_all_rows_before_one_comes_again(examples):
    X, y = examples
    seen = []

    class Watched(FeatureLearningLimit):
        def partial_fit(self, X, y):
            seen.append(X)
            return super().partial_fit(X, y)

    Watched(D, C, ETA, quarter_sum).fit(X, y, steps=4, batch_size=5)
    assert {row.tobytes() for row in np.concatenate(seen)} == {row.tobytes() for row in X}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FeatureLearningLimit(0, 1, 0.1), "n_in must be an integer >= 1; got 0"),
        (lambda: FeatureLearningLimit(2, 1, 0.0), "learning_rate must be > 0; got 0.0"),
        (lambda: FeatureLearningLimit(2, 1, 0.1, "hinge"), "loss must be one of .*; got 'hinge'"),
        (lambda: limit().predict(np.zeros((2, 4))), r"shape \(n, 10\); got \(2, 4\)"),
        (lambda: limit().predict(np.zeros(10)), r"shape \(n, 10\); got \(10,\)"),
    ],
)
def test_errors_name_what_came(make, message):
    with pytest.raises(ValueError, match=message):
        make()
