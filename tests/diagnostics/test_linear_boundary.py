"""Mirror images and tilted twins of a linear boundary."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from overparam.diagnostics.linear_boundary import coefficients, mirror, tilt_along

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 6))
COEF, INTERCEPT = RNG.standard_normal(6), 0.3


def test_the_mirror_image_of_the_specification():
    np.testing.assert_allclose(mirror([[2, 1]], (3, 4), -5), [[0.8, -0.6]], atol=1e-12)


def test_mirrored_twice_is_the_row_itself_and_once_the_opposite_score():
    images = mirror(X, COEF, INTERCEPT)
    np.testing.assert_allclose(mirror(images, COEF, INTERCEPT), X, atol=1e-12)
    np.testing.assert_allclose(images @ COEF + INTERCEPT, -(X @ COEF + INTERCEPT), atol=1e-12)


def test_no_tilt_is_the_identity():
    coef, intercept = tilt_along(COEF, INTERCEPT, np.eye(6)[0], 0, X.mean(axis=0))
    np.testing.assert_array_equal(coef, COEF)
    assert intercept == INTERCEPT


def test_a_tilt_is_that_of_the_unit_normals():
    z, center, theta = np.array([0, 0, 2.0, 0, 0, 0]), X.mean(axis=0), np.radians(70)
    coef, intercept = tilt_along(COEF, INTERCEPT, z, 70, center)
    c, c_0 = COEF / np.linalg.norm(COEF), -INTERCEPT / np.linalg.norm(COEF)
    tilted = np.cos(theta) * c + np.sin(theta) * z / 2
    offset = np.cos(theta) * c_0 + np.sin(theta) * center[2]
    length = np.linalg.norm(coef)
    assert length == pytest.approx(np.linalg.norm(COEF), rel=1e-12)
    np.testing.assert_allclose(coef / length, tilted / np.linalg.norm(tilted), atol=1e-12)
    assert -intercept / length == pytest.approx(offset / np.linalg.norm(tilted), rel=1e-12)


def test_along_a_direction_without_variance_no_prediction_changes():
    flat = np.column_stack([X, np.full(len(X), 3.0)])
    w = np.append(COEF, 0.7)
    coef, intercept = tilt_along(w, INTERCEPT, np.eye(7)[6], 89.9, flat.mean(axis=0))
    before, after = flat @ w + INTERCEPT, flat @ coef + intercept
    np.testing.assert_array_equal(after > 0, before > 0)
    # The score itself shrinks by cos(theta): the boundary has come close.
    assert np.abs(after).max() < 0.02 * np.abs(before).max()
    # The distance inside the subspace of the data stays what it was.
    inside = np.linalg.norm(coef[:6])
    np.testing.assert_allclose(
        np.abs(after) / inside, np.abs(before) / np.linalg.norm(COEF), rtol=1e-9
    )


def test_coefficients_of_estimators_and_pairs():
    y = (X[:, 0] > 0).astype(int)
    for model in (LogisticRegression(), LinearSVC(), LogisticRegression(fit_intercept=False)):
        coef, intercept = coefficients(model.fit(X, y))
        np.testing.assert_allclose(
            X @ coef[0] + intercept[0], model.decision_function(X), atol=1e-12
        )
    three = LogisticRegression(fit_intercept=False).fit(X, np.arange(50) % 3)
    assert tuple(part.shape for part in coefficients(three)) == ((3, 6), (3,))
    assert coefficients((COEF, 1.0))[0].shape == (1, 6)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mirror(X, np.zeros(6), 0), "coef must have a norm above zero; got zeros"),
        (lambda: mirror(X, COEF[:4], 0), "X must have 4 columns, as coef has; got 6"),
        (lambda: mirror(X, COEF, np.nan), "coef and intercept must be finite"),
        (lambda: mirror(X, COEF[None], 0), r"coef must be \(d,\) and intercept one number"),
        (lambda: mirror(X * np.inf, COEF, 0), "X must be finite"),
        (lambda: tilt_along(COEF, 0, np.zeros(6), 10, X[0]), "direction must have a norm above"),
        (lambda: tilt_along(COEF, 0, COEF[:2], 10, X[0]), "direction must be 6 finite numbers"),
        (lambda: tilt_along(COEF, 0, COEF, 10, X[0] * np.nan), "center must be 6 finite numbers"),
        (lambda: tilt_along(COEF, 0, COEF, np.inf, X[0]), "angle must be a finite number"),
        (lambda: tilt_along(COEF, 0, -COEF, 45, X[0]), "direction must not turn the normal to"),
        (lambda: coefficients(LogisticRegression()), "classifier must be a fitted estimator with"),
        (lambda: coefficients((X, [1.0, 2.0])), "one intercept for each row of coef"),
        (lambda: coefficients((COEF * np.nan, 1.0)), "classifier must have finite coef"),
    ],
)
def test_what_is_refused(call, text):
    with pytest.raises(ValueError, match=text), np.errstate(invalid="ignore"):
        call()
