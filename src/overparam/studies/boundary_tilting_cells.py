"""What the linear claims of `boundary_tilting` rest on: logistic regressions and SVMs on pairs.

The axis of regularisation is c: scikit-learn's C is c / n, so that the objective is the mean loss
plus |w|^2 / (2c) and levels mean the same for every n. Pixels lie in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from overparam.data.loading import load
from overparam.diagnostics.class_scatter import ClassScatter, flattest_direction
from overparam.diagnostics.deviation_angle import Tilt, boundary_tilt
from overparam.diagnostics.linear_boundary import mirror, tilt_along
from overparam.diagnostics.tilt_path import regularization_path

SUP_NORM = 0.02  # C4: change of each pixel
NEAR = 10.0  # degrees: "near delta = 0"
Part = tuple[np.ndarray, np.ndarray]


def image_pair(source: str, pair: str, sizes: Sequence[int], seed: int) -> list[Part]:
    """Parts (X, y) of so many rows of the two classes named in "first/second"; y is 0 or 1."""
    images = load(source)
    assert images.array is not None
    codes = [images.classes.index(name) for name in pair.split("/")]
    rows = np.flatnonzero(np.isin(images.y, codes))
    if len(rows) < sum(sizes):
        raise ValueError(f"sizes must sum to at most {len(rows)} rows; got {sum(sizes)}.")
    rows = np.random.default_rng(seed).permutation(rows)[: sum(sizes)]
    X = images.array[rows].reshape(len(rows), -1) / float(images.array.max())
    y = (images.y[rows] == codes[1]).astype(int)
    ends = np.cumsum(sizes)[:-1]
    return list(zip(np.split(X, ends), np.split(y, ends), strict=True))


def logistic(c: float, n: int) -> LogisticRegression:
    """Fitted to the end by Newton's method: angles are then the objective's, not the solver's."""
    return LogisticRegression(C=c / n, solver="newton-cholesky", tol=1e-8, max_iter=300)


def line_of(model: Any) -> tuple[np.ndarray, float]:
    """Coefficients and intercept of a fitted binary classifier."""
    return model.coef_[0], float(model.intercept_[0])


def margin_identity(source: str, pair: str, rows: int, normals: int, seed: int) -> dict[str, Any]:
    """C1: d_C over all rows against d_B cos(delta), at random normals, angles and intercepts.

    Also the mean over correctly classified rows only, which is something else.
    """
    [(X, y)] = image_pair(source, pair, [rows], seed)
    rng = np.random.default_rng([seed, 1])
    scatter = ClassScatter(X, y)
    gap = scatter.gap()
    b, d_B = gap / np.linalg.norm(gap), np.linalg.norm(gap) / 2
    angles, all_rows, correct = [], [], []
    for turn in np.radians(rng.uniform(0, 90, normals)):
        u = rng.standard_normal(len(b))
        u -= (u @ b) * b
        c = np.cos(turn) * b + np.sin(turn) * u / np.linalg.norm(u)
        c_0 = float(np.median(X @ c)) + rng.normal() * d_B
        angles.append(boundary_tilt((c, -c_0), X, y, components=False).deviation_angle)
        signed = X @ c - c_0
        all_rows.append((signed[y == 1].mean() - signed[y == 0].mean()) / 2)
        inside = signed - np.median(signed)  # a boundary that has rows of both classes right
        right = (inside > 0) == (y == 1)
        correct.append(np.abs(inside[right]).mean())
    ratio, degrees = np.array(all_rows) / d_B, np.array(angles)
    part = np.array(correct) / d_B
    return {
        "worst": float(np.abs(ratio - np.cos(np.radians(degrees))).max()),
        "correct_only": float(part[degrees < NEAR].mean()),
        "angle": degrees,
        "all_rows": ratio,
        "correct_rows": part,
    }


