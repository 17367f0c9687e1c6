"""Contexts whose plans are small enough for a test, and whole audits that tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.auditing.known_data import blobs, mixed_rows
from tests.auditing.small_plan import audited, small_plan

from overparam.auditing.budget import Ledger
from overparam.auditing.context import Context
from overparam.auditing.metric import choose_metric
from overparam.auditing.outcome import Audit
from overparam.data.dataset import Dataset
from overparam.data.loading import load
from overparam.evidence.cells import settings

MakeContext = Callable[..., Context]
FEW = {"width": 8, "epochs": 8}


@pytest.fixture
def make_context(tmp_path: Path) -> Iterator[MakeContext]:
    """A function from (X, y) or a Dataset to a Context whose cells run in this process."""

    def make(X: Any, y: Any = None, *, metric: str | None = None, **changes: Any) -> Context:
        dataset = X if isinstance(X, Dataset) else load(X, y)
        chosen = choose_metric(dataset, metric)
        plan = small_plan(dataset, metric=chosen.name, **changes)
        return Context(dataset, plan, chosen, Ledger(plan.budget))

    with settings(store=tmp_path / "cells", backend="sequential", progress=False):
        yield make


@pytest.fixture(scope="session")
def table_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mixed table as a CSV."""
    path = tmp_path_factory.mktemp("data") / "pets.csv"
    mixed_rows().write_csv(path)
    return path


@pytest.fixture(scope="session")
def table_audit(tmp_path_factory: pytest.TempPathFactory, table_csv: Path) -> Audit:
    """Numbers, categories, missing values, missing labels; two classes on three splits."""
    folder = tmp_path_factory.mktemp("table")
    return audited(folder, str(table_csv), "kind", net={"net": "tabular", **FEW}, repeats=3)


@pytest.fixture(scope="session")
def number_audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """A regression on an array."""
    X, _ = blobs(160, 4, distance=1.0)
    y = 10 + 5 * X[:, 0].astype(float)
    return audited(tmp_path_factory.mktemp("number"), X, y, net=FEW)


@pytest.fixture(scope="session")
def image_audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Images, of which the bright half tells the class."""
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    images = rng.integers(0, 120, (150, 8, 8)).astype(np.uint8)
    images[y == 1, :4] += 100
    images[y == 2, 4:] += 100
    net = {"net": "convolutional", "width": 2, "epochs": 4}
    return audited(tmp_path_factory.mktemp("image"), images, y, net=net)
