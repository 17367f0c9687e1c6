import numpy as np
import pytest
import torch
from torch import nn

from overparam.diagnostics.run_measures import Fit, weight_norm

rng = np.random.default_rng(0)


def reading(fit, *batches):
    with fit.start(nn.Identity()) as one_pass:
        for outputs, targets in batches:
            one_pass.update(torch.as_tensor(outputs), torch.as_tensor(targets))
        return one_pass.finish()[""]


def test_fit_means_are_over_rows_not_batches():
    logits, y = rng.normal(size=(7, 3)), rng.integers(0, 3, 7)
    found = reading(Fit(), (logits[:2], y[:2]), (logits[2:], y[2:]))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    label = logits[np.arange(7), y]
    others = np.where(np.eye(3, dtype=bool)[y], -np.inf, logits).max(1)
    assert found["loss"] == pytest.approx(-np.log(p[np.arange(7), y]).mean(), rel=1e-12)
    assert found["accuracy"] == (logits.argmax(1) == y).mean()
    assert found["margin"] == pytest.approx((label - others).mean(), rel=1e-12)


@pytest.mark.parametrize("coding", [(0, 1), (-1, 1)])
@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_one_output_decides_by_its_sign(coding, shape):
    outputs = np.array([2.0, -1.0, 0.5, -3.0, 1.0, 0.0])
    y = np.where([True, True, False, False, True, True], coding[1], coding[0])
    found = reading(Fit(), (outputs.reshape(shape), y))
    margins = np.array([2.0, -1.0, -0.5, 3.0, 1.0, 0.0])
    assert found["accuracy"] == 0.5  # an output of 0 has decided nothing
    assert found["margin"] == pytest.approx(margins.mean())
    assert found["loss"] == pytest.approx(np.log1p(np.exp(-margins)).mean())


def test_numbers_have_a_squared_loss_and_no_accuracy():
    outputs, targets = rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    found = reading(Fit(), (outputs, targets))
    assert found == {"loss": pytest.approx(((outputs - targets) ** 2).mean())}
    one = reading(Fit(), (outputs[:, :1], targets[:, 0]))
    assert one["loss"] == pytest.approx(((outputs[:, 0] - targets[:, 0]) ** 2).mean())


def test_other_losses_on_labels():
    outputs, y = rng.normal(size=(4, 3)), np.array([0, 1, 2, 0])
    squared = reading(Fit("squared"), (outputs, y))
    assert squared["loss"] == pytest.approx(((outputs - np.eye(3)[y]) ** 2).mean())
    assert "accuracy" in squared
    own = reading(Fit(lambda z, t: z[:, 0] * t), (outputs, y))
    assert own["loss"] == pytest.approx((outputs[:, 0] * y).mean())


def test_an_unknown_loss_is_told_at_once():
    with pytest.raises(ValueError, match=r"loss must be one of .* got 'hinge'"):
        Fit("hinge")


def test_the_norm_is_that_of_what_is_trained():
    net = nn.Linear(3, 2)
    net.bias.requires_grad_(False)
    assert weight_norm(net) == pytest.approx(float(net.weight.detach().norm()), rel=1e-6)
    assert weight_norm(nn.Identity()) == 0.0
