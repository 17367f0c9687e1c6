"""Recipes build nets; a user's own factory is found by name or its absence is told."""

import numpy as np
import pytest
import torch
from tests.auditing.known_data import blobs, mixed_rows

from overparam.auditing.recipes import (
    Recipe,
    count_parameters,
    features,
    from_dict,
    import_factory,
    module_factory,
    perceptron_parameters,
    perceptron_width,
)
from overparam.data.loading import load
from overparam.evidence.errors import UserError

RECIPE = Recipe("perceptron", 8, 100, 5, 32)
NUMBER = 3


def linear(n_features, n_outputs, seed):
    return torch.nn.Linear(n_features, n_outputs)


def test_a_recipe_goes_through_plain_values():
    assert from_dict(RECIPE.but(mix_size=2).as_dict()) == RECIPE.but(mix_size=2)


@pytest.mark.parametrize("width", [2, 17, 300])
def test_the_width_of_so_many_parameters_and_back(width):
    net = module_factory(RECIPE.but(width=width), None, None)(5, 3, 0)
    assert count_parameters(net) == perceptron_parameters(width, 5, 3)
    assert perceptron_width(perceptron_parameters(width, 5, 3), 5, 3) == width
    assert perceptron_width(0, 5, 3) == 2


def test_tabular_nets_read_columns_and_perceptrons_flat_numbers():
    dataset = load(mixed_rows(), "kind")
    view = dataset.split(0).train
    assert features(RECIPE.but(net="tabular"), view) is view.X
    assert features(RECIPE, view).shape[1] == view.preprocessor.n_flat
    assert features(RECIPE.but(net="a.b:c"), view).shape[1] == view.preprocessor.n_flat


def test_a_factory_is_found_by_its_path():
    assert import_factory(f"{__name__}:linear") is linear
    X, y = blobs(60, 4, distance=2.0)
    view = load(X, y).split(0).train
    net = module_factory(RECIPE.but(net=f"{__name__}:linear"), view.preprocessor, None)(4, 2, 0)
    assert count_parameters(net) == 10
    assert net(torch.as_tensor(np.zeros((1, 4), np.float32))).shape == (1, 2)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nothing", "model must be package.module:factory; got 'nothing'"),
        ("no.such.module:f", "model must be importable; got 'no.such.module:f': No module named"),
        (f"{__name__}:f", f"model must name something in {__name__}; got 'f'"),
        (f"{__name__}:NUMBER", r"model must be a function \(n_features, n_outputs, seed\)"),
    ],
)
def test_what_is_no_factory_is_named(path, text):
    with pytest.raises(UserError, match=text):
        import_factory(path)
