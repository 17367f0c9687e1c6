"""The boundary of a linear classifier: a unit normal c and an offset c_0.

    signed distance of x:   <c, x> - c_0,      c = coef / |coef|,      c_0 = -intercept / |coef|
    mirror image:           x - 2 (<c, x> - c_0) c
    tilted by theta along z:
        c'   = cos(theta) c   + sin(theta) z
        c_0' = cos(theta) c_0 + sin(theta) <z, center>,      both divided by |c'|

(arXiv 1608.07690). A tilt changes the signed value of x by tan(theta) <z, x - center>, relative to
cos(theta): rows that do not vary along z keep their class, and come to lie close to the boundary.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.diagnostics.class_scatter import finite_rows


def mirror(X: Any, coef: Any, intercept: float) -> np.ndarray:
    """Return mirror images of rows through a linear boundary.

    The image lies at twice the least distance and is given the other class with the same score.

    Parameters
    ----------
    X : array-like of shape (n, d)
    coef : array-like of shape (d,)
    intercept : float

    Returns
    -------
    ndarray of shape (n, d)

    Raises
    ------
    ValueError
        If coef has norm zero, a number is not finite, or columns do not fit.

    Examples
    --------
    >>> mirror([[2.0, 1.0]], [3.0, 4.0], -5.0)
    array([[ 0.8, -0.6]])
    """
    normal, offset, _ = unit_normal(coef, intercept)
    rows = finite_rows(X, len(normal)).astype(np.float64)
    return rows - 2 * np.outer(rows @ normal - offset, normal)


def tilt_along(
    coef: Any, intercept: float, direction: Any, angle: float, center: Any
) -> tuple[np.ndarray, float]:
    """Tilt a linear boundary along a direction, around a centre.

    Parameters
    ----------
    coef : array-like of shape (d,)
    intercept : float
    direction : array-like of shape (d,)
        Of any length; take one orthogonal to the line of the class means, in which the data
        hardly vary (`flattest_direction`).
    angle : float
        Degrees.
    center : array-like of shape (d,)
        The middle between the class means, say: where it lies along `direction`, nothing changes.

    Returns
    -------
    coef : ndarray of shape (d,)
        Of the norm of the given one.
    intercept : float

    Raises
    ------
    ValueError
        If coef or direction has norm zero, the tilted normal vanishes, a number is not finite, or
        lengths differ.

    Examples
    --------
    >>> coef, intercept = tilt_along([1.0, 0.0], 0.5, [0.0, 1.0], 90, [3.0, 2.0])
    >>> coef.round(12), round(intercept, 12)
    (array([0., 1.]), -2.0)
    """
    *_, norm = unit_normal(coef, intercept)
    w = np.asarray(coef, dtype=np.float64)
    z, middle = (np.asarray(v, dtype=np.float64) for v in (direction, center))
    for name, vector in (("direction", z), ("center", middle)):
        if vector.shape != w.shape or not np.isfinite(vector).all():
            raise ValueError(f"{name} must be {len(w)} finite numbers; got shape {vector.shape}.")
    if not np.isfinite(angle):
        raise ValueError(f"angle must be a finite number of degrees; got {angle!r}.")
    length = np.linalg.norm(z)
    if length == 0:
        raise ValueError("direction must have a norm above zero; got zeros.")
    z = z / length
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    tilted = cos * w + sin * norm * z
    moved = cos * intercept - sin * norm * float(z @ middle)
    size = float(np.linalg.norm(tilted))
    if size <= 1e-12 * norm:
        raise ValueError("direction must not turn the normal to zero; got one opposite to coef.")
    return tilted * (norm / size), float(moved * (norm / size))


def unit_normal(coef: Any, intercept: Any) -> tuple[np.ndarray, float, float]:
    """Return c (d,), c_0 and the norm of coef.

    Raises
    ------
    ValueError
        If coef is not a vector of finite numbers with a norm above zero.
    """
    w, level = np.asarray(coef, dtype=np.float64), np.asarray(intercept, dtype=np.float64)
    if w.ndim != 1 or level.ndim != 0:
        raise ValueError(
            f"coef must be (d,) and intercept one number; got shapes {w.shape} and {level.shape}."
        )
    if not (np.isfinite(w).all() and np.isfinite(level)):
        raise ValueError("coef and intercept must be finite; got NaN or infinite numbers.")
    norm = float(np.linalg.norm(w))
    if norm == 0:
        raise ValueError("coef must have a norm above zero; got zeros: it bounds nothing.")
    return w / norm, float(-level / norm), norm


def coefficients(classifier: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return coef (r, d) and intercept (r,) of an estimator or of a pair of arrays.

    Raises
    ------
    ValueError
        If it is neither, or the two do not fit.
    """
    if hasattr(classifier, "coef_") and hasattr(classifier, "intercept_"):
        coef, intercept = classifier.coef_, classifier.intercept_
    elif isinstance(classifier, tuple | list) and len(classifier) == 2:
        coef, intercept = classifier
    else:
        raise ValueError(
            "classifier must be a fitted estimator with coef_ and intercept_, or a pair (coef, "
            f"intercept); got {type(classifier).__name__}."
        )
    w = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    level = np.atleast_1d(np.asarray(intercept, dtype=np.float64))
    if level.size == 1 < len(w):  # fitted without an intercept: scikit-learn keeps a single 0
        level = np.full(len(w), level.item())
    if w.ndim != 2 or level.shape != (len(w),):
        raise ValueError(
            "classifier must have one intercept for each row of coef; got shapes "
            f"{w.shape} and {level.shape}."
        )
    if not (np.isfinite(w).all() and np.isfinite(level).all()):
        raise ValueError("classifier must have finite coef and intercept; got NaN or infinity.")
    return w, level
