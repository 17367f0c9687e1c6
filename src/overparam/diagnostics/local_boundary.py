"""How close the boundary of any differentiable classifier lies, and how it is turned there.

The local form of the deviation angle (arXiv 1608.07690). From a row x of predicted class k DeepFool
walks to the boundary with some class l; with class means mu of the data,

    distance               |p - x|                           p: the point on the boundary
    relative distance      |p - x| / (|mu_l - mu_k| / 2)
    local angle            between grad(f_l - f_k) at p and mu_l - mu_k

For a linear classifier of two classes these are the distance to the boundary and the deviation
angle (above 90 degrees where its normal points the wrong way).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.diagnostics.attacks.attacked_classifier import attacking, logits_of, rows_for
from overparam.diagnostics.attacks.deepfool import boundary_points
from overparam.diagnostics.class_scatter import ClassScatter


@dataclass(frozen=True)
class LocalTilt:
    """The nearest boundary of each row; rows that never crossed it are NaN, their class -1.

    Attributes
    ----------
    distance, relative_distance, local_angle : ndarray (n,)
        The angle in degrees, 0 to 180.
    crossed_to, label : ndarray (n,), int
        Class behind the boundary and predicted class of the row.
    points : ndarray (n, ...)
        Just behind the boundary; the row itself where it was not reached.
    """

    distance: np.ndarray
    relative_distance: np.ndarray
    local_angle: np.ndarray
    crossed_to: np.ndarray
    label: np.ndarray
    points: np.ndarray

    @property
    def not_crossed(self) -> int:
        """Rows whose class did not change within the steps."""
        return int((self.crossed_to < 0).sum())

    @property
    def median_distance(self) -> float:
        """Over rows that crossed; NaN if none did."""
        return _median(self.distance)

    @property
    def median_relative_distance(self) -> float:
        """Over rows that crossed; NaN if none did."""
        return _median(self.relative_distance)

    @property
    def median_angle(self) -> float:
        """Degrees, over rows that crossed; NaN if none did."""
        return _median(self.local_angle)


def local_tilt(
    module: nn.Module,
    X: Any,
    y: Any,
    n_classes: int,
    *,
    means: Any = None,
    max_steps: int = 50,
    candidates: int | None = None,
    batch_size: int = 128,
) -> LocalTilt:
    """Measure how close a network's boundary lies to rows, and how it is turned there.

    Parameters
    ----------
    module : nn.Module
        Gives logits (n, n_classes), or one logit for two classes. It is run in evaluation mode.
    X : array or Tensor of shape (n, ...)
        Rows as the module takes them.
    y : array of shape (n,)
        Labels 0 .. n_classes - 1; each must occur, unless `means` are given.
    n_classes : int
    means : array of shape (n_classes, ...), optional
        Class means of the training rows; by default those of X and y.
    max_steps, candidates, batch_size : int
        As in `diagnostics.attacks.boundary_points`.

    Returns
    -------
    LocalTilt

    Raises
    ------
    ValueError
        If labels or means do not fit, the module's logits are not n_classes, or a number is not
        finite.

    Notes
    -----
    The cost is that of DeepFool (some steps of one forward and n_classes - 1 backward passes) and
    one more backward pass.

    Examples
    --------
    >>> line = nn.Linear(2, 2)
    >>> _ = line.load_state_dict(
    ...     {"weight": torch.tensor([[0.0, 0.0], [3.0, 4.0]]), "bias": torch.zeros(2)}
    ... )
    >>> found = local_tilt(line, np.float32([[1.0, 0.5], [-1.0, -0.5]]), [1, 0], 2)
    >>> found.distance.round(3), found.relative_distance.round(3)
    (array([1., 1.]), array([0.894, 0.894]))
    """
    x = rows_for(module, X)
    labels = np.asarray(y)
    if labels.shape != (len(x),) or not np.isin(labels, np.arange(n_classes)).all():
        raise ValueError(
            f"y must be ({len(x)},) labels 0 to {n_classes - 1}; got shape {labels.shape}."
        )
    centres = _class_means(x, labels, n_classes, means)
    with attacking(module):
        with torch.no_grad():
            k = logits_of(module, x[:1]).shape[1]
        if k != n_classes:
            raise ValueError(f"n_classes must be the module's {k}; got {n_classes}.")
    found = boundary_points(
        module, x, max_steps=max_steps, candidates=candidates, batch_size=batch_size
    )
    normals = _normals(module, found.points, found.label, found.crossed_to, batch_size)
    label, other = found.label.cpu().numpy(), found.crossed_to.cpu().numpy()
    distance = found.distance.double().cpu().numpy()
    ways = centres[other] - centres[label]  # class -1 takes some mean: its distance is NaN
    length = np.linalg.norm(ways, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cos = (normals * ways).sum(axis=1) / (np.linalg.norm(normals, axis=1) * length)
        relative = 2 * distance / length
    angle = np.degrees(np.arccos(np.clip(cos, -1, 1)))
    angle[other < 0] = np.nan
    return LocalTilt(distance, relative, angle, other, label, found.points.cpu().numpy())


def _class_means(x: Tensor, labels: np.ndarray, n_classes: int, means: Any) -> np.ndarray:
    """Flat means (n_classes, d) in double precision."""
    width = x[0].numel()
    if means is None:
        scatter = ClassScatter(x.flatten(1).cpu().numpy(), labels)
        if len(scatter.classes) != n_classes:
            raise ValueError(
                f"y must hold each of {n_classes} classes; got {scatter.classes.tolist()}. Give "
                "means, the class means of the training rows."
            )
        return scatter.means
    centres = np.asarray(means, dtype=np.float64)
    if len(centres) != n_classes or centres.size != n_classes * width:
        raise ValueError(
            f"means must be ({n_classes}, ...) like a row of X; got shape {centres.shape}."
        )
    if not np.isfinite(centres).all():
        raise ValueError("means must be finite; got NaN or infinite numbers.")
    return centres.reshape(n_classes, width)


def _normals(
    module: nn.Module, points: Tensor, label: Tensor, other: Tensor, batch_size: int
) -> np.ndarray:
    """Gradients of f_l - f_k at points (n, d)."""
    found = []
    with attacking(module):
        for at, k, l in zip(  # noqa: E741  the symbols of the method
            points.split(batch_size),
            label.split(batch_size),
            other.clamp(min=0).split(batch_size),
            strict=True,
        ):
            at = at.detach().requires_grad_()
            f = logits_of(module, at)
            gap = f.gather(1, l[:, None]) - f.gather(1, k[:, None])
            found.append(torch.autograd.grad(gap.sum(), at)[0].flatten(1))
    return torch.cat(found).double().cpu().numpy()


def _median(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")