def tilted_twins(
    source: str,
    pair: str,
    sizes: Sequence[int],
    c: float,
    place: float,
    theta: Sequence[float],
    seed: int,
) -> dict[str, Any]:
    """C2 and C8: a logistic regression tilted by each theta; figures on test rows, a list each.

    `place` is the direction's place in the within-class spectrum, counted from the flat end; 0 is
    the flattest one of all.
    """
    (X, y), (Z, t) = image_pair(source, pair, sizes, seed)
    model = logistic(c, len(X)).fit(X, y)
    scatter = ClassScatter(X, y)
    z = direction_at(scatter, place)
    coef, intercept = line_of(model)
    center, d_B = scatter.means.mean(axis=0), np.linalg.norm(scatter.gap()) / 2
    before = model.predict(Z)
    found: dict[str, list[float]] = {name: [] for name in TWIN}
    for angle in theta:
        w, level = tilt_along(coef, intercept, z, angle, center)
        tilt = boundary_tilt((w, level), X, y, components=False)
        score = Z @ w + level
        inside = np.linalg.norm(w - (w @ z) * z)
        figures = (
            tilt.deviation_angle,
            tilt.adversarial_strength,
            float(((score > 0) == t).mean()),
            float(((score > 0) == t).mean() - (before == t).mean()),
            float(((score > 0) == before).mean()),
            float(np.median(np.abs(score)) / np.linalg.norm(w) / d_B),
            float(np.median(np.abs(score)) / inside / d_B),
            float((Z @ z).std()),
        )
        for name, figure in zip(TWIN, figures, strict=True):
            found[name].append(figure)
    return dict(found)


TWIN = (
    "angle",
    "strength",
    "accuracy",
    "change",
    "same",
    "distance",
    "inside",
    "test_spread",
)


def direction_at(scatter: ClassScatter, place: float) -> np.ndarray:
    """A within-class component at a share of the spectrum from its flat end, orthogonal to b."""
    if place == 0:
        return flattest_direction(scatter.X, scatter.codes)[0]
    vectors = scatter.components[1]
    z = vectors[:, round((1 - place) * (vectors.shape[1] - 1))]
    gap = scatter.gap()
    z = z - (z @ gap) / (gap @ gap) * gap
    return z / np.linalg.norm(z)


def tilted_plane(
    source: str, pair: str, sizes: Sequence[int], c: float, theta: float, seed: int, shown: int
) -> dict[str, Any]:
    """The plane of a normal and the flattest direction, in units of d_B: rows and mirror images.

    Both boundaries go through the origin; a row's distance to either depends on the plane alone.
    """
    (X, y), (Z, t) = image_pair(source, pair, sizes, seed)
    coef, intercept = line_of(logistic(c, len(X)).fit(X, y))
    scatter = ClassScatter(X, y)
    z, center = flattest_direction(X, y)[0], scatter.means.mean(axis=0)
    d_B = float(np.linalg.norm(scatter.gap()) / 2)
    w, level = tilt_along(coef, intercept, z, theta, center)
    e = coef - (coef @ z) * z
    e /= np.linalg.norm(e)
    normals = [np.array([v @ e, v @ z]) / np.linalg.norm(v) for v in (coef, w)]
    rows = Z[:shown]
    images = mirror(rows, w, level)
    # The origin: on the untilted boundary, at the height of the centre.
    origin = -(intercept + (coef @ z) * (z @ center)) / (coef @ e)
    plane = [
        np.column_stack([part @ e - origin, (part - center) @ z]) / d_B for part in (rows, images)
    ]
    return {
        "rows": plane[0],
        "images": plane[1],
        "label": t[:shown],
        "normal": normals[0],
        "tilted_normal": normals[1],
    }


def taxonomy(
    source: str, pair: str, sizes: Sequence[int], c: float, theta: float, seed: int
) -> dict[str, Any]:
    """C9: the type of a logistic regression and of the nearest-centroid classifier's tilted twin.

    Both are fitted on training rows and judged on test rows.
    """
    (X, y), (Z, t) = image_pair(source, pair, sizes, seed)
    scatter = ClassScatter(X, y)
    gap, center = scatter.gap(), scatter.means.mean(axis=0)
    fitted = line_of(logistic(c, len(X)).fit(X, y))
    own = boundary_tilt(fitted, Z, t, means=scatter.means, components=False)
    w, level = tilt_along(gap, -gap @ center, flattest_direction(X, y)[0], theta, center)
    twin = boundary_tilt((w, level), Z, t, means=scatter.means, components=False)
    changed = ((Z @ w + level > 0) != ((Z - center) @ gap > 0)).sum()
    return {
        "angle": own.deviation_angle,
        "type": own.type,
        "accuracy": own.accuracy,
        "centroid_accuracy": own.centroid_accuracy,
        "gain_error": own.gain_error,
        "twin_angle": twin.deviation_angle,
        "twin_type": twin.type,
        "twin_changed": int(changed),
    }


