"""The deviation angle: closed forms, the identity of the margins, invariances, types."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.svm import LinearSVC

from overparam.diagnostics.class_scatter import flattest_direction
from overparam.diagnostics.deviation_angle import boundary_tilt
from overparam.diagnostics.linear_boundary import tilt_along

RNG = np.random.default_rng(0)
LABELS = np.arange(300) % 2
ROWS = RNG.standard_normal((300, 8)) * np.geomspace(1, 1e-3, 8)
ROWS[:, 0] += LABELS
SQUARE = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]), [0, 0, 1, 1]  # means (-1, 0), (1, 0)


def nearest_centroid(X, y):
    i, j = (X[y == k].mean(axis=0) for k in np.unique(y))
    return j - i, -(j @ j - i @ i) / 2


def test_the_nearest_centroid_classifier_is_not_tilted():
    tilt = boundary_tilt(nearest_centroid(ROWS, LABELS), ROWS, LABELS)
    assert tilt.deviation_angle == pytest.approx(0, abs=1e-6)
    assert tilt.adversarial_strength == pytest.approx(1, abs=1e-12)
    assert tilt.mean_margin == pytest.approx(tilt.centroid_margin, rel=1e-12)
    assert tilt.type == 0
    assert tilt.gain_error == 0
    peer = NearestCentroid().fit(ROWS, LABELS).score(ROWS, LABELS)
    assert tilt.accuracy == tilt.centroid_accuracy == pytest.approx(peer)


@pytest.mark.parametrize("intercept", [-7.0, 0.0, 2.0])
def test_a_triangle_of_3_4_5(intercept):
    tilt = boundary_tilt(([3, 4], intercept), *SQUARE)
    assert tilt.deviation_angle == pytest.approx(53.130102, abs=1e-6)
    assert tilt.adversarial_strength == pytest.approx(1.6666667, abs=1e-6)
    assert tilt.mean_margin == pytest.approx(0.6, abs=1e-12)
    assert tilt.centroid_margin == 1


def test_the_margins_obey_the_identity_for_every_classifier():
    for coef in RNG.standard_normal((20, 8)):
        tilt = boundary_tilt((coef, RNG.normal()), ROWS, LABELS, components=False)
        signed = (ROWS @ coef) / np.linalg.norm(coef)
        margin = (signed[LABELS == 1].mean() - signed[LABELS == 0].mean()) / 2
        assert tilt.mean_margin == pytest.approx(margin, abs=1e-12)
        cos = np.cos(np.radians(tilt.deviation_angle))
        assert abs(margin) == pytest.approx(tilt.centroid_margin * cos, abs=1e-12)


def test_a_normal_that_points_the_wrong_way_has_a_negative_margin():
    tilt = boundary_tilt(([-3, -4], 0), *SQUARE)
    assert tilt.mean_margin == pytest.approx(-0.6)
    assert tilt.deviation_angle == pytest.approx(53.130102, abs=1e-6)
    assert tilt.accuracy == 0.5
    # Of four rows two lie on the wrong side; their distances are 1.4 and 0.2, as on the right one.
    assert tilt.median_distance == pytest.approx((1.4 + 0.2) / 2)


def test_at_a_right_angle_the_strength_is_infinite():
    tilt = boundary_tilt(([0, 1], 0.0), *SQUARE)
    assert tilt.deviation_angle == 90
    assert tilt.adversarial_strength == np.inf


def test_units_of_the_score_and_the_origin_do_not_matter():
    coef, intercept = RNG.standard_normal(8), 0.2
    plain = boundary_tilt((coef, intercept), ROWS, LABELS)
    scaled = boundary_tilt((7 * coef, 7 * intercept), ROWS, LABELS)
    shift = 10 * RNG.standard_normal(8)
    moved = boundary_tilt((coef, intercept - coef @ shift), ROWS + shift, LABELS)
    for other in (scaled, moved):
        for name in ("deviation_angle", "mean_margin", "median_distance", "relative_distance"):
            assert getattr(other, name) == pytest.approx(getattr(plain, name), rel=1e-9)
        assert (other.accuracy, other.centroid_accuracy, other.type) == (
            plain.accuracy,
            plain.centroid_accuracy,
            plain.type,
        )


def test_gaussian_classes_of_unequal_spread_are_tilted_by_the_closed_form():
    spread, m = np.array([1.0, 0.01]), np.array([1.0, 1.0])
    X = np.concatenate([np.concatenate([s * m / 2 + d * e for d in (-1, 1)]) for s in (-1, 1)
                        for e in np.diag(np.sqrt(spread))]).reshape(8, 2)  # fmt: skip
    y = np.repeat([0, 1], 4)
    tilt = boundary_tilt((m / spread, 0.0), X, y)
    assert tilt.deviation_angle == pytest.approx(44.4271, abs=1e-4)
    table = tilt.tilt_by_component
    np.testing.assert_allclose(table["variance"], spread / 2, atol=1e-12)
    np.testing.assert_allclose(table["squared_cosine"], [1 / 10001, 10000 / 10001], atol=1e-12)


@pytest.mark.parametrize("rows", [300, 6])
def test_squared_cosines_sum_to_one(rows):
    tilt = boundary_tilt((RNG.standard_normal(8), 0.0), ROWS[:rows], LABELS[:rows])
    table = tilt.tilt_by_component
    assert table["squared_cosine"].sum() == pytest.approx(1, abs=1e-12)
    assert table.height == (8 if rows == 300 else 7)
    assert table["variance"].is_sorted(descending=True)
    assert boundary_tilt(([1.0] * 8, 0.0), ROWS, LABELS, components=False).tilt_by_component is None


def test_the_three_types():
    X, y = load_digits(return_X_y=True)
    X, y = X[np.isin(y, [3, 8])] / 16, y[np.isin(y, [3, 8])]
    mild = LogisticRegression(C=1.0).fit(X, y)
    assert boundary_tilt(mild, X, y).type == 0
    z, _ = flattest_direction(X, y)
    center = (X[y == 3].mean(axis=0) + X[y == 8].mean(axis=0)) / 2
    needless = boundary_tilt(tilt_along(*nearest_centroid(X, y), z, 80, center), X, y)
    assert needless.deviation_angle == pytest.approx(80, abs=1e-4)
    assert needless.type == 1
    # A narrow column tells the classes apart, a wide one moves their means.
    narrow = np.column_stack([ROWS[:, 0] - 0.5, 0.05 * (2 * LABELS - 1) + 0.01 * ROWS[:, 1]])
    exact = boundary_tilt(([0, 1], 0.0), narrow, LABELS)
    assert (exact.type, exact.accuracy) == (2, 1.0)
    assert exact.accuracy - exact.centroid_accuracy > exact.better_by * exact.gain_error > 0
    assert exact.tilted_from == 45


@pytest.mark.parametrize("kind", [LogisticRegression, LinearSVC])
def test_all_pairs_of_classes_are_those_of_their_rows(kind):
    X, y = load_digits(return_X_y=True)
    X, y = X[y < 4] / 16, y[y < 4]
    model = kind(C=0.1).fit(X, y)
    found = boundary_tilt(model, X, y, pairs="all")
    assert list(found) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    for (i, j), tilt in found.items():
        rows = np.isin(y, (i, j))
        coef = model.coef_[j] - model.coef_[i]
        intercept = model.intercept_[j] - model.intercept_[i]
        alone = boundary_tilt((coef, intercept), X[rows], y[rows])
        for name in ("deviation_angle", "mean_margin", "median_distance", "accuracy",
                     "centroid_accuracy", "gain_error", "type"):  # fmt: skip
            assert getattr(tilt, name) == pytest.approx(getattr(alone, name), abs=1e-10)
        assert tilt.classes == (i, j)
        assert tilt.tilt_by_component["squared_cosine"].sum() == pytest.approx(1, abs=1e-10)


def test_with_the_training_means_held_out_rows_are_judged_against_the_same_rival():
    train, held = slice(0, 200), slice(200, 300)
    centroid = nearest_centroid(ROWS[train], LABELS[train])
    means = [ROWS[train][LABELS[train] == k].mean(axis=0) for k in (0, 1)]
    tilt = boundary_tilt(centroid, ROWS[held], LABELS[held], means=means)
    assert tilt.deviation_angle == pytest.approx(0, abs=1e-6)
    assert tilt.gain_error == 0
    own = boundary_tilt(centroid, ROWS[held], LABELS[held])
    assert own.deviation_angle > 1
    assert own.accuracy == tilt.accuracy
    assert tilt.mean_margin == pytest.approx(np.linalg.norm(means[1] - means[0]) / 2)


def test_two_classes_are_one_pair():
    model = LogisticRegression().fit(ROWS, LABELS)
    found = boundary_tilt(model, ROWS, LABELS, pairs="all")
    assert list(found) == [(0, 1)]
    assert found[0, 1].deviation_angle == boundary_tilt(model, ROWS, LABELS).deviation_angle


THREE = LogisticRegression().fit(ROWS, np.arange(300) % 3)


@pytest.mark.parametrize(
    ("classifier", "X", "y", "options", "text"),
    [
        ((np.ones(8), 0.0), ROWS, np.arange(300) % 3, {}, "y must hold exactly two classes; got 3"),
        ((np.zeros(8), 0.0), ROWS, LABELS, {}, "coef must have a norm above zero"),
        ((np.ones(7), 0.0), ROWS, LABELS, {}, "X must have 7 columns, as coef has; got 8"),
        ((np.ones(8), np.inf), ROWS, LABELS, {}, "classifier must have finite coef"),
        ((np.ones(8), 0.0), ROWS * np.nan, LABELS, {}, "X must be finite"),
        ((np.ones(8), 0.0), np.tile(ROWS[:2], (2, 1)), [0, 0, 1, 1], {}, "0 and 1 are identical"),
        (THREE, ROWS, np.arange(300) % 3, {}, "classifier must have one row of coef; got 3"),
        (THREE, ROWS, LABELS, {"pairs": "all"}, "a row of coef for each of 2 classes"),
        (THREE, ROWS, np.arange(300) % 3 + 5, {"pairs": "all"}, "y must hold the classes of the"),
        (
            (np.ones(8), 0.0),
            ROWS,
            LABELS,
            {"means": np.eye(3)},
            r"means must be finite numbers \(2",
        ),
        ((np.ones(8), 0.0), ROWS, LABELS, {"pairs": "some"}, "pairs must be 'all' or None"),
    ],
)
def test_what_is_refused(classifier, X, y, options, text):
    with pytest.raises(ValueError, match=text):
        boundary_tilt(classifier, X, y, **options)
