"""Recipes build the nets that they name, on the features that these read."""

import sys
import types

import numpy as np
import pytest
import torch

from overparam.auditing import recipes
from overparam.auditing.recipes import Recipe
from overparam.data.loading import load
from overparam.evidence.errors import UserError
from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP
from overparam.nets.tabular import TabularNet


def recipe(net, width=8):
    return Recipe(net, width, rows=50, epochs=1, batch_size=10)


@pytest.fixture(scope="module")
def images():
    pixels = np.random.default_rng(0).integers(0, 255, (60, 28, 28)).astype(np.uint8)
    return load(pixels, np.arange(60) % 2).split(0).train


@pytest.mark.parametrize(
    ("net", "kind", "shape"),
    [("perceptron", MLP, (784,)), ("convolutional", ConvNet, (1, 28, 28))],
)
def test_each_net_gets_what_it_reads(images, net, kind, shape):
    made = recipe(net)
    X = recipes.features(made, images)
    assert X.shape[1:] == shape
    module = recipes.module_factory(made, images.preprocessor, X)(784, 2, 0)
    assert isinstance(module, kind)
    assert module(torch.as_tensor(X[:3])).shape == (3, 2)


def test_large_images_are_strided_down(images):
    module = recipes.module_factory(recipe("convolutional"), images.preprocessor, None)(784, 2, 0)
    assert module.convolutions[0].stride == (2, 2)


def test_a_tabular_net_is_scaled_by_its_rows_or_by_what_is_loaded():
    view = load(*_table()).split(0).train
    scaled = recipes.module_factory(recipe("tabular"), view.preprocessor, view.X)(3, 2, 0)
    assert isinstance(scaled, TabularNet)
    empty = recipes.module_factory(recipe("tabular"), view.preprocessor, None)(3, 2, 0)
    empty.load_state_dict(scaled.state_dict())
    x = torch.as_tensor(view.X[:5])
    torch.testing.assert_close(empty.eval()(x), scaled.eval()(x))


def _table():
    rng = np.random.default_rng(0)
    return rng.normal(size=(80, 3)), np.arange(80) % 2


@pytest.mark.parametrize("parameters", [200, 5_000, 300_000])
def test_the_width_gives_back_the_parameters(parameters):
    width = recipes.perceptron_width(parameters, 20, 3)
    counted = recipes.count_parameters(MLP(20, 3, (width, width)))
    assert counted == recipes.perceptron_parameters(width, 20, 3)
    assert counted == pytest.approx(parameters, rel=0.12)


def test_a_perceptron_is_never_narrower_than_two():
    assert recipes.perceptron_width(1, 500, 10) == 2


def test_a_recipe_is_read_back_from_plain_values():
    made = recipe("tabular").but(weight_decay=0.3, early_stopping=True)
    assert recipes.from_dict(made.as_dict()) == made


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nets", "model must be package.module:factory; got 'nets'"),
        ("no_such_module:f", "model must be importable; got 'no_such_module:f'"),
        ("own_nets:missing", "model must name something in own_nets; got 'missing'"),
        ("own_nets:number", "must be a function .* got int 'own_nets:number'"),
    ],
)
def test_a_factory_that_cannot_be_had_is_named(path, message, monkeypatch):
    module = types.ModuleType("own_nets")
    module.number = 3
    monkeypatch.setitem(sys.modules, "own_nets", module)
    with pytest.raises(UserError, match=message):
        recipes.import_factory(path)
