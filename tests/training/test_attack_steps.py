"""Balls and steepest steps."""

import pytest
import torch

from overparam.training.attack_steps import (
    over_rows,
    project,
    random_perturbation,
    row_norms,
    steepest,
)


@pytest.fixture
def rows():
    return torch.randn(200, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_projection_is_the_nearest_point_of_the_ball(norm, rows):
    radius = 1.5
    near = project(rows, norm, radius)
    assert row_norms(near, norm).max() <= radius * (1 + 1e-12)
    inside = row_norms(rows, norm) <= radius
    assert torch.equal(near[inside], rows[inside])
    # Nearest: no other point of the ball makes an acute angle at it.
    other = random_perturbation(rows, norm, radius, torch.Generator().manual_seed(1))
    assert ((rows - near) * (other - near)).flatten(1).sum(1).max() <= 1e-12


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_the_steepest_step_gains_the_dual_norm(norm, dual, rows):
    step = steepest(rows, norm)
    torch.testing.assert_close(row_norms(step, norm), torch.ones(200, dtype=torch.float64))
    gain = (step * rows).flatten(1).sum(1)
    torch.testing.assert_close(gain, torch.linalg.vector_norm(rows.flatten(1), dual, dim=1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_flat_rows_do_not_move(norm):
    assert not steepest(torch.zeros(2, 3), norm).any()
    assert not project(torch.zeros(2, 3), norm, 1.0).any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_starts_are_uniform_in_the_ball(norm):
    start = random_perturbation(torch.zeros(20_000, 2), norm, 2.0, torch.Generator().manual_seed(0))
    assert row_norms(start, norm).max() <= 2.0 + 1e-6
    inner = (row_norms(start, norm) < 1.0).double().mean()
    assert inner == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 20_000) ** 0.5)  # volume, 4 se


def test_a_number_a_row_multiplies_rows_of_any_shape(rows):
    doubled = rows * over_rows(torch.full((200,), 2.0), rows)
    assert torch.equal(doubled, 2 * rows)


def test_an_unknown_norm_is_named(rows):
    with pytest.raises(ValueError, match=r"norm must be one of \('linf', 'l2'\); got 'l1'\."):
        row_norms(rows, "l1")
