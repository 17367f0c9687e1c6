import numpy as np
import pytest

from overparam.theory.collapse import collapse_threshold, mse_geometry

SIZES = [200, 100, 50, 20]


def objective(sizes, weights, H, decays, feature_decay):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    n, total = len(labels), H
    for W in weights:
        total = W @ total
    fit = ((total - np.eye(len(sizes))[:, labels]) ** 2).sum() / (2 * n)
    decay = sum(d * (W**2).sum() for d, W in zip(decays, weights, strict=True))
    return fit + (decay + feature_decay * (H**2).sum()) / 2


def at_the_formulas(sizes, decays, feature_decay):
    """Weights and features with the geometry's norms: classes along the axes."""
    found = mse_geometry(sizes, decays, feature_decay)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    H = np.diag(found.feature_norms)[:, labels]
    return [np.diag(values) for values in found.singular_values], H


def test_one_layer_has_the_closed_form():
    found = mse_geometry(SIZES, [0.016], 0.016)
    np.testing.assert_allclose(found.outputs, [0.58139, 0.408, 0.16279, 0], atol=1e-5)
    np.testing.assert_allclose(found.weight_norms, [2.86743, 2.01990, 1.07288, 0], atol=1e-5)
    np.testing.assert_allclose(found.feature_norms, [0.20276, 0.20199, 0.15173, 0], atol=1e-5)
    assert found.collapsed_classes.tolist() == [3]
    n, l_w, l_h = np.array(SIZES, float), 2e-3, 5e-5
    free = mse_geometry(SIZES, [l_w], l_h)
    p = 1 - n.sum() * np.sqrt(l_w * l_h / n)
    np.testing.assert_allclose(free.outputs, p, rtol=1e-12)
    np.testing.assert_allclose(
        free.weight_norms**2, np.sqrt(n * l_h / l_w) - n.sum() * l_h, rtol=1e-9
    )
    np.testing.assert_allclose(free.feature_norms**2, p * np.sqrt(l_w / (n * l_h)), rtol=1e-9)


@pytest.mark.parametrize(
    ("decays", "feature_decay"),
    [
        ([2e-3], 5e-5),
        ([1e-3] * 2, 2e-5),
        ([2e-3] * 3, 2e-5),
        ([6e-3] * 2, 4e-3),
        ([1e-3, 4e-3], 1e-5),
    ],
)
def test_the_formulas_are_a_minimum_of_the_objective(decays, feature_decay):
    weights, H = at_the_formulas(SIZES, decays, feature_decay)
    loss = objective(SIZES, weights, H, decays, feature_decay)
    assert loss == pytest.approx(mse_geometry(SIZES, decays, feature_decay).loss, rel=1e-12)
    rng, step = np.random.default_rng(0), 1e-6
    variables = [*weights, H]
    for place, tensor in enumerate(variables):
        for _ in range(20):
            way = rng.standard_normal(tensor.shape)
            way /= np.linalg.norm(way)
            ends = []
            for sign in (1, -1):
                moved = [
                    t + sign * step * way if i == place else t for i, t in enumerate(variables)
                ]
                ends.append(objective(SIZES, moved[:-1], moved[-1], decays, feature_decay))
            assert abs(ends[0] - ends[1]) / (2 * step) < 1e-8  # no slope
            assert min(ends) >= loss - 1e-15


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_a_class_collapses_just_above_its_threshold_and_jumps_there(depth):
    n = sum(SIZES)
    for k, size in enumerate(SIZES):
        at = collapse_threshold(size, n, depth) ** (1 / (depth + 1))
        below, above = at * (1 - 1e-3), at * (1 + 1e-3)
        assert k not in mse_geometry(SIZES, [below] * depth, below).collapsed_classes
        assert k in mse_geometry(SIZES, [above] * depth, above).collapsed_classes
        last = mse_geometry(SIZES, [at * (1 - 1e-9)] * depth, at * (1 - 1e-9)).outputs[k]
        assert last == pytest.approx((depth - 1) / depth, abs=1e-4)


def test_the_threshold_of_one_layer_is_a_number_of_examples():
    assert collapse_threshold(50, 370) == pytest.approx(50 / 370**2)
    assert pytest.approx(35.05, abs=0.01) == 0.016**2 * 370**2  # so 50 survive and 20 do not
    many = collapse_threshold(np.array([20.0, 50.0]), 370)
    assert many.shape == (2,)


def test_while_outputs_are_near_one_norms_are_powers_of_the_class_size():
    for depth in (1, 3):
        found = mse_geometry([10_000, 100], [1e-6] * depth, 1e-9)
        rows = np.log(found.weight_norms[0] / found.weight_norms[1]) / np.log(100)
        means = np.log(found.feature_norms[0] / found.feature_norms[1]) / np.log(100)
        assert rows == pytest.approx(1 / (2 * (depth + 1)), abs=0.02)
        assert means == pytest.approx(1 / (2 * (depth + 1)) - 0.5, abs=0.02)


def test_layers_share_a_class_in_inverse_proportion_to_their_decays():
    found = mse_geometry(SIZES, [1e-3, 4e-3], 1e-5)
    np.testing.assert_allclose(found.singular_values[0], 2 * found.singular_values[1], rtol=1e-12)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"class_sizes must be .* each >= 1; got \[3, 0\]"):
        mse_geometry([3, 0], [0.1], 0.1)
    with pytest.raises(ValueError, match=r"feature_decay must be > 0; got \[0.1\] and 0.0"):
        mse_geometry([3, 3], [0.1], 0.0)
    with pytest.raises(ValueError, match="one decay a linear layer; got none"):
        mse_geometry([3, 3], [], 0.1)
    with pytest.raises(ValueError, match=r"n_k must be in \(0, n\] for n=10; got 11"):
        collapse_threshold(11, 10)
    with pytest.raises(ValueError, match="depth must be an integer >= 1; got 0"):
        collapse_threshold(1, 10, 0)
