"""Both forms are the update of the paper, written out; symmetries hold to rounding."""

import numpy as np
import pytest
from scipy.special import expit

from overparam.data.synthetic import xor_clusters
from overparam.training.two_layer_descent import (
    DirectForm,
    GramForm,
    descend,
    linear_share,
    slope,
)

FORMS = {"direct": DirectForm, "gram": GramForm.of}


def problem(n=40, p=500, m=16, dtype=np.float64, init_std=1e-5, seed=0):
    X, y, _ = xor_clusters(n, p, 2 * p**0.25, 0.1, seed)
    X_test, _, y_test = xor_clusters(50, p, 2 * p**0.25, 0.1, seed + 1000)
    rng = np.random.default_rng(seed)
    W0 = init_std * rng.standard_normal((m, p))
    a = rng.choice([-1.0, 1.0], m) / np.sqrt(m)
    return [each.astype(dtype) for each in (X, y, W0, a, X_test, y_test)]


def trained(form, y, a, **settings):
    return list(descend(form, y, a, **{"step": 0.02, "n_steps": 20, **settings}))


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("form", FORMS)
def test_a_step_is_the_sum_over_examples(form, loss):
    X, y, W0, a, *_ = problem(init_std=0.1)
    state = FORMS[form](X, W0)
    trained(state, y, a, n_steps=1, loss=loss)
    f = np.maximum(X @ W0.T, 0) @ a
    g = expit(-y * f) if loss == "logistic" else np.exp(-y * f)
    W1 = W0.copy()
    for j in range(len(a)):
        for i in range(len(X)):
            if W0[j] @ X[i] > 0:
                W1[j] += 0.02 / len(X) * g[i] * y[i] * a[j] * X[i]
    np.testing.assert_allclose(W0 + state.dual.T @ X, W1, rtol=1e-6, atol=1e-12)
    if form == "direct":
        np.testing.assert_allclose(state.weights, W1, rtol=1e-6, atol=1e-12)


def test_from_a_tiny_start_all_slopes_are_a_half():
    X, y, W0, a, *_ = problem()
    margins = y * (np.maximum(X @ W0.T, 0) @ a)
    np.testing.assert_allclose(slope(margins, "logistic"), 0.5, atol=1e-3)
    state = GramForm.of(X, W0)
    trained(state, y, a, n_steps=1)
    moved = state.dual != 0
    np.testing.assert_array_equal(moved, X @ W0.T > 0)
    expected = 0.02 / len(X) / 2 * y[:, None] * a
    np.testing.assert_allclose(state.dual[moved], expected[moved], rtol=1e-3)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-3), (np.float64, 1e-10)])
def test_both_forms_agree(dtype, rtol):
    X, y, W0, a, X_test, _ = problem(dtype=dtype)
    direct, gram = DirectForm(X, W0, X_test), GramForm.of(X, W0, X_test)
    one, other = trained(direct, y, a)[-1], trained(gram, y, a)[-1]
    for name in ("output", "linear", "loss", "test_output", "test_linear"):
        here, there = getattr(one, name), getattr(other, name)
        scale = np.abs(np.asarray(here)).max()
        np.testing.assert_allclose(there, here, rtol=rtol, atol=rtol * scale, err_msg=name)
        assert there.dtype == (np.float64 if name == "loss" else dtype)
    reached = W0 + gram.dual.T @ X
    np.testing.assert_allclose(
        reached, direct.weights, rtol=rtol, atol=rtol * np.abs(reached).max()
    )


def test_a_stack_of_seeds_is_each_of_them_alone():
    problems = [problem(seed=s) for s in range(3)]
    X, y, W0, a, X_test, _ = (np.stack(each) for each in zip(*problems, strict=True))
    for of in FORMS.values():
        together = trained(of(X, W0, X_test), y, a)[-1]
        for i, one in enumerate(problems):
            alone = trained(of(one[0], one[2], one[4]), one[1], one[3])[-1]
            np.testing.assert_allclose(together.test_output[i], alone.test_output, rtol=1e-9)
            assert together.loss[i] == pytest.approx(alone.loss, rel=1e-12)


def test_turning_labels_and_second_layer_around_turns_the_output_around():
    X, y, W0, a, *_ = problem(init_std=0.01)
    states = [DirectForm(X, W0) for _ in range(3)]
    plain = trained(states[0], y, a)[-1]
    turned = trained(states[1], -y, -a)[-1]
    np.testing.assert_array_equal(states[0].weights, states[1].weights)
    np.testing.assert_array_equal(turned.output, -plain.output)
    only_labels = trained(states[2], -y, a)[-1]
    assert np.abs(only_labels.output + plain.output).max() > 0.1 * np.abs(plain.output).max()


def test_the_scale_of_the_data_goes_into_step_and_start():
    X, y, W0, a, X_test, _ = problem(init_std=0.01)
    plain = trained(GramForm.of(X, W0, X_test), y, a)[-1]
    s = 3.7
    scaled = trained(GramForm.of(s * X, W0 / s, s * X_test), y, a, step=0.02 / s**2)[-1]
    for name in ("output", "test_output", "test_linear"):
        here = getattr(plain, name)
        np.testing.assert_allclose(
            getattr(scaled, name), here, rtol=1e-12, atol=1e-12 * np.abs(here).max()
        )


def test_the_odd_part_of_the_output_is_linear():
    X, y, W0, a, X_test, _ = problem()
    state = DirectForm(X, W0, X_test)
    end = trained(state, y, a)[-1]
    for rows, output, linear in (
        (X, end.output, end.linear),
        (X_test, end.test_output, end.test_linear),
    ):
        odd = output - np.maximum(-rows @ state.weights.T, 0) @ a
        np.testing.assert_allclose(odd, rows @ state.weights.T @ a, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(2 * linear, odd, rtol=1e-9, atol=1e-12)


def test_loss_falls_and_only_asked_steps_are_seen():
    X, y, W0, a, *_ = problem()
    moments = trained(GramForm.of(X, W0), y, a, at={0, 3, 20})
    assert [moment.step for moment in moments] == [0, 3, 20]
    losses = [float(moment.loss) for moment in moments]
    assert losses[0] == pytest.approx(np.log(2), abs=1e-3)
    assert losses[0] > losses[1] > losses[2]
    assert moments[0].test_output is None


def test_linear_share_of_known_functions():
    z = np.random.default_rng(0).standard_normal((2, 2000))
    np.testing.assert_allclose(linear_share(z, z), 1.0)
    np.testing.assert_allclose(linear_share(np.abs(z), 0 * z), 0.0, atol=1e-12)
    np.testing.assert_allclose(linear_share(np.maximum(z, 0), z / 2), 0.73, atol=0.03)
    assert np.isnan(linear_share(np.ones(5), np.zeros(5)))


def test_errors_say_what_is_wrong():
    X, y, W0, a, *_ = problem()
    with pytest.raises(ValueError, match=r"y must hold labels in \{-1, 1\}; got \[0\. 1\.\]"):
        trained(GramForm.of(X, W0), (y + 1) / 2, a)
    with pytest.raises(ValueError, match="step must be small enough for the training to stay fin"):
        trained(DirectForm(X, W0), y, a, step=1e9, loss="exponential")
