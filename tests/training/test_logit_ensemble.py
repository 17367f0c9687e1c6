"""Averages of logits and of probabilities: Jensen, equal members, blocks, kinds of members."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from overparam.nets.mlp import MLP
from overparam.nets.tiny_gpt import TinyGPT
from overparam.training.ensemble import Ensemble
from overparam.training.logit_ensemble import LogitEnsemble, average_logits, mean_nats


def softmax(z):
    powers = np.exp(z - z.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([0.1, 1.0, 30.0]))
def test_an_average_is_never_worse_than_the_mean_member(seed, members, spread):
    rng = np.random.default_rng(seed)
    z, y = spread * rng.standard_normal((members, 20, 4)), rng.integers(0, 4, 20)
    alone = np.mean([mean_nats(average_logits(one[None]), y) for one in z])
    for average in ("logits", "probabilities"):
        assert mean_nats(average_logits(z, average), y) <= alone + 1e-12


@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_equal_members_change_nothing(average):
    z = np.random.default_rng(0).standard_normal((1, 7, 3))
    np.testing.assert_allclose(
        average_logits(np.repeat(z, 5, 0), average), np.log(softmax(z[0])), atol=1e-14
    )


def test_the_two_averages_are_the_geometric_and_the_arithmetic_mean():
    z = np.random.default_rng(1).standard_normal((3, 7, 4))
    p = softmax(z)
    geometric = np.prod(p, axis=0) ** (1 / 3)
    geometric /= geometric.sum(-1, keepdims=True)
    np.testing.assert_allclose(np.exp(average_logits(z)), geometric, rtol=1e-12)
    arithmetic = np.exp(average_logits(z, "probabilities"))
    np.testing.assert_allclose(arithmetic, p.mean(0), rtol=1e-12)
    assert not np.allclose(arithmetic, geometric, rtol=1e-3)


def test_ensembles_modules_and_functions_are_members_alike():
    X = np.random.default_rng(0).standard_normal((30, 3)).astype(np.float32)
    y = np.arange(30) % 2
    ensemble = Ensemble(lambda d, k, s: MLP(d, k, (8,), seed=s), range(3), 3, 2)
    modules = [ensemble.member(i) for i in range(3)]
    together = LogitEnsemble(ensemble)
    for members in (modules, modules[::-1]):
        np.testing.assert_allclose(
            LogitEnsemble(members).predict_logits(X, block=7), together.predict_logits(X), atol=1e-6
        )
    function = LogitEnsemble([modules[0], lambda X: np.zeros((len(X), 2))])
    halved = 0.5 * ensemble.predict_logits(X)[0]
    np.testing.assert_allclose(function.predict_proba(X), softmax(halved), atol=1e-6)
    assert together.predict_proba(X).sum(-1) == pytest.approx(1)
    assert together.loss(X, y, block=7) == pytest.approx(mean_nats(together.predict_logits(X), y))


def test_a_module_stays_in_its_mode_and_tokens_stay_integers():
    net = TinyGPT(9, 32).train()
    found = LogitEnsemble(net).predict_logits(np.zeros((2, 5), dtype=np.int64))
    assert found.shape == (2, 5, 9)
    assert net.training
    assert LogitEnsemble(net).loss(torch.zeros(2, 5).long(), torch.zeros(2, 5).long()) > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LogitEnsemble([]), "members must hold at least one network; got none"),
        (lambda: LogitEnsemble([len], "votes"), "average must be 'logits' or 'probabilities'"),
        (lambda: average_logits(np.zeros(3)), r"shape \(members, ..., classes\); got \(3,\)"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
