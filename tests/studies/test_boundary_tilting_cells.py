"""The linear cells: what is drawn, tilted, enlarged and mirrored."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from overparam.diagnostics.class_scatter import ClassScatter
from overparam.studies.boundary_tilting_cells import (
    direction_at,
    enlarge,
    enlarged_images,
    half_images,
    image_pair,
    logistic,
    margin_identity,
    strength_path,
    taxonomy,
    tilted_plane,
    tilted_twins,
)

PAIR = {"source": "digits", "pair": "3/8", "seed": 0}
HALVES = {**PAIR, "sizes": (178, 178)}


def test_parts_are_disjoint_rows_of_the_two_classes():
    (X, y), (Z, t) = image_pair("digits", "3/8", (200, 150), 0)
    assert X.shape == (200, 64)
    assert set(y) == {0, 1}
    assert 0 <= X.min() <= X.max() == 1
    assert not len({tuple(row) for row in X} & {tuple(row) for row in Z})
    assert not np.array_equal(image_pair("digits", "3/8", (200, 150), 1)[1][1], t)
    threes = X[y == 0].mean(axis=0).reshape(8, 8)
    eights = X[y == 1].mean(axis=0).reshape(8, 8)
    assert eights[3, 2] > threes[3, 2] + 0.2  # an eight is closed on the left


def test_too_many_rows_are_refused():
    with pytest.raises(ValueError, match=r"sizes must sum to at most 357 rows; got 400"):
        image_pair("digits", "3/8", (300, 100), 0)


def test_newton_finds_the_solution_of_the_usual_solver():
    [(X, y)] = image_pair("digits", "3/8", (200,), 0)
    ours = logistic(100.0, 200).fit(X, y)
    peer = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-5)


def test_margins_obey_the_identity_and_correct_rows_do_not():
    found = margin_identity(rows=300, normals=60, **PAIR)
    assert found["worst"] < 1e-12
    assert found["correct_only"] > 1.02
    assert 0 < found["angle"].min() < 10
    assert 80 < found["angle"].max() < 90


def test_twins_have_the_angle_but_not_the_accuracy_of_their_tilt():
    found = tilted_twins(c=100.0, place=0.0, theta=[0.0, 60.0, 80.0], **HALVES)
    assert found["change"][0] == 0
    assert found["same"][0] == 1
    assert np.diff(found["angle"]).min() > 5
    ratio = np.array(found["inside"]) / found["distance"]
    np.testing.assert_allclose(ratio, 1 / np.cos(np.radians([0, 60, 80])), rtol=1e-6)
    control = tilted_twins(c=100.0, place=0.5, theta=[80.0], **HALVES)
    assert control["same"][0] < 1
    assert control["test_spread"][0] > 10 * found["test_spread"][0]


def test_a_place_in_the_spectrum_counts_from_the_flat_end():
    scatter = ClassScatter(*image_pair("digits", "3/8", (300,), 0)[0])
    spread = [(scatter.X @ direction_at(scatter, place)).std() for place in (0, 0.3, 0.6, 1)]
    assert (np.diff(spread) > 0).all()
    for place in (0, 0.3, 1):
        z = direction_at(scatter, place)
        assert abs(z @ scatter.gap()) < 1e-12
        assert np.linalg.norm(z) == pytest.approx(1)


def test_in_the_plane_distances_are_those_of_the_whole_space():
    found = tilted_plane(c=100.0, theta=80.0, shown=178, **HALVES)
    twins = tilted_twins(c=100.0, place=0.0, theta=[0.0, 80.0], **HALVES)
    for normal, distance in zip(("normal", "tilted_normal"), twins["distance"], strict=True):
        assert np.linalg.norm(found[normal]) == pytest.approx(1)
        assert np.median(np.abs(found["rows"] @ found[normal])) == pytest.approx(distance, rel=1e-9)
    np.testing.assert_allclose(
        found["images"] @ found["tilted_normal"],
        -(found["rows"] @ found["tilted_normal"]),
        atol=1e-12,
    )


def test_types_on_digits():
    found = taxonomy(c=100.0, theta=80.0, **HALVES)
    assert (found["type"], found["twin_type"], found["twin_changed"]) == (0, 1, 0)
    assert found["accuracy"] > found["centroid_accuracy"]
    assert found["twin_angle"] == pytest.approx(80, abs=1e-6)


@pytest.mark.parametrize("side", [7, 8])
def test_halves_are_told_apart_by_the_nearest_centroid(side):
    found = half_images(side, 200, 100.0, 0)
    assert found["angle"] < 6
    assert found["accuracy"] == found["mirrored"] == 1
    assert found["distance"] == pytest.approx(1, abs=0.05)


def test_enlarging_repeats_pixels():
    image = np.array([[1.0, 2, 3, 4]])
    expected = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    np.testing.assert_array_equal(enlarge(image, 2).reshape(4, 4), expected)


def test_the_same_problem_in_other_units_has_the_same_angle():
    small, large, weaker = (
        enlarged_images(c=10.0, factor=factor, scaled=scaled, **HALVES)
        for factor, scaled in ((1, True), (2, True), (2, False))
    )
    assert large["angle"] == pytest.approx(small["angle"], rel=1e-4)
    assert large["attacked_error"] == small["attacked_error"]
    assert weaker["angle"] > small["angle"] + 1
    assert small["attacked_error"] >= small["error"]


def test_the_attacked_error_is_that_of_the_worst_change():
    (X, y), (Z, t) = image_pair("digits", "3/8", (178, 178), 0)
    model = LogisticRegression(C=1e4 / 178, tol=1e-7, max_iter=20_000).fit(X, y)
    attacked = Z - 0.02 * np.sign(model.coef_) * (2 * t[:, None] - 1)
    found = enlarged_images(c=1e4, factor=1, scaled=True, **HALVES)
    assert found["attacked_error"] == pytest.approx(1 - model.score(attacked, t))


@pytest.mark.parametrize(("model", "order"), [("logistic", 1.0), ("svm", 0.8)])
def test_weaker_levels_tilt_more(model, order):
    found = strength_path(model=model, sizes=(178, 89, 89), c=[0.1, 1.0, 10.0, 100.0], **PAIR)
    assert found["order"] >= order - 1e-9
    assert found["angle"][-1] > found["angle"][0] + 10
    assert found["weakest_strength"] == found["strength"][-1]
    assert found["best"] in found["level"]
    place = list(found["level"]).index(found["best"])
    assert found["best_test_error"] == found["test_error"][place]
