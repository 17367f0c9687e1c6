"""The path of regularisation: angles, errors, the best and the recommended level."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import LinearSVC

from overparam.diagnostics.deviation_angle import boundary_tilt
from overparam.diagnostics.tilt_path import regularization_path

LEVELS = [0.1, 1.0, 10.0, 100.0, 1e4, 1e6]


def narrow_columns(n, seed=0):
    """One wide column tells most, one narrow one the rest, forty narrower ones nothing."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.standard_normal((n, 42)) * np.append([1.0, 0.1], np.full(40, 0.05))
    X[:, 0] += 1.5 * y
    X[:, 1] += 0.15 * y
    return X, y


X, Y = narrow_columns(200)
Z, TARGET = narrow_columns(400, seed=1)


def logistic(c):
    return LogisticRegression(C=c / len(X), tol=1e-8, max_iter=5000)


def test_every_level_is_what_a_fit_of_its_own_gives():
    path = regularization_path(logistic, LEVELS, X, Y, Z, TARGET)
    assert path.table["strength"].to_list() == LEVELS
    for row in path.table.iter_rows(named=True):
        alone = logistic(row["strength"]).fit(X, Y)
        tilt = boundary_tilt(alone, X, Y)
        assert row["angle"] == pytest.approx(tilt.deviation_angle, abs=0.02)
        assert row["adversarial_strength"] == pytest.approx(tilt.adversarial_strength, rel=1e-2)
        assert row["training_error"] == pytest.approx(1 - alone.score(X, Y), abs=0.01)
        assert row["validation_error"] == pytest.approx(1 - alone.score(Z, TARGET), abs=0.01)
        held = np.median(np.abs(alone.decision_function(Z))) / np.linalg.norm(alone.coef_)
        assert row["relative_distance"] == pytest.approx(held / tilt.centroid_margin, rel=1e-2)
        assert path.at(row["strength"]) == row
        assert row["strength"] / len(X) == path.model(row["strength"]).C


def test_weaker_regularisation_tilts_more_and_overfits():
    path = regularization_path(logistic, LEVELS, X, Y, Z, TARGET)
    assert path.table["angle"].is_sorted()
    best, weakest = path.at(path.best), path.at(LEVELS[-1])
    assert weakest["validation_error"] > best["validation_error"] + 0.03
    assert weakest["adversarial_strength"] > 1.5 * best["adversarial_strength"]


def test_the_recommended_level_is_the_strongest_within_a_standard_error():
    path = regularization_path(logistic, LEVELS, X, Y, Z, TARGET)
    errors = path.table["validation_error"].to_numpy()
    least = errors.min()
    allowed = least + np.sqrt(least * (1 - least) / len(Z))
    assert path.best == LEVELS[int(np.flatnonzero(errors == least)[0])]
    assert path.recommended == LEVELS[int(np.flatnonzero(errors <= allowed)[0])]
    assert path.recommended <= path.best


def test_a_path_without_errors_recommends_its_strongest_level():
    apart, labels = X + 20 * Y[:, None], Y
    path = regularization_path(logistic, LEVELS, apart, labels, apart, labels)
    assert path.best == path.recommended == path.table.filter(validation_error=0)["strength"][0]


def test_penalties_fall_and_models_without_a_warm_start_do_as_well():
    ridge = regularization_path(
        lambda alpha: RidgeClassifier(alpha=alpha), [1000.0, 1.0, 0.001], X, Y, Z, TARGET
    )
    assert ridge.table["angle"].is_sorted()
    svm = regularization_path(lambda c: LinearSVC(C=c / len(X)), [1.0, 100.0], X, Y, Z, TARGET)
    assert svm.table["angle"].is_sorted()


def test_a_warm_start_saves_iterations():
    levels = np.geomspace(1e3, 1.2e3, 4)
    path = regularization_path(logistic, levels, X, Y, Z, TARGET)
    cold = [int(logistic(c).fit(X, Y).n_iter_[0]) for c in levels]
    warm = [int(model.n_iter_[0]) for model in path.models]
    assert warm[0] == cold[0]
    assert sum(warm[1:]) < sum(cold[1:])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"strengths": [1.0, 1.0]}, "strengths must be different finite numbers, rising or"),
        ({"strengths": []}, "strengths must be different finite numbers"),
        ({"strengths": LEVELS[::-1]}, "from the strongest regularisation to the weakest; got"),
        ({"y": np.arange(200) % 3}, "y must hold exactly two classes; got 3"),
        ({"y_val": TARGET + 1}, r"y_val must hold the labels of y, \[0, 1\], only"),
        ({"y_val": TARGET[:3]}, r"y_val must be \(400,\), a label a row; got \(3,\)"),
        ({"X_val": Z[:, :3]}, "X must have 42 columns, as coef has; got 3"),
        ({"X": np.ones((200, 42))}, "those of 0 and 1 are identical"),
    ],
)
def test_what_is_refused(change, text):
    given = {"strengths": LEVELS, "X": X, "y": Y, "X_val": Z, "y_val": TARGET} | change
    with pytest.raises(ValueError, match=text):
        regularization_path(logistic, **given)


def test_an_unknown_level_is_named():
    path = regularization_path(logistic, [1.0, 10.0], X, Y, Z, TARGET)
    with pytest.raises(ValueError, match=r"strength must be one of \[1.0, 10.0\]; got 3"):
        path.at(3)
