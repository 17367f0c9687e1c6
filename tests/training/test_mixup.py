"""Mixup: what a mixture is, where partners come from, and the classifier."""

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from overparam.training.mixup import MixupClassifier, MixupTransform, mixup_batch


def batch(size=64, d=5, k=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, d, generator=generator, dtype=torch.float64)
    y = torch.randint(k, (size,), generator=generator)
    return x, torch.nn.functional.one_hot(y, k).double()


def weights_of(mix_size, alpha=1.0, per_sample=True, size=4000, seed=0):
    """The weight of each row's own example, read off a batch where partners are orthogonal."""
    x = torch.eye(size, dtype=torch.float64)
    mixed, _ = mixup_batch(
        x, x[:, :2], mix_size, alpha, per_sample, generator=torch.Generator().manual_seed(seed)
    )
    return mixed


def test_one_point_is_no_mixture():
    x, y = batch()
    mixed, targets = mixup_batch(x, y, mix_size=1)
    assert torch.equal(mixed, x)
    assert torch.equal(targets, y)


@pytest.mark.parametrize("mix_size", [2, 3, 5])
@pytest.mark.parametrize("per_sample", [True, False])
def test_weights_and_targets_sum_to_one(mix_size, per_sample):
    x, y = batch()
    _, targets = mixup_batch(x, y, mix_size, per_sample=per_sample)
    torch.testing.assert_close(targets.sum(1), torch.ones(64, dtype=torch.float64))
    weights = weights_of(mix_size, per_sample=per_sample, size=200)
    torch.testing.assert_close(weights.sum(1), torch.ones(200, dtype=torch.float64))
    assert weights.min() >= 0


@pytest.mark.parametrize(
    ("mix_size", "alpha"), [(2, 1.0), (3, 1.0), (2, 0.2), (5, 3.0), (2, 0.005)]
)
def test_the_own_weight_has_the_mean_and_variance_of_a_dirichlet(mix_size, alpha):
    own = weights_of(mix_size, alpha).diagonal()
    mean = 1 / mix_size
    variance = mean * (1 - mean) / (mix_size * alpha + 1)
    # A row is its own partner once in 4,000: far below the standard error.
    assert own.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 4000))
    assert own.var() == pytest.approx(variance, rel=0.1)


def test_one_weight_vector_a_batch_where_asked():
    own = weights_of(2, per_sample=False, size=50, seed=3).diagonal()
    values = set(np.round(own.numpy(), 12)) - {1.0}  # 1 where a row is its own partner
    assert len(values) == 1


def test_inputs_are_not_modified():
    x, y = batch()
    before = x.clone(), y.clone()
    mixup_batch(x, y, 3)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


def test_features_and_labels_are_mixed_alike():
    x, y = batch(k=5)
    joined = torch.cat([x, y], dim=1)
    mixed, targets = mixup_batch(joined, y, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(mixed[:, 5:], targets)


def test_images_keep_their_shape():
    mixed, _ = mixup_batch(torch.randn(6, 3, 4, 4), torch.eye(6), 2)
    assert mixed.shape == (6, 3, 4, 4)


def test_partners_within_a_radius_never_cross_a_gap():
    x = torch.cat([torch.zeros(20, 2), 100 + torch.rand(20, 2)])
    y = torch.eye(2)[[0] * 20 + [1] * 20]
    _, targets = mixup_batch(x, y, 4, partner="radius", radius=2.0)
    torch.testing.assert_close(targets, y)


def test_a_lonely_point_is_its_own_partner():
    x = 100 * torch.eye(5)
    mixed, _ = mixup_batch(x, torch.eye(5), 3, partner="radius", radius=1.0)
    torch.testing.assert_close(mixed, x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mix_size": 0}, "mix_size must be an integer >= 1; got 0"),
        ({"mix_size": 1.5}, "mix_size must be an integer >= 1; got 1.5"),
        ({"alpha": 0}, "alpha must be a number > 0; got 0"),
        ({"partner": "far"}, "partner must be 'batch' or 'radius'; got 'far'"),
        ({"partner": "radius"}, "radius must be a number > 0 with partner='radius'; got None"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        mixup_batch(*batch(), **arguments)


def test_targets_of_another_length_are_named():
    x, y = batch()
    with pytest.raises(
        ValueError, match=r"y_onehot must have shape \(64, k\); got shape \(63, 3\)"
    ):
        mixup_batch(x, y[:-1])


@pytest.mark.parametrize("plan", ["stacked", "loop"])
def test_a_member_mixes_as_if_it_were_alone(plan):
    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3

    def train(seeds):
        ensemble = Ensemble(
            lambda d, k, s: MLP(d, k, (8,), seed=s), seeds, 4, 3, plan=plan, dtype=torch.float64
        )
        ensemble.fit(X, y, steps=20, batch_size=16, batch_transform=MixupTransform(3))
        return ensemble.predict_logits(X)

    np.testing.assert_allclose(train([5, 6, 7])[1], train([6])[0], rtol=1e-9, atol=1e-12)


def test_mixing_changes_what_is_learnt():
    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
    plain, mixed = (
        MixupClassifier(mix_size=m, epochs=300).fit(X, y).predict_proba(X).max(1).mean()
        for m in (1, 2)
    )
    assert plain > 0.9  # random labels are memorised ...
    assert mixed < plain - 0.2  # ... and far less surely under Mixup


@parametrize_with_checks([MixupClassifier(epochs=60)])
def test_the_classifier_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)
