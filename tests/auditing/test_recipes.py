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
    rate_factors,
)
from overparam.data.loading import load
from overparam.evidence.errors import UserError
from overparam.nets.companding import companders
from overparam.nets.init import WEIGHT_LAYERS

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


@pytest.mark.parametrize("net", ["perceptron", "convolutional", "tabular"])
def test_a_base_width_changes_the_head_and_the_hidden_rates(net):
    if net == "convolutional":
        images = np.random.default_rng(0).integers(0, 255, (60, 8, 8)).astype(np.uint8)
        view = load(images, np.arange(60) % 3).split(0).train
    else:
        view = load(mixed_rows(), "kind").split(0).train
    recipe = Recipe(net, 16, 50, 2, 32)
    X = features(recipe, view)
    size = int(np.prod(X.shape[1:])), 3, 0
    usual, grown = (
        module_factory(one, view.preprocessor, X)(*size)
        for one in (recipe, recipe.but(base_width=4))
    )
    found = rate_factors(recipe.but(base_width=4), view.preprocessor, *size[:2])
    head = next(name for name in found if "head.weight" in name or "layers.2.weight" in name)
    for name, parameter in usual.named_parameters():
        if name == head:
            torch.testing.assert_close(grown.get_parameter(name), parameter / 2)
        elif not name.endswith("bias"):
            assert torch.equal(grown.get_parameter(name), parameter)
    hidden = {"perceptron": 1, "convolutional": 1, "tabular": 4}[net]
    assert sorted(found.values())[: hidden + 1] == [0.25] * (hidden + 1)
    assert sorted(found.values())[hidden + 1] == 1.0
    assert rate_factors(recipe, view.preprocessor, *size[:2]) is None


@pytest.mark.parametrize("net", ["perceptron", "convolutional", "tabular"])
def test_a_companded_net_starts_with_the_variance_of_the_plain_one(net):
    if net == "convolutional":
        images = np.random.default_rng(0).integers(0, 255, (60, 8, 8)).astype(np.uint8)
        view = load(images, np.arange(60) % 3).split(0).train
    else:
        view = load(mixed_rows(), "kind").split(0).train
    recipe = Recipe(net, 16, 50, 2, 32)
    X = features(recipe, view)
    usual, companded = (
        module_factory(one, view.preprocessor, X)(int(np.prod(X.shape[1:])), 3, 0)
        for one in (recipe, recipe.but(compander=0.5))
    )
    found = dict(companders(companded))
    layers = [name for name, each in usual.named_modules() if isinstance(each, WEIGHT_LAYERS)]
    assert [name.removesuffix(".parametrizations.weight.0") for name in found] == layers
    for layer in layers:
        before = usual.get_submodule(layer).weight
        after = companded.get_submodule(layer).weight
        torch.testing.assert_close(after.square().mean(), before.square().mean())
        assert after.abs().max() < before.abs().max()
    with pytest.raises(ValueError, match="compander must be 0 where base_width is given; got both"):
        module_factory(recipe.but(compander=0.5, base_width=4), view.preprocessor, X)


def test_a_net_of_the_users_own_has_no_base_width():
    recipe = RECIPE.but(net="a.b:c", base_width=2)
    with pytest.raises(ValueError, match="base_width must be 0 for a net without a width"):
        rate_factors(recipe, None, 4, 2)
