import numpy as np
import pytest
import torch

from overparam.diagnostics.collapse_metrics import ClassMoments, neural_collapse

K, D = 5, 12
rng = np.random.default_rng(0)
Y = np.r_[np.arange(K), rng.integers(0, K, 195)]
MEANS = rng.normal(size=(K, D))
H = MEANS[Y] + 0.3 * rng.normal(size=(len(Y), D))
W, B = rng.normal(size=(K, D)), rng.normal(size=K)
FRAME = np.linalg.qr(rng.normal(size=(D, K)))[0].T  # orthonormal rows


def slow(h, y, w, b):
    """The definitions, spelled out."""
    mu = np.stack([h[y == k].mean(0) for k in range(K)])
    c = mu - mu.mean(0)
    s_w = sum(np.outer(r, r) for r in h - mu[y]) / len(y)
    s_b = c.T @ c / K
    unit = lambda a: a / np.linalg.norm(a)  # noqa: E731
    g, g_c = unit(mu @ mu.T), unit(c @ c.T)
    nearest = ((h[:, None] - mu) ** 2).sum(-1).argmin(1)
    return {
        "nc1": np.trace(s_w @ np.linalg.pinv(s_b, rcond=1e-8)) / K,
        "nc1_trace": np.trace(s_w) / np.trace(s_b),
        "nc2_etf": np.linalg.norm(g_c - (np.eye(K) - 1 / K) / np.sqrt(K - 1)),
        "nc2_orthogonal": np.linalg.norm(g - np.eye(K) / np.sqrt(K)),
        "nc3": np.linalg.norm(unit(w) - unit(mu)),
        "nc3_centred": np.linalg.norm(unit(w) - unit(c)),
        "nc4": ((h @ w.T + b).argmax(1) != nearest).mean(),
    }


def test_metrics_are_their_definitions():
    found = neural_collapse(H, Y, W, B)
    assert found.scalars() == pytest.approx(slow(H, Y, W, B), rel=1e-10)
    np.testing.assert_allclose(found.weight_norms, np.linalg.norm(W, axis=1))
    means = np.stack([H[k == Y].mean(0) for k in range(K)])
    np.testing.assert_allclose(found.class_norms, np.linalg.norm(means, axis=1))
    cosine = means[1] @ means[3] / np.linalg.norm(means[1]) / np.linalg.norm(means[3])
    assert found.mean_cosines[1, 3] == pytest.approx(cosine)


def test_an_orthonormal_frame_is_collapsed_in_both_senses():
    found = neural_collapse(FRAME[Y], Y, FRAME)
    assert found.nc1 < 1e-24
    assert found.nc2_orthogonal < 1e-12
    assert found.nc2_etf < 1e-12
    assert found.nc3 < 1e-12
    assert found.nc4 == 0


def test_a_simplex_is_no_orthogonal_frame():
    simplex = FRAME - FRAME.mean(0)
    found = neural_collapse(simplex[Y], Y, simplex)
    assert found.nc2_etf < 1e-12
    assert found.nc3_centred < 1e-12
    assert found.nc2_orthogonal > 0.4


def test_metrics_do_not_see_rotation_and_scale():
    turn = np.linalg.qr(rng.normal(size=(D, D)))[0]
    one, other = neural_collapse(H, Y, W), neural_collapse(7 * H @ turn, Y, 0.1 * W @ turn)
    assert one.scalars() == pytest.approx(other.scalars(), rel=1e-10)


@pytest.mark.parametrize("scatter", [1.0, 1e-6])
def test_streaming_equals_the_batch(scatter):
    h = 50 + MEANS[Y] + scatter * (H - MEANS[Y])
    moments = ClassMoments(K)
    for rows in np.array_split(rng.permutation(len(Y)), 13):
        moments.update(h[rows], Y[rows])
    streamed, batch = moments.collapse(W).scalars(), neural_collapse(h, Y, W).scalars()
    assert np.isnan(streamed.pop("nc4"))
    batch.pop("nc4")
    assert streamed == pytest.approx(batch, rel=1e-8)


def test_members_and_layers_are_measured_together():
    many = np.stack([H, 2 * H + rng.normal(size=H.shape)])
    weights = np.stack([W, rng.normal(size=W.shape)])
    found = neural_collapse(many, Y, weights)
    for i in range(2):
        one = neural_collapse(many[i], Y, weights[i])
        assert {k: v[i] for k, v in found.scalars().items()} == pytest.approx(one.scalars())
    assert found.class_norms.shape == (2, K)


def test_without_weight_what_needs_one_is_missing():
    found = neural_collapse(torch.tensor(H, dtype=torch.float32), torch.tensor(Y))
    assert np.isnan([found.nc3, found.nc3_centred, found.nc4]).all()
    assert found.nc1 == pytest.approx(slow(H, Y, W, B)["nc1"], rel=1e-4)


def test_an_empty_direction_between_classes_does_not_count():
    flat = MEANS.copy()
    flat[:, 2:] = 1e-7 * MEANS[:, 2:]  # means in a plane, but for rounding
    scatter = H - np.stack([H[k == Y].mean(0) for k in range(K)])[Y]
    h = flat[Y] + 0.1 * scatter
    found, expected = neural_collapse(h, Y, W), slow(h, Y, W, B)
    assert found.nc1 == pytest.approx(expected["nc1"], rel=1e-6)
    assert found.nc1 < 0.1


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"one entry per row of features; got 3 labels for 200"):
        neural_collapse(H, Y[:3])
    with pytest.raises(ValueError, match=r"name each class at least once; got none of \[2\]"):
        neural_collapse(H[Y != 2], Y[Y != 2])
    with pytest.raises(ValueError, match=r"weight must have shape \(5, 12\).* got \(5, 3\)"):
        neural_collapse(H, Y, W[:, :3])
    with pytest.raises(ValueError, match=r"labels must be in 0 .. 3; got 0 to 4"):
        neural_collapse(H, Y, W[:4])
    with pytest.raises(ValueError, match=r"features must be numbers of shape .* got \(12,\)"):
        neural_collapse(H[0], Y)
    with pytest.raises(ValueError, match=r"labels must be integers of shape \(n,\)"):
        neural_collapse(H, Y * 1.0)
    with pytest.raises(ValueError, match="n_classes must be an integer >= 2; got 1"):
        ClassMoments(1)
    moments = ClassMoments(K)
    moments.update(H[Y < 4], Y[Y < 4])
    with pytest.raises(ValueError, match=r"got none of \[4\]"):
        moments.collapse()
    with pytest.raises(ValueError, match="features must have 12 columns as before; got 3"):
        moments.update(H[:, :3], Y)
