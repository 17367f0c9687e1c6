"""Small nets trained to the end: they are, the wide ones follow the kernel; their data."""

import numpy as np
import pytest
import torch

from overparam.studies import deep_learning_theory_kernel_cells as measured
from overparam.studies.deep_learning_theory_nets import StackedNets


def test_digits_are_centred_scaled_and_of_the_pair():
    X, y, test = measured.pair_of_digits(0, 300, 57)
    assert X.shape == (300, 64)
    assert test.shape == (57, 64)
    assert set(y) == {-1.0, 1.0}
    assert (X**2).mean() == pytest.approx(1)
    assert np.abs(np.concatenate([X, test]).mean(axis=0)).max() < 1e-12
    other, _, _ = measured.pair_of_digits(1, 300, 57)
    assert (X[0] != other[0]).any()


def test_fits_stop_at_the_tolerance_and_members_that_are_done_rest():
    data = [measured.pair_of_digits(seed, 6, 2) for seed in (0, 1)]
    X, y = (torch.tensor(np.stack([each[k] for each in data])) for k in (0, 1))
    nets = StackedNets((64, 32, 1), "tanh", [0, 1], 1.0, dtype=torch.float64)
    largest = torch.linalg.eigvalsh(nets.tangent_kernel(X))[:, -1]
    steps = measured.fit(nets, X, y, 1 / largest)
    error = (nets.forward(X).z[-1][..., 0] - y).square().mean(1)
    assert (error <= measured.CLOSE).all()
    assert (error > 0.3 * measured.CLOSE).all()
    assert (steps > 0).all()


def test_what_is_not_fitted_is_an_error(monkeypatch):
    monkeypatch.setattr(measured, "TOO_MANY", 3)
    with pytest.raises(RuntimeError, match="a net is not fitted after 3 steps"):
        measured.fitted_nets("tanh", 2, 8, 6, 4, False, [0])


def test_wide_nets_move_less_and_are_nearer_to_theory_and_to_each_other():
    narrow, wide = (
        measured.fitted_nets("relu", 2, width, 6, 20, True, [0, 1, 2, 3]) for width in (16, 512)
    )
    for name in ("kernel_change", "from_theory", "from_quarter"):
        assert wide[name].mean() < 0.6 * narrow[name].mean()
        assert wide[name].shape == (4,)
    assert wide["from_theory"].mean() < 0.2


def test_only_relu_has_the_kernel_in_closed_form():
    found = measured.fitted_nets("tanh", 2, 16, 6, 4, False, [0])
    assert set(found) == {"kernel_change", "steps"}


def test_relative_distances_are_by_member():
    a, b = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[0.0, 4.0], [2.0, 0.0]])
    np.testing.assert_allclose(measured.relative(a, b), [0.75, 0.5])
