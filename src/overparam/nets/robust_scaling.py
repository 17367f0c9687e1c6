"""Robust scaling of columns with smooth clipping.

    s = (x - median) / spread            spread = interquartile range
    y = s / sqrt(1 + (s / 3)^2)          within (-3, 3), nearly s where |s| < 1

An outlier moves neither the median nor the spread, and cannot leave (-3, 3), yet keeps its order
(Holzmueller, Grinsztajn & Steinwart 2024, "Better by default").
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_LIMIT = 3.0


class SmoothRobustScaling(nn.Module):
    """Scale each column by its median and interquartile range, then clip smoothly to (-3, 3).

    Parameters
    ----------
    n_columns : int
        Until `fit` the centre is 0 and the spread 1.
    """

    center: Tensor
    spread: Tensor

    def __init__(self, n_columns: int) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(n_columns))
        self.register_buffer("spread", torch.ones(n_columns))

    def fit(self, X: Any) -> SmoothRobustScaling:
        """Take centre and spread from rows (n, n_columns); a constant column maps to 0."""
        values = np.asarray(X, dtype=np.float64)
        low, q1, median, q3, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1], axis=0)
        # Over half of a column may be one value (counts, indicators): half its range serves then.
        spread = np.where(q3 > q1, q3 - q1, (high - low) / 2)
        self.center.copy_(torch.as_tensor(median))
        self.spread.copy_(torch.as_tensor(np.where(spread > 0, spread, np.inf)))
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Scaled columns, in (-3, 3), of the shape of x (B, n_columns)."""
        return scaled(x, self.center, self.spread)


def scaled(x: Tensor, center: Tensor, spread: Tensor) -> Tensor:
    """The two formulas of this file; arguments broadcast."""
    s = (x - center) / spread
    return s * torch.rsqrt(1 + (s / _LIMIT).square())
