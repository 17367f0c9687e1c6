"""The nearest boundary by DeepFool (arXiv 1511.04599), then bisected (arXiv 1608.07690).

For a row x of predicted class k, at the current point, with w_l = grad(f_l - f_k):

    l     = argmin_l  |f_l - f_k| / |w_l|_*                       | |_* is the dual norm
    step  = (|f_l - f_k| + overshoot) / |w_l|_*  *  steepest(w_l)

until the class changes; then bisection of the segment from x. With the l2 norm the step is
(|f_l - f_k| + overshoot) / |w_l|^2 * w_l.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from overparam.diagnostics.attacks.adversarial import check_settings
from overparam.diagnostics.attacks.attacked_classifier import (
    Bounds,
    Classifier,
    attacking,
    bounds_for,
    clipped,
    laid_out,
    logits_of,
    rows_for,
)
from overparam.training.attack_steps import Norm, over_rows, row_norms, steepest


@dataclass(frozen=True)
class BoundaryPoints:
    """Where each row meets the boundary of its predicted class; tensors on the module's device.

    Attributes
    ----------
    points : Tensor of shape (n, ...)
        Just behind the boundary; the row itself where it was not reached.
    crossed_to : Tensor of shape (n,), int
        Predicted class at `points`; -1 where the boundary was not reached.
    label : Tensor of shape (n,), int
        Predicted class of the row.
    distance : Tensor of shape (n,)
        Norm of points - X; NaN where the boundary was not reached.
    crossed : Tensor of shape (n,), bool
        Whether the class changed within `max_steps`.
    """

    points: Tensor
    crossed_to: Tensor
    label: Tensor
    distance: Tensor
    crossed: Tensor


def boundary_points(
    module: nn.Module,
    X: Any,
    *,
    max_steps: int = 50,
    overshoot: float = 1e-5,
    bisections: int = 20,
    candidates: int | None = None,
    norm: Norm = "l2",
    bounds: Any = None,
    batch_size: int = 256,
) -> BoundaryPoints:
    """Find a near point across the boundary of each row's predicted class.

    Parameters
    ----------
    module : nn.Module
        Gives logits (n, K), or one logit z for classes 0 (z <= 0) and 1.
    X : array or Tensor of shape (n, ...)
        Floating-point rows, as the module takes them.
    max_steps : int
        Most linearisations a row.
    overshoot : float
        Added to the difference of logits that a step closes.
    bisections : int
        Halvings of the segment between the row and where its class changed. 20 leave a millionth
        of its length; the distance can only become shorter.
    candidates : int, optional
        Consider only so many classes, those with the largest logits at the row itself after the
        predicted one; all K - 1 by default. The cost of a step is in proportion.
    norm : {"l2", "linf"}
        In which the linearised step is the shortest.
    bounds : pair, optional
        Least and greatest input, numbers or arrays that broadcast over a row. Steps are clipped
        to them.
    batch_size : int
        Rows at a time.

    Returns
    -------
    BoundaryPoints

    Raises
    ------
    ValueError
        If an argument is outside what is accepted, or X is not finite.

    Notes
    -----
    A step costs a forward pass and one backward pass a candidate of the rows that have not
    crossed; the bisection `bisections` forward passes. The distance is that to a boundary
    *nearby*: an upper limit of the least distance, exact for a linear module in the l2 norm
    (linf too).

    Examples
    --------
    >>> line = nn.Linear(2, 2)
    >>> _ = line.load_state_dict(
    ...     {"weight": torch.tensor([[0.0, 0.0], [3.0, 4.0]]), "bias": torch.zeros(2)}
    ... )
    >>> found = boundary_points(line, [[1.0, 0.5], [-2.0, -1.0]])
    >>> [round(d, 3) for d in found.distance.tolist()], found.crossed_to.tolist()
    ([1.0, 2.0], [0, 1])
    """
    check_settings(norm, 0.0, max_steps=max_steps, batch_size=batch_size)
    check_search(overshoot, bisections, candidates)
    x = rows_for(module, X)
    box = bounds_for(bounds, x)
    search = Search(max_steps, overshoot, bisections, candidates, norm)
    with attacking(module):
        classifier = laid_out(module, x)
        found = [search.block(classifier, rows, box)[0] for rows in x.split(batch_size)]
    return BoundaryPoints(
        *(
            torch.cat([getattr(each, name) for each in found])
            for name in BoundaryPoints.__dataclass_fields__
        )
    )


@dataclass(frozen=True)
class Search:
    """Settings of `boundary_points`, for a block of rows at a time."""

    max_steps: int
    overshoot: float
    bisections: int
    candidates: int | None
    norm: Norm

    def block(self, module: Classifier, x: Tensor, box: Bounds) -> tuple[BoundaryPoints, Tensor]:
        """Boundary points of rows, and the forward passes (n,) that each of them took."""
        with torch.no_grad():
            first = logits_of(module, x)
        label = first.argmax(1)
        rivals = _rivals(first, label, self.candidates)
        ends, crossed, passes = self._walk(module, x, label, rivals, box)
        points, crossed_to = x.clone(), torch.full_like(label, -1)
        distance = x.new_full((len(x),), torch.nan)
        if crossed.any():
            where = crossed.nonzero().flatten()
            near, classes = self._bisect(module, x[where], ends[where], label[where], box)
            points[where], crossed_to[where] = near, classes
            distance[where] = row_norms(near - x[where], self.norm)
            passes[where] += self.bisections
        return BoundaryPoints(points, crossed_to, label, distance, crossed), passes

    def _walk(
        self, module: Classifier, x: Tensor, label: Tensor, rivals: Tensor, box: Bounds
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Where each row ends, whether its class changed, and its forward passes."""
        ends, passes = x.clone(), torch.ones_like(label)
        crossed = torch.zeros_like(label, dtype=torch.bool)
        rows = torch.arange(len(x), device=x.device)
        at = x
        for taken in range(self.max_steps + 1):
            if taken:
                with torch.no_grad():
                    away = logits_of(module, at).argmax(1) != label[rows]
                passes[rows] += 1
                gone = rows[away]
                ends[gone], crossed[gone] = at[away], True
                rows, at = rows[~away], at[~away]
            if not len(rows) or taken == self.max_steps:
                break
            step, moves = self._step(module, at, label[rows], rivals[rows])
            # Where every rival's gradient is zero or not finite there is nowhere to go.
            rows, at = rows[moves], clipped(at[moves] + step[moves], box)
        return ends, crossed, passes

    def _step(
        self, module: Classifier, at: Tensor, label: Tensor, rivals: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The step to the nearest linearised boundary, and which rows have one."""
        at = at.detach().requires_grad_()
        f = logits_of(module, at)
        own = f.gather(1, label[:, None])
        gaps = f.gather(1, rivals) - own  # (b, candidates)
        least = at.new_full((len(at),), torch.inf)
        normal = torch.zeros_like(at)
        # The nearest so far is kept instead of the Jacobian: 2 arrays in place of K - 1.
        for j in range(rivals.shape[1]):
            last = j == rivals.shape[1] - 1
            (w,) = torch.autograd.grad(gaps[:, j].sum(), at, retain_graph=not last)
            length = torch.linalg.vector_norm(w.flatten(1), 2 if self.norm == "l2" else 1, dim=1)
            ratio = (gaps[:, j].detach().abs() + self.overshoot) / length
            nearer = (ratio < least) & (length > 0)
            least = torch.where(nearer, ratio, least)
            normal = torch.where(over_rows(nearer, at), w, normal)
        moves = torch.isfinite(least)
        return steepest(normal, self.norm) * over_rows(least, at), moves

    def _bisect(
        self, module: Classifier, x: Tensor, ends: Tensor, label: Tensor, box: Bounds
    ) -> tuple[Tensor, Tensor]:
        """The outer end of the bisected segment from x, and its class."""
        low, high = x.new_zeros(len(x)), x.new_ones(len(x))
        direction = ends - x

        def at(share: Tensor) -> Tensor:
            return clipped(x + over_rows(share, x) * direction, box)

        with torch.no_grad():
            classes = logits_of(module, ends).argmax(1)
            for _ in range(self.bisections):
                middle = (low + high) / 2
                now = logits_of(module, at(middle)).argmax(1)
                away = now != label
                high, low = torch.where(away, middle, high), torch.where(away, low, middle)
                classes = torch.where(away, now, classes)
        # At share 1 the very point that was tried: x + (end - x) may round back across.
        points = torch.where(over_rows(high == 1, x), ends, at(high))
        return points, classes


def _rivals(logits: Tensor, label: Tensor, candidates: int | None) -> Tensor:
    """Classes (n, candidates) other than the label, largest logit first."""
    most = logits.shape[1] - 1
    others = logits.scatter(1, label[:, None], -torch.inf)
    return others.topk(most if candidates is None else min(candidates, most), dim=1).indices


def check_search(overshoot: float, bisections: int, candidates: int | None) -> None:
    """Errors of the settings that `boundary_points` shares with the attack."""
    least = {"bisections": (bisections, 0), "candidates": (candidates, 1)}
    for name, (value, lowest) in least.items():
        if (name, value) != ("candidates", None) and not (
            isinstance(value, int) and value >= lowest
        ):
            raise ValueError(f"{name} must be an integer >= {lowest}; got {value!r}.")
    if not overshoot >= 0:
        raise ValueError(f"overshoot must be a number >= 0; got {overshoot!r}.")
