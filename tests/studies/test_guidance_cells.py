"""What the cells train: pairs that differ by the guide alone, conditions that are what they say."""

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score

from overparam.studies import guidance_cells as cells
from overparam.studies.guidance_cells import Runs, convolutions, fully_connected, kappa

SIZES = {"source": "digits", "n": 128, "test": 60, "seed": 0, "batch": 64}


def weights_after(conditions, epochs=2):
    """First-layer weights (M, width, pixels) of three layers of 8 after training."""
    runs = Runs(conditions, SIZES, 3, 8)
    runs.train(epochs, [])
    return runs.net.weights[0].detach()


def assert_same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_neighbours_do_not_matter():
    [alone] = weights_after(["none"])
    untrained, none, _ = weights_after(["untrained", "none", "trained"])
    assert_same(none, alone)
    assert (untrained - none).abs().max() > 1e-3


def test_a_guided_start_ends(monkeypatch):
    limits = {"untrained start": ("untrained", 0), "trained start": ("trained", 10**6)}
    monkeypatch.setattr(cells, "GUIDED", cells.GUIDED | limits)
    names = ["none", "untrained start", "trained", "trained start"]
    none, untrained, trained, start = weights_after(names)
    assert_same(untrained, none)
    assert_same(start, trained)
    assert (trained - none).abs().max() > 1e-3


def test_alignment_alone_sees_no_labels_and_distillation_adds_the_guide():
    runs = Runs(["none", "distilled", "alignment alone"], SIZES, 3, 8)
    labels = torch.nn.functional.one_hot(runs.data.y, 10).float()
    assert torch.equal(runs.targets[0], labels)
    torch.testing.assert_close(runs.targets[1].sum(1), torch.full((128,), 2.0))
    assert not runs.targets[2].any()
    before = runs.net.weights[-1].detach().clone()
    runs.train(1, [])
    assert torch.equal(runs.net.weights[-1][2], before[2])  # the logits' layer is not aligned
    assert not torch.equal(runs.net.weights[0][2], runs.net.weights[0][0])


def test_a_guide_that_sees_noise_and_one_of_the_targets_kind():
    runs = Runs(["noise", "network of its kind"], SIZES, 3, 8)
    assert runs.guides["noise"].noise
    assert list(runs.guides["fcn"].similarities(None, torch.arange(8))) == ["0", "3", "6"]


@pytest.mark.parametrize("group", ["trained pair", "controls"])
def test_figures_of_a_group(group):
    sizes = SIZES | {"depth": 3, "width": 8, "measured": (1, 2)}
    found = fully_connected(group, **sizes)
    assert all(np.isfinite(value) for value in found.values())
    if group == "controls":
        assert "noise nll@1" in found
        assert "alignment alone@2" in found
        assert "alignment alone@1" not in found
    else:
        assert found["kappa low"] <= found["kappa trained"] - found["kappa none"]
        assert found["kappa trained"] - found["kappa none"] <= found["kappa high"]
        assert 0 < found["guide"] <= 1


def test_same_arguments_same_figures():
    sizes = SIZES | {"depth": 3, "width": 8, "measured": (2,)}
    assert fully_connected("headline", **sizes) == fully_connected("headline", **sizes)


def test_the_kept_guide_stays_without_hooks():
    guide = cells.trained_guide("digits", 128, 60, 0, 64)
    Runs(["trained"], SIZES, 3, 8).train(1, [])
    assert guide is cells.trained_guide("digits", 128, 60, 0, 64)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in guide.modules())


def test_kappa_is_cohens():
    rng = np.random.default_rng(0)
    a, b = (rng.random((2, 50)) < 0.7).astype(float)
    assert kappa(a, b, 0) == pytest.approx(cohen_kappa_score(a, b))
    np.testing.assert_allclose(kappa(np.stack([a, b]), np.stack([b, b]), 1)[1], 1)


def test_convolutions_with_and_without_a_guide():
    sizes = SIZES | {"depth": 3, "channels": 4, "guide_epochs": 1, "measured": (1, 2)}
    plain, guided = (convolutions(flag, **sizes) for flag in (False, True))
    assert set(plain) == {"accuracy@1", "nll@1", "accuracy@2", "nll@2"}
    assert plain["nll@2"] != guided["nll@2"]
