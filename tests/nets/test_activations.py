import pickle

import pytest
import torch

from overparam.nets.activations import ACTIVATIONS, resolve_activation


@pytest.mark.parametrize("name", [*ACTIVATIONS, lambda z: z * torch.sigmoid(1.7 * z)])
def test_the_written_derivative_is_autograds(name):
    activation = resolve_activation(name)
    z = torch.linspace(-3.1, 3, 50, dtype=torch.float64, requires_grad=True)
    g = torch.linspace(1, 2, 50, dtype=torch.float64)
    a = activation.function(z)
    expected = torch.autograd.grad(a, z, g)[0]
    ours = activation.backward(g, z.detach(), a.detach())
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match=r"activation must be one of .*'relu'.*; got 'rely'"):
        resolve_activation("rely")


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_a_named_activation_is_pickled_by_its_name(name):
    assert pickle.loads(pickle.dumps(ACTIVATIONS[name])) is ACTIVATIONS[name]
