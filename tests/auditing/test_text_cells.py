"""Ensembles of all subsets have the losses of their members together."""

import numpy as np
import pytest
import torch

from overparam.auditing.text_cells import restored, subsets, text_model, together
from overparam.nets.tiny_gpt import TinyGPT

HELD = np.random.default_rng(0).integers(0, 20, 64 * 9)


def scattered(seed):
    net = TinyGPT(20, 32, seed=seed)
    torch.nn.init.normal_(net.head.weight, std=0.5)
    return torch.nn.utils.parameters_to_vector(net.parameters()).detach().numpy()


def test_every_subset_is_the_average_of_its_members():
    weights = np.stack([scattered(s) for s in range(3)])
    found = subsets(HELD, 20, 32, weights)["losses"]
    assert found.shape == (7, 9)
    for i in range(1, 8):
        nets = [restored(weights[m], 20, 32) for m in range(3) if i >> m & 1]
        wanted = together(nets, HELD).window_losses(HELD)
        np.testing.assert_allclose(found[i - 1], wanted, rtol=1e-5)
    assert found[6].mean() < found[[0, 1, 3]].mean()


def test_a_model_is_scored_on_all_held_out_windows():
    found = text_model(HELD, HELD, 20, 32, weight_decay=0.1, passes=2, seed=3)
    again = restored(found["weights"], 20, 32)
    assert found["losses"].shape == (9,)
    np.testing.assert_allclose(found["losses"], together([again], HELD).window_losses(HELD))
    assert found["losses"].mean() == pytest.approx(np.log(20), abs=0.5)
