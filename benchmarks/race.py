"""A race of two ways to the same answer: first do they agree, then who is faster, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom


@dataclass(frozen=True)
class Race:
    """Median of the paired ratios peer / ours with its interval, and the median seconds."""

    ratio: float
    low: float
    high: float
    level: float
    ours: float
    peer: float
    pairs: int

    def __str__(self) -> str:
        return (
            f"{self.ratio:6.2f}x  [{self.low:.2f}, {self.high:.2f}] at {self.level:.0%}"
            f"   ours {1e3 * self.ours:9.2f} ms   peer {1e3 * self.peer:9.2f} ms"
            f"   {self.pairs} pairs"
        )


def race(
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    *,
    agree: Mapping[str, float] | None,
    pairs: int = 9,
    name: str = "",
) -> Race:
    """Compare the answers, then alternate the two and print the median ratio of times.

    The answers' run is the warm-up; within a pair the order changes from pair to pair, so that a
    machine that slows down favours nobody.

    Parameters
    ----------
    ours, peer : callable
        Return an answer that NumPy can compare.
    agree : mapping or None
        Tolerances of `numpy.testing.assert_allclose`; None compares nothing (say why).
    pairs : int
        Number of paired runs, >= 5 for an interval at 90 % or more.
    name : str
        What the line starts with.

    Raises
    ------
    AssertionError
        If the answers differ.
    """
    a, b = ours(), peer()
    if agree is not None:
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), **agree)
    seconds = np.empty((pairs, 2))
    for pair in range(pairs):
        for who in (0, 1) if pair % 2 else (1, 0):
            start = time.perf_counter()
            (ours, peer)[who]()
            seconds[pair, who] = time.perf_counter() - start
    ratios = np.sort(seconds[:, 1] / seconds[:, 0])
    low, high, level = _median_ranks(pairs)
    ours_seconds, peer_seconds = np.median(seconds, axis=0)
    result = Race(
        ratio=float(np.median(ratios)),
        low=float(ratios[low]),
        high=float(ratios[high]),
        level=level,
        ours=float(ours_seconds),
        peer=float(peer_seconds),
        pairs=pairs,
    )
    print(f"{name:<52}{result}", flush=True)
    return result


def _median_ranks(n: int) -> tuple[int, int, float]:
    """The innermost order statistics that hold the median with probability 0.95, or the ends."""
    for low in range((n - 1) // 2, -1, -1):
        level = 1.0 - 2.0 * binom.cdf(low, n, 0.5)
        if level >= 0.95 or low == 0:
            return low, n - 1 - low, float(level)
    raise ValueError(f"pairs must be an integer >= 1; got {n!r}.")
