"""The cells of the study: against the components they stand for, and scores of known vectors."""

import numpy as np
import pytest
import torch

from overparam.nets.mlp import MLP
from overparam.nets.parametrization import maximal_update, ntk
from overparam.studies import feature_learning_limit_cells as measured


@pytest.mark.parametrize("parametrization", [maximal_update(2), ntk(2)])
def test_the_definition_written_out_is_what_apply_does(parametrization):
    """The same initial numbers through `ABC.apply_` on an ordinary module."""
    width, p = 12, parametrization
    found = measured.parametrized_training(p.a, p.b, p.c, width, 0, 1, kernel=False)
    points = torch.Generator().manual_seed(0)
    x = torch.randn(measured.POINTS, measured.FEATURES, dtype=torch.float64, generator=points)
    y = torch.randn(measured.POINTS, 1, dtype=torch.float64, generator=points)
    module = MLP(measured.FEATURES, 1, (width, width), activation="tanh").double()
    generator = torch.Generator().manual_seed(0)
    for layer, fan_in in zip(module.layers, (1, width, width), strict=True):
        draw = torch.randn(layer.weight.shape, dtype=torch.float64, generator=generator)
        layer.weight.data = draw * fan_in**-0.5
        torch.nn.init.zeros_(layer.bias).requires_grad_(False)
    groups = p.apply_(module, 1, learning_rate=measured.RATE)
    updates = torch.optim.SGD([g for g in groups if g["name"] != "others"])
    before = module(x).detach()
    for _ in range(measured.STEPS):
        updates.zero_grad()
        (0.5 * (module(x) - y).square().mean()).backward()
        updates.step()
    change = float((module(x).detach() - before).square().mean().sqrt())
    assert found["output"] == pytest.approx(change, rel=1e-9)


def test_a_wide_kernel_stands_still_and_a_feature_learner_does_not():
    change = {
        name: [
            measured.parametrized_training(p.a, p.b, p.c, width, 0, 4, kernel=True)["kernel"]
            for width in (64, 256)
        ]
        for name, p in {"kernel": ntk(2), "features": maximal_update(2)}.items()
    }
    assert change["kernel"][1] < 0.6 * change["kernel"][0]
    assert change["features"][1] > 0.7 * change["features"][0]


def test_scores_of_perfect_and_of_random_vectors():
    group = np.repeat(np.arange(5), 6)
    rng = np.random.default_rng(0)
    perfect = np.eye(5)[group] + 0.01 * rng.standard_normal((30, 5))
    assert measured.grouped(perfect, group) == {"nearest": 1.0, "map": 1.0}
    chance = np.mean(
        [measured.grouped(rng.standard_normal((30, 50)), group)["nearest"] for _ in range(100)]
    )
    assert chance == pytest.approx(5 / 29, abs=0.03)


def test_the_batches_of_words_depend_on_the_seed_alone():
    corpus = measured.vocabulary("python-topics", 60_000, 60, 5)
    contexts, middle = measured._windows(corpus, np.random.default_rng(3))
    again, same = measured._windows(corpus, np.random.default_rng(3))
    np.testing.assert_array_equal(middle, same)
    assert (contexts != again).nnz == 0
    np.testing.assert_allclose(contexts.sum(axis=1), 1.0)
    assert contexts.shape == (len(middle), len(corpus.frequency))


def test_tasks_never_query_the_support_image():
    classes = np.arange(8 * 24).reshape(8, 24, 1)
    support, _, query, truth = measured._task(classes, np.random.default_rng(0))
    assert not set(support.ravel()) & set(query.ravel())
    assert (query.ravel() // 24 == support.ravel()[truth] // 24).all()


def test_wider_is_closer_to_the_limit():
    near, far = (measured.distance_to_limit(w, 0, 4)["distance"] for w in (1000, 50))
    assert near < far


def test_the_loss_of_a_sane_rate_is_below_that_of_a_tiny_one():
    found = measured.loss_over_rates(8, True, 0, [1e-6, 1e-2], "digits", 300, 40, 4)["losses"]
    assert found[1] < 0.8 * found[0]