def half_images(side: int, rows: int, c: float, seed: int) -> dict[str, Any]:
    """C3: noise in the left half and black in the right one, or the reverse; `rows` a class."""
    rng = np.random.default_rng([seed, side])

    def draw() -> Part:
        y = np.repeat([0, 1], rows)
        images = np.zeros((2 * rows, side, side))
        half = side // 2
        noise = rng.random((2 * rows, side, half))
        images[y == 0, :, :half] = noise[y == 0]
        images[y == 1, :, side - half :] = noise[y == 1]
        return images.reshape(2 * rows, -1), y

    (X, y), (Z, t) = draw(), draw()
    model = LogisticRegression(C=c / len(X), tol=1e-8, max_iter=5000).fit(X, y)
    tilt = boundary_tilt(model, Z, t, means=ClassScatter(X, y).means, components=False)
    images = mirror(Z, *line_of(model)).reshape(-1, side, side)
    brighter = images[:, :, side - side // 2 :].mean((1, 2)) > images[:, :, : side // 2].mean(
        (1, 2)
    )
    return {
        "angle": tilt.deviation_angle,
        "accuracy": tilt.accuracy,
        "distance": tilt.relative_distance,
        "mirrored": float((brighter != t).mean()),
    }


def enlarged_images(
    source: str,
    pair: str,
    sizes: Sequence[int],
    c: float,
    factor: int,
    scaled: bool,
    seed: int,
) -> dict[str, Any]:
    """C4: pixels repeated `factor` times each way; `scaled` divides c by factor^2."""
    parts = image_pair(source, pair, sizes, seed)
    (X, y), (Z, t) = ((enlarge(part, factor), labels) for part, labels in parts)
    level = c / factor**2 if scaled else c
    model = LogisticRegression(C=level / len(X), tol=1e-7, max_iter=20_000).fit(X, y)
    tilt: Tilt = boundary_tilt(model, X, y, components=False)
    coef, intercept = line_of(model)
    signed = (2 * t - 1) * (Z @ coef + intercept)
    return {
        "angle": tilt.deviation_angle,
        "error": float((signed <= 0).mean()),
        "attacked_error": float((signed <= SUP_NORM * np.abs(coef).sum()).mean()),
        "iterations": int(model.n_iter_[0]),
    }


def enlarge(X: np.ndarray, factor: int) -> np.ndarray:
    """Square images (n, d) with every pixel repeated."""
    side = round(np.sqrt(X.shape[1]))
    images = X.reshape(-1, side, side)
    return images.repeat(factor, axis=1).repeat(factor, axis=2).reshape(len(X), -1)


def strength_path(
    model: str, source: str, pair: str, sizes: Sequence[int], c: Sequence[float], seed: int
) -> dict[str, Any]:
    """C5: angle, strength and errors at each c, a list each; the best level by validation rows."""
    (X, y), (V, v), (Z, t) = image_pair(source, pair, sizes, seed)

    def make(level: float) -> Any:
        if model == "logistic":
            return logistic(level, len(X))
        return LinearSVC(C=level / len(X), dual=False, tol=1e-6, max_iter=20_000)

    path = regularization_path(make, c, X, y, V, v)
    tests = [float(1 - fitted.score(Z, t)) for fitted in path.models]
    angles = path.table["angle"].to_numpy()
    best = list(c).index(path.best)
    strengths = path.table["adversarial_strength"].to_numpy()
    return {
        "order": float(spearmanr(c, angles).statistic),
        "best": path.best,
        "recommended": path.recommended,
        "best_strength": strengths[best],
        "weakest_strength": strengths[-1],
        "best_test_error": tests[best],
        "weakest_test_error": tests[-1],
        "level": np.array(c),
        "angle": angles,
        "strength": strengths,
        "validation_error": path.table["validation_error"].to_numpy(),
        "training_error": path.table["training_error"].to_numpy(),
        "test_error": np.array(tests),
    }
