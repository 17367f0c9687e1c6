import numpy as np
import pytest

from overparam.diagnostics.example_scores import el2n, l1_error, margin_score

rng = np.random.default_rng(0)
LOGITS = 2 * rng.normal(size=(5, 40, 7))
Y = rng.integers(0, 7, 40)
SCORES = {"el2n": el2n, "l1": l1_error, "margin": margin_score}
every_score = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)


def probabilities(logits):
    exp = np.exp(logits)
    return exp / exp.sum(-1, keepdims=True)


def test_uniform_probabilities_have_a_closed_form():
    zeros, y = np.zeros((20, 10)), np.arange(20) % 10
    np.testing.assert_allclose(el2n(zeros, y), 0.9486833, atol=5e-8)
    np.testing.assert_allclose(l1_error(zeros, y), 1.8, rtol=1e-14)
    np.testing.assert_allclose(margin_score(zeros, y), 0, atol=1e-15)


def test_scores_are_their_definitions():
    p, hot = probabilities(LOGITS[0]), np.eye(7)[Y]
    np.testing.assert_allclose(el2n(LOGITS[0], Y), np.linalg.norm(p - hot, axis=1), rtol=1e-13)
    np.testing.assert_allclose(l1_error(LOGITS[0], Y), np.abs(p - hot).sum(1), rtol=1e-13)
    wrong = p[hot == 0].reshape(40, 6) - p[hot == 1][:, None]
    np.testing.assert_allclose(margin_score(LOGITS[0], Y), wrong.max(1), rtol=1e-12)
    np.testing.assert_allclose(margin_score(LOGITS[0], Y, "sum"), wrong.sum(1), rtol=1e-12)


def test_el2n_reaches_its_bounds():
    sure = np.array([[1e3, 0.0, 0.0]])
    assert el2n(sure, [0]) == pytest.approx(0)
    assert el2n(sure, [1]) == pytest.approx(np.sqrt(2))


@every_score
def test_a_constant_changes_nothing_and_a_factor_does(score):
    shifted = LOGITS + rng.normal(size=(5, 40, 1))
    np.testing.assert_allclose(score(shifted, Y), score(LOGITS, Y), atol=1e-12)
    assert np.abs(score(2 * LOGITS, Y) - score(LOGITS, Y)).max() > 0.01


@every_score
def test_members_are_averaged_bit_for_bit(score):
    alone = np.stack([score(member, Y) for member in LOGITS])
    np.testing.assert_array_equal(score(LOGITS, Y), alone.mean(0))
    np.testing.assert_array_equal(score(LOGITS, Y, average=False), alone)


def test_the_norm_comes_before_the_mean():
    error = probabilities(LOGITS) - np.eye(7)[Y]
    other = np.linalg.norm(error.mean(0), axis=1)
    assert (other < el2n(LOGITS, Y) - 1e-6).all()  # Jensen


@every_score
def test_rows_are_alone(score):
    order = np.r_[rng.permutation(40), 3, 3]
    found = score(LOGITS[:, order], Y[order])
    np.testing.assert_array_equal(found, score(LOGITS, Y)[order])
    assert found[-1] == found[-2]


@pytest.mark.parametrize(
    ("logits", "y", "text"),
    [
        (np.zeros((3, 2)), [0, 1, 2], r"y must hold labels 0\.\.1; got values from 0 to 2"),
        (np.zeros((3, 2)), [0, 1], r"y must have shape \(3,\)"),
        (np.zeros((3, 1)), [0, 0, 0], "logits must have at least 2 classes; got 1"),
        (np.full((3, 2), np.nan), [0, 0, 0], "logits must be finite"),
        (np.zeros(3), [0, 0, 0], r"logits must have shape \(n, k\) or \(M, n, k\); got \(3,\)"),
        (np.zeros((0, 3, 2)), [0, 0, 0], r"\(M, n, k\); got \(0, 3, 2\)"),
    ],
)
def test_mistakes_are_named(logits, y, text):
    with pytest.raises(ValueError, match=text):
        el2n(logits, y)


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="kind must be 'max' or 'sum'; got 'mean'"):
        margin_score(LOGITS, Y, "mean")
