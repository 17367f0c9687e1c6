"""Padding is the narrow network, biases stay away, and training sets are what they say."""

import numpy as np
import pytest
import torch

from overparam.data.loading import load
from overparam.studies import high_dimensional_dynamics_nets as nets


@pytest.mark.parametrize("kind", ["a", "b"])
def test_a_padded_network_is_the_narrow_one(kind):
    """Alone and in a bucket, beside another seed: the same figures, to float32's rounding."""
    scale = {"a": 0.3, "b": 0.01}[kind]
    alone = nets.digit_networks([1], (4,), kind, scale, 60, 40)
    bucket = nets.digit_networks([0, 1], (2, 4, 9), kind, scale, 60, 40)
    for name, values in alone.items():
        assert bucket[name][1][1] == pytest.approx(values[0][0], rel=1e-3)


def test_padding_starts_and_stays_at_zero():
    build = nets.padded_mlp(6, 0.3, 0.3, True)
    net = build(64, 10, 2 * nets.SEEDS + 5)
    first, last = net.layers
    assert torch.count_nonzero(first.weight[2:]) == torch.count_nonzero(last.weight[:, 2:]) == 0
    assert torch.count_nonzero(first.weight[:2]) == 128
    assert torch.count_nonzero(first.bias) == torch.count_nonzero(last.bias) == 0
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        net(torch.randn(8, 64)).square().mean().backward()
        optimizer.step()
    assert torch.count_nonzero(first.weight[2:]) == torch.count_nonzero(last.weight[:, 2:]) == 0


def test_initial_scales():
    wide = nets.padded_mlp(4000, 0.3, 0.3, True)(64, 10, 4000 * nets.SEEDS)
    assert float(wide.layers[0].weight.detach().std()) == pytest.approx(
        0.3 * np.sqrt(2 / 64), rel=0.02
    )
    assert float(wide.layers[1].weight.detach().std()) == pytest.approx(
        0.3 / np.sqrt(4000), rel=0.02
    )
    plain = nets.padded_mlp(4000, np.sqrt(2), 0.01, False)(64, 10, 4000 * nets.SEEDS)
    assert float(plain.layers[0].weight.detach().std()) == pytest.approx(np.sqrt(2), rel=0.02)
    assert float(plain.layers[1].weight.detach().std()) == pytest.approx(
        0.01 / np.sqrt(4000), rel=0.02
    )


def test_kind_b_has_no_biases(monkeypatch):
    seen = []

    class Caught(nets.Ensemble):
        def fit(self, *arguments, **options):
            found = super().fit(*arguments, **options)
            seen.append({k: v.abs().max() for k, v in self.state.tensors().items() if "bias" in k})
            return found

    monkeypatch.setattr(nets, "Ensemble", Caught)
    nets.digit_networks([0], (3, 5), "b", 0.01, 30, 40)
    nets.digit_networks([0], (3, 5), "a", 0.3, 30, 40)
    without, with_biases = seen
    assert all(value == 0 for value in without.values())
    assert all(value > 0 for value in with_biases.values())


@pytest.mark.parametrize(("kind", "share"), [("a", 0.2), ("b", 0.18)])  # "b" may draw the truth
def test_labels_are_wrong_on_training_rows_only(kind, share):
    seeds = list(range(8))
    X, clean, train, targets = nets.noisy_digits(kind, seeds, 300)
    truth = load("digits").y
    np.testing.assert_array_equal(clean.argmax(1), truth)
    assert (train.sum(axis=1) == 300).all()
    wrong = targets.argmax(axis=2) != truth
    assert not (wrong & (train == 0)).any()
    assert wrong.sum() / 2400 == pytest.approx(share, abs=4 * 0.4 / np.sqrt(2400))
    assert len({tuple(row) for row in train}) == len(seeds)
    assert float(X.mean()) == pytest.approx(0, abs=1e-6)
    middle = 0.1 if kind == "b" else 0.0
    assert clean.max() == pytest.approx(1 - middle)


def test_figures_are_sums_over_outputs():
    """Hardly trained networks predict about 0: the error is the targets' sum of squares, 0.9."""
    found = nets.digit_networks([0], (8,), "b", 1e-6, 1, 40)
    assert found["late_mse"][0][0] == pytest.approx(0.9, abs=0.2)
    assert found["train_mse"][0][0] == pytest.approx(0.9, abs=0.2)
