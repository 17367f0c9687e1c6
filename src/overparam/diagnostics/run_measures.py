"""What may be measured of a network while it trains, in one pass over the rows of a split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from overparam.training.losses import resolve_loss

# layer -> quantity -> value; the layer "" is the whole network.
Readings = Mapping[str, Mapping[str, float]]


class Pass(Protocol):
    """One pass over a split, batch by batch."""

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take what the network gave for a batch (it has just run), and the batch's targets."""
        ...

    def finish(self) -> Readings:
        """What the pass has found."""
        ...


class Measure(Protocol):
    """Something to be measured on every split, whenever a run is recorded."""

    def start(self, module: nn.Module) -> AbstractContextManager[Pass]:
        """A pass over a network in evaluation mode; layers may be hooked until it ends."""
        ...


class Fit:
    """Mean loss and, where targets are integer labels, accuracy and mean margin.

    The margin is the label's output minus the largest other one. A network with one output and
    labels in {0, 1} or {-1, 1} decides by the sign: its margin is the output times that sign and
    its loss by default log(1 + exp(-margin)).

    Parameters
    ----------
    loss : {"cross_entropy", "squared", "huber"} or callable, optional
        As in `training.Ensemble`; a callable maps outputs (B, k) and targets to values (B,). By
        default cross-entropy for labels and squared error for numbers.

    Raises
    ------
    ValueError
        If the loss is unknown.
    """

    def __init__(self, loss: str | Callable[[Tensor, Tensor], Tensor] | None = None) -> None:
        if isinstance(loss, str):
            resolve_loss(loss)  # an unknown name is told now, not after an epoch
        self.loss = loss

    @contextmanager
    def start(self, module: nn.Module) -> Iterator[Pass]:
        """See `Measure`."""
        yield _FitPass(self.loss)


class _FitPass:
    def __init__(self, loss: str | Callable[[Tensor, Tensor], Tensor] | None) -> None:
        self._loss = loss
        self._sums: dict[str, float] = {}
        self._rows = 0

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        outputs = outputs.flatten(1) if outputs.dim() > 1 else outputs[:, None]
        found = {"loss": self._losses(outputs, targets)}
        if not targets.is_floating_point():
            margin = margins(outputs, targets)
            found |= {"accuracy": (margin > 0).to(outputs.dtype), "margin": margin}
        for name, values in found.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(values.double().sum())
        self._rows += len(outputs)

    def finish(self) -> Readings:
        return {"": {name: total / self._rows for name, total in self._sums.items()}}

    def _losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of each row (B,)."""
        if callable(self._loss):
            return self._loss(outputs, targets)
        labels = not targets.is_floating_point()
        if labels and outputs.shape[1] == 1 and self._loss in (None, "cross_entropy"):
            return nn.functional.softplus(-margins(outputs, targets))
        name = self._loss or ("cross_entropy" if labels else "squared")
        if labels and name != "cross_entropy":
            coded = nn.functional.one_hot(targets.long(), outputs.shape[1]).to(outputs.dtype)
        elif labels:
            coded = targets.long()
        else:
            coded = targets.reshape(outputs.shape)
        return resolve_loss(name)(outputs[None], coded[None], None).values[0]


def margins(outputs: Tensor, targets: Tensor) -> Tensor:
    """The label's output minus the largest other (B,), differentiable; ties have 0, as if wrong."""
    if outputs.shape[1] == 1:
        return torch.where(targets.flatten() > 0, 1.0, -1.0) * outputs[:, 0]
    labels = targets.long()[:, None]
    others = outputs.scatter(1, labels, -torch.inf)
    return outputs.gather(1, labels)[:, 0] - others.amax(1)


def weight_norm(module: nn.Module) -> float:
    """Euclidean norm of all trained parameters."""
    squares = [p.detach().double().square().sum() for p in module.parameters() if p.requires_grad]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0
