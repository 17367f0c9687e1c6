"""What an ensemble is fitted on, checked and moved to the device once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Targets:
    """Targets of n rows, shared by all members or one set a member.

    Attributes
    ----------
    values : Tensor
        Labels, integers (n,) or (M, n); or numbers (n, k) or (M, n, k). With `places` where a row
        has several labels, as a text has, there are as many axes more before the k.
    per_member : bool
        Whether `values` has a leading member axis.
    """

    values: Tensor
    per_member: bool

    @property
    def labels(self) -> bool:
        """Whether the targets are class labels."""
        return not self.values.is_floating_point()

    def at(self, members: Tensor, rows: Tensor) -> Tensor:
        """Targets (G, B[, k]) of `members` (G,) at their `rows` (G, B); labels as int64."""
        if self.per_member:
            found = self.values[members[:, None], rows]
        else:
            found = self.values.index_select(0, rows.flatten()).unflatten(0, rows.shape)
        return found.long() if self.labels else found

    def one_hot(self, n_outputs: int, dtype: torch.dtype) -> Targets:
        """The labels as distributions over `n_outputs` classes."""
        coded = torch.nn.functional.one_hot(self.values.long(), n_outputs).to(dtype)
        return Targets(coded, self.per_member)


@dataclass(frozen=True)
class Examples:
    """Rows x (n, ...), their targets, and the weights (M, n) of each member or None."""

    x: Tensor
    targets: Targets
    weights: Tensor | None


def as_features(
    X: Any,
    name: str,
    device: torch.device,
    dtype: torch.dtype,
    shape: torch.Size | None = None,
    *,
    tokens: bool = False,
) -> Tensor:
    """Features (n, ...) as a finite tensor; `tokens` stay the integers that they are.

    Tokens on a CPU are not copied: they may be a view of a file that is larger than the memory.

    Raises
    ------
    ValueError
        If X has no rows, fewer than two dimensions, another row shape than `shape`, or entries
        that are NaN or infinite, or not integers where tokens are wanted.
    """
    x = X if isinstance(X, Tensor) else torch.as_tensor(X if tokens else np.ascontiguousarray(X))
    if x.dim() < 2 or len(x) == 0:
        raise ValueError(f"{name} must have shape (n, ...) with n >= 1; got {tuple(x.shape)}.")
    if shape is not None and x.shape[1:] != shape:
        raise ValueError(
            f"{name} must have rows of shape {tuple(shape)}, as in fit; got {tuple(x.shape[1:])}."
        )
    if tokens:
        if x.is_floating_point() or x.dtype == torch.bool:
            raise ValueError(f"{name} must hold tokens, which are integers; got {x.dtype}.")
        return x.to(device)
    x = x.to(device, dtype)
    # A sum overflows or turns NaN with any bad entry; the exact look is taken only then.
    if not torch.isfinite(x.sum()) and not torch.isfinite(x).all():
        bad = int((~torch.isfinite(x.flatten(1))).any(1).nonzero()[0])
        raise ValueError(f"{name} must be finite; got NaN or infinity, first in row {bad}.")
    return x


def as_targets(
    y: Any,
    name: str,
    n: int,
    members: int,
    n_outputs: int,
    loss: Any,
    device: torch.device,
    dtype: torch.dtype,
    places: tuple[int, ...] = (),
) -> Targets:
    """Labels (n,) or (M, n) where they are integers; else numbers, soft targets included.

    Integer labels under a loss of numbers ("squared", "huber") become one-hot vectors when there
    are several outputs. With `places` a row has one label for each, (n, *places), or one for all.
    Targets of a loss that is a function may be numbers of any shape (n, ...) or (M, n, ...).

    Raises
    ------
    ValueError
        If lengths do not fit, labels are outside 0 .. n_outputs - 1, or numbers are not finite.
    """
    t = torch.as_tensor(y if isinstance(y, Tensor) or places else np.ascontiguousarray(y))
    t = t.to(device)
    numeric_loss = loss in ("squared", "huber")
    if not t.is_floating_point() and not (numeric_loss and n_outputs == 1):
        targets = _as_labels(t, name, n, members, n_outputs, places)
        return targets.one_hot(n_outputs, dtype) if numeric_loss else targets
    return _as_numbers(t.to(dtype), name, n, members, n_outputs, loss, places)


def _as_labels(
    t: Tensor, name: str, n: int, members: int, n_outputs: int, places: tuple[int, ...]
) -> Targets:
    if places and t.shape in ((n, *places), (members, n, *places)):
        per_member = t.dim() > 1 + len(places)
    elif t.shape in ((n,), (members, n)):
        per_member = t.dim() == 2
    else:
        each = f", or one a token, ({n}, {places[0]})" if places else ""
        raise ValueError(
            f"{name} must have one label per row, shape ({n},) or ({members}, {n}){each}; "
            f"got {tuple(t.shape)}."
        )
    low, high = int(t.min()), int(t.max())
    if low < 0 or high >= n_outputs:
        raise ValueError(
            f"{name} must have labels in 0 .. {n_outputs - 1} for n_outputs={n_outputs}; "
            f"got {low if low < 0 else high}."
        )
    return Targets(t, per_member)


def _as_numbers(
    t: Tensor, name: str, n: int, members: int, k: int, loss: Any, places: tuple[int, ...]
) -> Targets:
    if loss == "cross_entropy" and t.shape in ((n,), (members, n)):
        raise ValueError(
            f"{name} must be integer labels or soft targets (n, {k}) for loss='cross_entropy'; "
            f"got numbers of shape {tuple(t.shape)}."
        )
    if k == 1 and t.shape in ((n,), (members, n)):
        t = t.unsqueeze(-1)
    shared, own = [(n, k), (n, *places, k)], [(members, n, k), (members, n, *places, k)]
    if t.shape not in (*shared, *own) and not (
        callable(loss) and (len(t) == n or t.shape[:2] == (members, n))
    ):
        raise ValueError(
            f"{name} must have shape ({n}, {k}) or ({members}, {n}, {k}); got {tuple(t.shape)}."
        )
    if not torch.isfinite(t.sum()) and not torch.isfinite(t).all():
        raise ValueError(f"{name} must be finite; got NaN or infinity.")
    return Targets(t, per_member=t.shape in own or (t.shape not in shared and len(t) != n))


def as_weights(
    weights: Any, name: str, n: int, members: int, device: torch.device, dtype: torch.dtype
) -> Tensor | None:
    """Example weights (M, n), scaled to mean 1 over each member's rows of positive weight.

    Raises
    ------
    ValueError
        If the shape does not fit, a weight is negative or not finite, or a member has no row.
    """
    if weights is None:
        return None
    w = torch.as_tensor(np.asarray(weights, dtype=np.float64))
    if w.shape == (n,):
        w = w.expand(members, n)
    if w.shape != (members, n):
        raise ValueError(f"{name} must have shape ({members}, {n}); got {tuple(w.shape)}.")
    if not torch.isfinite(w).all() or (w < 0).any():
        raise ValueError(f"{name} must be finite and >= 0; got {float(w.min())}.")
    count = (w > 0).sum(1)
    if (count == 0).any():
        empty = int((count == 0).nonzero()[0])
        raise ValueError(f"{name} must leave each member a row; got none for member {empty}.")
    return (w * (count / w.sum(1))[:, None]).to(device, dtype)


def as_counts(**counts: int | None) -> None:
    """Check that every argument is None or an integer >= 1.

    Raises
    ------
    ValueError
        If one is not.
    """
    for name, value in counts.items():
        if value is not None and (value != int(value) or value < 1):
            raise ValueError(f"{name} must be an integer >= 1; got {value!r}.")


def as_numbers(value: Any, name: str, members: int, low: float, high: float) -> tuple[float, ...]:
    """A scalar or vector of length M as a tuple of M numbers in [low, high].

    Raises
    ------
    ValueError
        If the length is wrong or a number lies outside the range.
    """
    numbers = np.asarray(value, dtype=float)
    if numbers.shape not in ((), (members,)):
        raise ValueError(
            f"{name} must be a number or {members} numbers, one a member; "
            f"got shape {numbers.shape}."
        )
    numbers = np.broadcast_to(numbers, (members,))
    accepted = np.isfinite(numbers) & (numbers >= low) & (numbers <= high)
    if not accepted.all():
        wrong = numbers[~accepted][0]
        text = f">= {low:g}" if np.isinf(high) else f"in [{low:g}, {high:g}]"
        raise ValueError(f"{name} must be finite and {text}; got {wrong}.")
    return tuple(float(v) for v in numbers)
