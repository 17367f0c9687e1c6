"""Activations: names, functions of arrays and of tensors, their derivatives, recognised slopes."""

import numpy as np
import pytest
import torch

from overparam.theory.elementwise import NAMED, elementwise

Z = np.array([-3.1, -0.7, -0.02, 0.01, 0.4, 2.3])


@pytest.mark.parametrize("name", sorted(NAMED))
def test_derivatives_are_those_of_the_functions(name):
    s, h = NAMED[name], 1e-6
    slope = (s.function(Z + h) - s.function(Z - h)) / (2 * h)
    np.testing.assert_allclose(s.derivative(Z), slope, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("gelu", torch.nn.GELU()),
        ("swish", torch.nn.functional.silu),
        ("tanh", np.tanh),
        ("elu", torch.nn.ELU()),
        ("relu", lambda z: np.maximum(z, 0)),
    ],
)
def test_functions_of_arrays_and_tensors_agree_with_the_names(name, function):
    s, given = NAMED[name], elementwise(function)
    np.testing.assert_allclose(given.function(Z), s.function(Z), atol=1e-13)
    np.testing.assert_allclose(given.derivative(Z), s.derivative(Z), atol=1e-9)


def test_lines_on_either_side_of_zero_are_recognised():
    assert elementwise(torch.nn.LeakyReLU(0.1)).slopes == (1.0, 0.1)
    assert elementwise(lambda z: np.abs(z)).slopes == (1.0, -1.0)
    assert elementwise(torch.relu).slopes == (1.0, 0.0)
    assert elementwise(torch.nn.Hardtanh()).slopes is None
    assert elementwise(lambda z: np.maximum(z, 0) + 0.1).slopes is None


def test_synonyms_and_spellings():
    assert elementwise("SiLU") is NAMED["swish"]
    assert elementwise("leaky-relu") is NAMED["leaky_relu"]
    assert elementwise("identity") is NAMED["linear"]


@pytest.mark.parametrize(
    ("activation", "text"),
    [
        ("reluu", r"activation must be one of \['elu', .*\] or an elementwise function; got 'rel"),
        (3.0, r"activation must be a name or an elementwise function; got 3\.0\."),
        (np.sum, "activation must map arrays or tensors to finite ones of the same shape"),
        (lambda z: z * np.nan, "activation must map arrays or tensors to finite"),
    ],
)
def test_errors_name_the_activation(activation, text):
    with pytest.raises(ValueError, match=text):
        elementwise(activation)
