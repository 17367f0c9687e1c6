"""Guides are untrained convolutional nets, one a seed, which read the images."""

import numpy as np
from tests.auditing.small_plan import small_plan

from overparam.auditing.net_cells import SplitKey, views
from overparam.auditing.recipes import features, module_factory
from overparam.auditing.untrained_guides import CHANNELS, untrained_guides
from overparam.data.loading import load
from overparam.nets.convnet import ConvNet


def test_a_guide_a_seed():
    rng = np.random.default_rng(0)
    dataset = load(rng.integers(0, 255, (80, 6, 6)).astype(np.uint8), np.arange(80) % 3)
    net = {"width": 8, "guided_steps": 5}
    recipe = small_plan(dataset, metric="accuracy", net=net).baseline
    view, _, _ = views(dataset, SplitKey(0), recipe.rows)
    X = features(recipe, view)
    example = module_factory(recipe, view.preprocessor, X)(36, 3, 0)
    members = untrained_guides(recipe, view, X, example, [0, 1], 3)
    first, second = (guide.guide for guide in members._guides)
    assert isinstance(first, ConvNet)
    assert first.convolutions[0].out_channels == CHANNELS
    assert (first.head.weight - second.head.weight).abs().max() > 0
    assert members._guide_inputs.shape == (len(view), 1, 6, 6)
    assert members._limits == [5, 5]
