"""The cell that estimates how far the classes of a split overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overparam.auditing.net_cells import SplitKey
from overparam.data.dataset import Dataset
from overparam.diagnostics.neighbour_overlap import label_overlap


def overlap(
    dataset: Dataset, split: Mapping[str, int], noise_share: float, seed: int
) -> dict[str, Any]:
    """Cell: estimate, `low` and `high` of the overlap among a split's training rows."""
    train = SplitKey(**split).of(dataset).train
    value, low, high = label_overlap(train.flat, train.y, noise_share=noise_share, seed=seed)
    return {"value": value, "low": low, "high": high}
