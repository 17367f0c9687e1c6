"""The networks of the study: He's start, decay and distance, two perturbations of a row."""

import numpy as np
import pytest
import torch

from overparam.diagnostics.deviation_angle import boundary_tilt
from overparam.studies.boundary_tilting_cells import image_pair, logistic
from overparam.studies.boundary_tilting_nets import (
    cosines,
    decayed_networks,
    he_network,
    logistic_loss,
    two_perturbations,
)

NETS = {"source": "digits", "rows": 600, "test_rows": 400, "walked": 60, "width": 64, "epochs": 30}


def test_weights_start_at_hes_variance():
    torch.manual_seed(0)
    first = he_network((400, 300))(200, 10, 0).layers[0]
    assert float(first.weight.detach().std()) == pytest.approx(np.sqrt(2 / 200), rel=0.02)
    assert not first.bias.any()


def test_decay_moves_the_boundary_away():
    found = decayed_networks(decay=[0.0, 3e-2], seed=0, **NETS)
    assert found["accuracy"][0] > 0.9
    assert found["distance"][1] > 1.15 * found["distance"][0]
    assert found["not_crossed"] == [0, 0]


def test_a_level_of_decay_does_not_depend_on_its_neighbours():
    together = decayed_networks(decay=[0.0, 1e-2], seed=1, **NETS)
    alone = decayed_networks(decay=[1e-2], seed=1, **NETS)
    assert alone["distance"][0] == pytest.approx(together["distance"][1], rel=1e-3)


def test_the_logistic_loss_is_that_of_torch():
    z, t = torch.randn(3, 5, 1), torch.randint(0, 2, (3, 5, 1)).float()
    peer = torch.nn.functional.binary_cross_entropy_with_logits(z, t, reduction="none")
    torch.testing.assert_close(logistic_loss(z, t), peer[..., 0])


def test_perturbations_of_both_models_lie_on_the_same_rows():
    found = two_perturbations(
        "digits", "3/8", (178, 178), 100.0, width=32, epochs=40, walked=150, kept=20, seed=0
    )
    assert found["network_accuracy"] > 0.95
    assert 120 < found["rows"] <= 150
    [(X, y), _] = image_pair("digits", "3/8", (178, 178), 0)
    table = boundary_tilt(logistic(100.0, 178).fit(X, y), X, y).tilt_by_component
    assert found["linear_outside"] == pytest.approx(table["squared_cosine"][20:].sum(), rel=1e-6)
    assert found["not_crossed"] == 0
    for name in ("linear_outside", "network_outside", "cosine", "linear_to_means"):
        assert 0 < found[name] < 1
    # A network's least perturbation is along its own normal, the more so the more it is linear.
    assert found["cosine"] > 0.5
    assert found["network_distance"] < 1.5
    assert found["linear_flips"] > 0.5


def test_cosines_of_rows():
    a = np.array([[1.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(cosines(a, np.array([2.0, 0.0])), [1, np.sqrt(0.5)])
    np.testing.assert_allclose(cosines(a, a[::-1]), np.sqrt(0.5) * np.ones(2))
