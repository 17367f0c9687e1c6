"""The Square attack's random changes, each row in windows of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from overparam.diagnostics.attacks.attacked_classifier import clipped
from overparam.diagnostics.attacks.perturbation_set import PerturbationSet

_TINY = 1e-12


class Boxes:
    """Changes in the linf ball: entries are at one of its two ends.

    `best` (b, channels, h w) is changed in place and put right by `settle`: a query then costs
    the window, not the image.
    """

    def __init__(self, allowed: PerturbationSet, generator: torch.Generator) -> None:
        self.shape = image_shape(allowed.x)
        self.low, self.high = (
            ends.reshape(len(ends), self.shape[0], -1) for ends in (allowed.low, allowed.high)
        )
        self.generator = generator
        self.best = self.low.clone()

    def start(self) -> Tensor:
        """Stripes along the columns, of random sign."""
        c, h, w = self.shape
        up = _coins((len(self.best), c, 1, w), self.best, self.generator) > 0
        up = up.expand(-1, -1, h, -1).reshape(self.best.shape)
        self.best = torch.where(up, self.high, self.low)
        self._change: tuple[Tensor, Tensor, Tensor] | None = None
        return self.best

    def propose(self, share: float) -> Tensor:
        """One window of every row goes to one end, a channel at a time up or down."""
        height, width = window(self.shape, share, least=1)
        where = _places(self.shape, height, width, self.best, self.generator)
        up = _coins((len(self.best), self.shape[0], 1), self.best, self.generator) > 0
        old = self.best.gather(2, where)
        new = torch.where(up, self.high.gather(2, where), self.low.gather(2, where))
        self.best.scatter_(2, where, new)
        self._change = where, new, old
        return self.best

    def settle(self, better: Tensor) -> None:
        """Keep the last change where it was better (b,)."""
        if self._change is not None:
            where, new, old = self._change
            self.best.scatter_(2, where, torch.where(better[:, None, None], new, old))

    def only(self, kept: Tensor) -> None:
        """Go on with some of the rows."""
        self.low, self.high, self.best = self.low[kept], self.high[kept], self.best[kept]


class Bumps:
    """Changes on the l2 sphere: bumps, half up and half down, moved from window to window."""

    def __init__(self, allowed: PerturbationSet, generator: torch.Generator) -> None:
        self.shape = image_shape(allowed.x)
        self.radius, self.box, self.generator = allowed.radius, allowed.box, generator
        self.row_shape = allowed.x.shape[1:]
        self.x = allowed.x.reshape(len(allowed.x), self.shape[0], -1)
        self.best = self._next = self.x

    def start(self) -> Tensor:
        """Five by five bumps (along a run of entries, five), each of random sign."""
        c, h, w = self.shape
        height, width = max(h // 5, 1), max(w // 5, 1)
        tiled = self.x.new_zeros((len(self.x), c, h, w))
        for i in range((h % height) // 2, h - height + 1, height):
            for j in range((w % width) // 2, w - width + 1, width):
                signs = _coins((len(self.x), c, 1, 1), self.x, self.generator)
                bump = self._bump(height, width).view(height, width)
                tiled[:, :, i : i + height, j : j + width] = signs * bump
        self.best = self._next = self._placed(tiled.view(self.x.shape))
        return self.best

    def propose(self, share: float) -> Tensor:
        """Empty one window into another, with a bump added; total length is kept."""
        height, width = window(self.shape, share, least=3)
        first, second = (
            _places(self.shape, height, width, self.x, self.generator) for _ in range(2)
        )
        change = self.best - self.x
        before = change.square().sum(2, keepdim=True)  # (b, c, 1)
        unused = (self.radius**2 - before.sum(1, keepdim=True)).clamp(min=0) / self.shape[0]
        there = change.gather(2, first)
        signs = _coins(before.shape, self.x, self.generator)
        new = signs * self._bump(height, width) + there / (_norm(there) + _TINY)
        change.scatter_(2, second, 0.0).scatter_(2, first, 0.0)
        freed = (before - change.square().sum(2, keepdim=True)).clamp(min=0)
        change.scatter_(2, first, new / (_norm(new) + _TINY) * (freed + unused).sqrt())
        self._next = self._placed(change)
        return self._next

    def settle(self, better: Tensor) -> None:
        """Keep the last change where it was better (b,)."""
        self.best = torch.where(better[:, None, None], self._next, self.best)

    def only(self, kept: Tensor) -> None:
        """Go on with some of the rows."""
        self.x, self.best = self.x[kept], self.best[kept]

    def _placed(self, change: Tensor) -> Tensor:
        """x plus a change stretched to the sphere, within the bounds."""
        lengths = change.flatten(1).norm(dim=1)[:, None, None]
        moved = self.x + change * (self.radius / (lengths + _TINY))
        return clipped(moved.view(-1, *self.row_shape), self.box).reshape(self.x.shape)

    def _bump(self, height: int, width: int) -> Tensor:
        """Pattern (height width,) of norm 1; square ones lie or stand at random."""
        pattern = bump(height, width).to(self.x)
        if height == width and bool(
            torch.rand((), generator=self.generator, device=self.x.device) > 0.5
        ):
            pattern = pattern.T
        return pattern.reshape(-1)


def image_shape(x: Tensor) -> tuple[int, int, int]:
    """Channels, height and width as which rows are changed."""
    shape = tuple(x.shape[1:])
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    if len(shape) == 2:
        return 1, shape[0], shape[1]
    return 1, 1, math.prod(shape)


def window(shape: tuple[int, int, int], share: float, least: int) -> tuple[int, int]:
    """Height and width of a window with a share of the area, at least `least` a side.

    Bumps (`least` > 1) have odd sides, so that they have a middle.
    """
    _, h, w = shape
    side = share * h * w if min(h, w) == 1 else math.sqrt(share * h * w)
    side = max(round(side), least)
    if least > 1 and side % 2 == 0:
        side += 1
    return min(side, h), min(side, w)


def bump(height: int, width: int) -> Tensor:
    """Two opposite pyramids side by side, of norm 1.

    An entry t cells (in the larger of the two directions) from a pyramid's middle is the sum of
    1 / (k + 1)^2 over k >= t.
    """
    left = width // 2
    halves = [_pyramid(height, left), -_pyramid(height, width - left)]
    both = torch.cat(halves, dim=1)
    return both / both.norm()


def _pyramid(height: int, width: int) -> Tensor:
    rows, columns = torch.arange(height) - height // 2, torch.arange(width) - width // 2
    away = torch.maximum(rows.abs()[:, None], columns.abs()[None])
    layers = 1 / torch.arange(1, max(height // 2, width // 2) + 2, dtype=torch.float64) ** 2
    return layers.flip(0).cumsum(0).flip(0)[away]


def _places(
    shape: tuple[int, int, int],
    height: int,
    width: int,
    like: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Flat indices (b, channels, height width) of a random window in each row."""
    c, h, w = shape
    device = like.device
    top, left = (
        torch.randint(0, room + 1, (len(like), 1), generator=generator, device=device)
        for room in (h - height, w - width)
    )
    inside = torch.arange(height, device=device)[:, None] * w + torch.arange(width, device=device)
    where = top * w + left + inside.reshape(1, -1)
    return where[:, None].expand(-1, c, -1)


def _coins(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """+1 or -1."""
    heads = torch.randint(0, 2, shape, generator=generator, device=like.device)
    return (2 * heads - 1).to(like.dtype)


def _norm(windows: Tensor) -> Tensor:
    return windows.norm(dim=2, keepdim=True)
