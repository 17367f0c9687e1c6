"""Distillation: the loss is the stated one, targets lie where they fit, gains are kept."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from overparam.nets.mlp import MLP
from overparam.nets.tiny_gpt import TinyGPT
from overparam.training import distillation
from overparam.training.distillation import distill, soft_targets
from overparam.training.ensemble import Ensemble
from overparam.training.language_model import LanguageModel
from overparam.training.logit_ensemble import LogitEnsemble


def factory(d, k, seed):
    return MLP(d, k, (16,), seed=seed)


def rows(n=60, seed=0, k=3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4)).astype(np.float32)
    return X, (X[:, :k] + rng.standard_normal((n, k))).argmax(1)


@pytest.fixture(scope="module")
def teacher():
    X, y = rows()
    ensemble = Ensemble(factory, range(4), 4, 3)
    ensemble.fit(X, y, learning_rate=0.01, epochs=30)
    return ensemble


def cross(p, logits):
    return -(p * torch.log_softmax(logits, -1)).sum(-1)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("labelled", [False, True])
def test_one_step_follows_the_gradient_of_the_stated_loss(
    teacher, temperature, elsewhere, labelled
):
    (X, y), (more, _) = rows(), rows(20, seed=1)
    share, T = 0.7, temperature
    synthetic = more if elsewhere else None
    student = distill(
        teacher, factory, (X, y if labelled else None), share, T, synthetic=synthetic,
        optimizer="sgd", learning_rate=0.1, momentum=0.0, batch_size=100, steps=1,
    )  # fmt: skip
    net = factory(4, 3, 0)

    def taught(at):
        z = torch.from_numpy(LogitEnsemble(teacher).predict_logits(at))
        return T**2 * cross(torch.softmax(z / T, -1), net(torch.from_numpy(at)) / T)

    if not labelled:
        loss = taught(np.concatenate([X, more]) if elsewhere else X).mean()
    else:
        real = torch.nn.functional.cross_entropy(net(torch.from_numpy(X)), torch.from_numpy(y))
        loss = share * taught(more if elsewhere else X).mean() + (1 - share) * real
    loss.backward()
    for name, p in net.named_parameters():
        wanted = p.detach() - 0.1 * p.grad
        found = student.state.parameters[name][0]
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("block", [7, 1000])
def test_soft_targets_are_the_teachers_whatever_the_block(teacher, block):
    X, y = rows()
    found = soft_targets(teacher, X, 2.0, block=block)
    z = teacher.predict_logits(X).mean(0) / 2
    np.testing.assert_allclose(found, np.exp(z) / np.exp(z).sum(-1, keepdims=True), rtol=1e-4)
    model = LogisticRegression().fit(X, y)
    np.testing.assert_allclose(
        soft_targets(model, X, block=block), model.predict_proba(X), rtol=1e-4
    )
    np.testing.assert_allclose(
        soft_targets(model.decision_function, X), model.predict_proba(X), rtol=1e-4
    )
    one = soft_targets(teacher.member(0), X)
    np.testing.assert_allclose(one.sum(-1), 1, rtol=1e-5)


def test_targets_that_do_not_fit_lie_in_a_file_and_change_nothing(teacher, monkeypatch, tmp_path):
    X, y = rows()
    recipe = {"learning_rate": 0.01, "epochs": 5, "synthetic": rows(50, seed=2)[0]}
    fits = distill(teacher, factory, (X, y), **recipe)
    monkeypatch.setattr(distillation, "IN_MEMORY", 0)
    assert isinstance(soft_targets(teacher, X, folder=tmp_path), np.memmap)
    mapped = distill(teacher, factory, (X, y), folder=tmp_path, **recipe)
    assert torch.equal(fits.state.vector, mapped.state.vector)
    assert not list(tmp_path.iterdir())  # nothing is left behind


def test_a_student_keeps_most_of_an_ensembles_gain():
    X, y = rows(80)
    test, labels = rows(4000, seed=5)
    recipe = {"learning_rate": 0.01, "epochs": 200, "batch_size": 16}
    teacher = Ensemble(factory, range(8), 4, 3)
    teacher.fit(X, y, **recipe)
    members = [LogitEnsemble(teacher.member(i)).loss(test, labels) for i in range(8)]
    together = LogitEnsemble(teacher).loss(test, labels)
    unlabelled = rows(400, seed=6)[0]
    student = distill(
        teacher, factory, (X, None), synthetic=unlabelled, seeds=(20, 21, 22), **recipe
    )
    alone = [LogitEnsemble(student.member(i)).loss(test, labels) for i in range(3)]
    kept = (np.mean(members) - np.mean(alone)) / (np.mean(members) - together)
    assert together < np.mean(members) - 0.05
    assert kept > 0.5


def test_a_language_model_teaches_by_its_texts():
    text = np.arange(1025) % 7
    teacher = LanguageModel(7, 32, context=16, epochs=4, seeds=(0, 1)).fit(text)
    student = distill(
        teacher,
        lambda context, vocab, seed: TinyGPT(vocab, 32, 1, context, seed=seed),
        text,
        synthetic=30,
        seeds=(5, 6),
        epochs=2,
    )
    assert isinstance(student, LanguageModel)
    assert len(student.ensemble_) == 2
    assert student.ensemble_.history.steps == 32  # 2 epochs of 4 steps over 1 - 0.75
    drawn = teacher.sample(30, 17, seed=5)
    by_hand = LanguageModel(
        7, context=16, seeds=(5, 6), epochs=2,
        module_factory=lambda context, vocab, seed: TinyGPT(vocab, 32, 1, context, seed=seed),
    ).fit(text, synthetic=drawn)  # fmt: skip
    assert student.score(text) == by_hand.score(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"synthetic_weight": 0.0}, r"synthetic_weight must be in \(0, 1\); got 0.0"),
        ({"temperature": 0.0}, "temperature must be a number > 0; got 0.0"),
    ],
)
def test_bad_input_is_named(teacher, arguments, message):
    with pytest.raises(ValueError, match=message):
        distill(teacher, factory, rows(), steps=1, **arguments)


def test_no_rows_are_refused(teacher):
    with pytest.raises(ValueError, match="X must have at least one row; got none"):
        soft_targets(teacher, np.empty((0, 4), dtype=np.float32))
