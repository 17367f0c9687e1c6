"""The probe's loss is the theory's, members are their own runs, and features collapse."""

import numpy as np
import pytest
import torch

from overparam.diagnostics.collapsing_runs import (
    collapsing_ensemble,
    half_squared,
    train_to_collapse,
)


def rows(n=120, d=10, k=3):
    rng = np.random.default_rng(0)
    y = np.arange(n) % k
    return (4 * np.eye(k, d)[y] + rng.standard_normal((n, d))).astype(np.float32), y


def test_half_squared_is_half_the_squared_distance():
    logits, labels = torch.randn(2, 5, 3), torch.tensor([[0, 1, 2, 0, 1]] * 2)
    target = torch.eye(3)[labels]
    torch.testing.assert_close(half_squared(logits, labels), ((logits - target) ** 2).sum(-1) / 2)


def test_members_have_their_own_seed_and_decay():
    X, y = rows()
    together = collapsing_ensemble(10, 3, (16, 8), [0, 1])
    train_to_collapse(together, X, y, weight_decay=[0.0, 0.05], epochs=5)
    alone = collapsing_ensemble(10, 3, (16, 8), [1])
    train_to_collapse(alone, X, y, weight_decay=0.05, epochs=5)
    np.testing.assert_allclose(
        together.predict_logits(X)[1], alone.predict_logits(X)[0], rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize(("loss", "depth"), [("squared", 1), ("cross_entropy", 2)])
def test_features_collapse(loss, depth):
    X, y = rows()
    net = collapsing_ensemble(10, 3, (32, 16), [0], depth=depth, bias=loss == "cross_entropy")
    history = train_to_collapse(
        net, X, y, loss=loss, weight_decay=0.01, epochs=150, batch_size=30, layers=["body.3"]
    )
    nc1 = {
        name: history.curve("nc1_trace", "train", name).values[0] for name in ("body.3", "head.0")
    }
    assert nc1["head.0"][-1] < 0.1 * nc1["head.0"][0]
    assert nc1["head.0"][-1] < nc1["body.3"][-1]
    assert history.curve("accuracy", "train").values[0, -1] == 1
