import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from overparam.nets.tabular import TabularNet
from overparam.training.ensemble import Ensemble


def table(n, seed=0):
    """Waves and steps of numbers and an effect of each of 20 categories."""
    rng = np.random.default_rng(seed)
    effects = np.random.default_rng(99).normal(size=20)
    numbers = rng.standard_t(3, size=(n, 4))
    codes = rng.integers(1, 20, n)
    score = np.sin(3 * numbers[:, 0]) + (numbers[:, 1] > 0.3) * numbers[:, 2] + effects[codes]
    X = np.column_stack([numbers[:, :2], codes, numbers[:, 2:]]).astype(np.float32)
    return X, (score + 0.3 * rng.normal(size=n) > 0).astype(int)


def net(seed=0, **options):
    return TabularNet(5, 2, categorical=(2,), cardinalities=(20,), seed=seed, **options)


@pytest.mark.parametrize("embedding", ["periodic", "piecewise", None])
def test_stacked_members_are_the_separate_networks(embedding):
    X, _ = table(50)
    nets = [net(s, embedding=embedding, width=16).fit_scaling(X).double().eval() for s in range(3)]
    state = {
        name: torch.stack([n.state_dict()[name] for n in nets]) for name in nets[0].state_dict()
    }
    x = torch.as_tensor(X).double()
    ours = nets[0].stacked_forward(state, x.expand(3, -1, -1))
    for i, n in enumerate(nets):
        torch.testing.assert_close(ours[i], n(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("embedding", ["periodic", "piecewise"])
def test_it_matches_gradient_boosting_on_waves_steps_and_categories(embedding):
    X, y = table(2000)
    X_test, y_test = table(2000, seed=1)
    ensemble = Ensemble(
        lambda d, k, seed: net(seed, embedding=embedding, width=64).fit_scaling(X), [0, 1], 5, 2
    )
    ensemble.fit(X, y, epochs=12, learning_rate=3e-3, weight_decay=0.02, schedule="warmup_cosine")
    ours = (ensemble.predict_logits(X_test).mean(0).argmax(1) == y_test).mean()
    boosted = HistGradientBoostingClassifier(random_state=0).fit(X, y).score(X_test, y_test)
    assert ours > boosted - 0.015


def test_a_code_never_seen_counts_as_unknown():
    n = net().eval()
    rows = torch.zeros(4, 5)
    rows[:, 2] = torch.tensor([0.0, 20.0, -3.0, 7.0])
    logits = n(rows)
    torch.testing.assert_close(logits[1:3], logits[:1].expand(2, -1))
    assert (logits[3] - logits[0]).abs().max() > 1e-3


def test_scaling_makes_it_blind_to_units():
    X, _ = table(200)
    moved = X.copy()
    moved[:, [0, 1, 3, 4]] = moved[:, [0, 1, 3, 4]] * 1000 + 5
    a, b = net().fit_scaling(X).eval(), net().fit_scaling(moved).eval()
    torch.testing.assert_close(
        a(torch.as_tensor(X)), b(torch.as_tensor(moved)), rtol=1e-3, atol=1e-3
    )


def test_columns_of_one_kind_only_are_fine():
    assert TabularNet(2, 1, seed=0)(torch.zeros(3, 2)).shape == (3, 1)
    only_codes = TabularNet(2, 1, categorical=(0, 1), cardinalities=(3, 4), seed=0)
    assert only_codes.fit_scaling(np.zeros((3, 2)))(torch.zeros(3, 2)).shape == (3, 1)


def test_dropout_draws_in_training_only():
    n = net(dropout=0.5)
    x = torch.randn(4, 5).abs()
    assert not torch.equal(n.train()(x), n(x))
    assert torch.equal(n.eval()(x), n(x))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"cardinalities": ()}, "cardinalities must have one entry per categorical column; got 0"),
        ({"categorical": (9,)}, r"categorical must be distinct columns in 0 .. 4; got \(9,\)"),
        ({"cardinalities": (0,)}, r"cardinalities must be integers >= 1; got \(0,\)"),
        ({"embedding": "fourier"}, "embedding must be one of .*; got 'fourier'"),
        ({"dropout": 2.0}, r"dropout must be in \[0, 1\); got 2.0"),
    ],
)
def test_mistakes_are_named(options, text):
    with pytest.raises(ValueError, match=text):
        TabularNet(5, 2, **{"categorical": (2,), "cardinalities": (20,), **options})


def test_hooks_see_the_layers():
    net, seen = TabularNet(3, 2, width=8, depth=2, seed=0), {}
    for name in ("entry", "inner.0", "outer.1", "head"):
        net.get_submodule(name).register_forward_hook(
            lambda layer, inputs, output, name=name: seen.update({name: output})
        )
    logits = net(torch.randn(5, 3))
    assert list(seen) == ["entry", "inner.0", "outer.1", "head"]
    torch.testing.assert_close(seen["head"], logits)
    assert seen["outer.1"].shape == (5, 8)
