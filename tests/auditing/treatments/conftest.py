"""Two contexts of clear blobs that the tests of treatments share: one split, and three."""

from __future__ import annotations

import numpy as np
import pytest
from tests.auditing.known_data import blobs, flipped

from overparam.auditing.context import Context

FEW = {"width": 8, "epochs": 8}


@pytest.fixture
def context(make_context) -> Context:
    """Three noisy classes on one split."""
    X, y = blobs(240, 6, classes=3, distance=4.0)
    return make_context(X, flipped(y, 0.1)[0], net=FEW)


@pytest.fixture
def split_context(make_context) -> Context:
    """Two classes on three splits."""
    return make_context(*blobs(120, 4, distance=3.0), net=FEW, repeats=3)


@pytest.fixture
def regression(make_context) -> Context:
    """A noisy line."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 4)).astype(np.float32)
    return make_context(X, X[:, 0] + 0.1 * rng.standard_normal(120), net=FEW)
