"""Language models: members alone and together, the recipe, what is learnt and what is refused."""

import math

import numpy as np
import pytest
import torch

from overparam.nets.tiny_gpt import TinyGPT
from overparam.training.language_model import LanguageModel, mixture_weights

SMALL = {"vocab": 8, "d": 32, "context": 16, "heads": 2}


def noisy_cycle(n, seed=0):
    """0, 1, ..., 7, 0, ... where a tenth of the tokens is random."""
    rng = np.random.default_rng(seed)
    tokens = np.arange(n) % 8
    return np.where(rng.random(n) < 0.1, rng.integers(0, 8, n), tokens)


def test_members_trained_together_equal_members_trained_alone():
    text = noisy_cycle(1025)
    recipe = {**SMALL, "epochs": 5, "learning_rate": 3e-3, "weight_decay": 1.0}  # 20 steps
    together = LanguageModel(**recipe, seeds=(3, 4, 5), plan="stacked").fit(text)
    assert together.ensemble_.history.steps == 20
    probe = text[:160].reshape(10, 16)
    for i, seed in enumerate((3, 4, 5)):
        alone = LanguageModel(**recipe, seeds=(seed,), plan="loop").fit(text)
        np.testing.assert_allclose(
            together.ensemble_.predict_logits(probe)[i],
            alone.ensemble_.predict_logits(probe)[0],
            atol=1e-4,
        )


def test_a_plain_torch_loop_gives_the_same_model():
    text = torch.from_numpy(noisy_cycle(1025))
    recipe = {"learning_rate": 3e-3, "weight_decay": 2.0}
    model = LanguageModel(**SMALL, epochs=5, seeds=(7,), **recipe).fit(text)
    net = TinyGPT(8, 32, context=16, heads=2, seed=7)
    groups = [
        {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": 2.0},
        {"params": [p for p in net.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95))
    from overparam.training.minibatches import MinibatchStream

    stream = MinibatchStream(7, torch.arange(64))
    rows = text.unfold(0, 17, 16)
    for step in range(20):
        factor = min(1, (step + 1) / 1) * 0.5 * (1 + math.cos(math.pi * step / 20))
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * factor
        batch = rows[stream.take(16)]
        optimizer.zero_grad()
        logits = net(batch[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    found = model.ensemble_.predict_logits(text[:160].view(10, 16))[0]
    np.testing.assert_allclose(found, net(text[:160].view(10, 16)).detach(), atol=1e-4)


def test_scores_are_nats_of_the_average_and_windows_predict_all_but_their_first():
    text = noisy_cycle(400)
    model = LanguageModel(**SMALL, epochs=10, seeds=(0, 1, 2)).fit(text)
    x, y = model.windows(text)
    assert x.shape == y.shape == (25, 15)
    assert torch.equal(x[:, 1:], y[:, :-1])
    logits = torch.from_numpy(model.ensemble_.predict_logits(x))
    alone = [torch.nn.functional.cross_entropy(z.flatten(0, 1), y.flatten()) for z in logits]
    np.testing.assert_allclose(model.member_losses(text), alone, rtol=1e-5)
    together = torch.nn.functional.cross_entropy(logits.mean(0).flatten(0, 1), y.flatten())
    assert model.score(text) == pytest.approx(-float(together), rel=1e-5)
    assert -model.score(text) < np.mean(alone)
    assert model.score(text, average="probabilities") != model.score(text)


def test_it_learns_and_writes_what_it_has_read():
    text = noisy_cycle(4000)
    model = LanguageModel(**SMALL, epochs=20, learning_rate=3e-3).fit(text)
    entropy = -(0.9125 * math.log(0.9125) + 7 * 0.0125 * math.log(0.0125))
    assert -model.score(noisy_cycle(4000, seed=1)) < 2 * entropy < math.log(8)
    texts = model.sample(200, 16, seed=0)
    follows = (texts[:, 1:] == (texts[:, :-1] + 1) % 8).mean()
    assert 0.7 < follows < 0.95  # 0.83 in the text
    np.testing.assert_array_equal(texts, model.sample(200, 16, seed=0))
    assert not np.array_equal(texts, model.sample(200, 16, seed=1))
    cold = model.sample(200, 16, seed=0, temperature=0.3)
    assert (cold[:, 1:] == (cold[:, :-1] + 1) % 8).mean() > follows


def test_matrices_decay_and_gains_do_not():
    text = noisy_cycle(400)
    strong, none = (
        LanguageModel(**SMALL, epochs=20, weight_decay=decay).fit(text) for decay in (10.0, 0.0)
    )
    for name, value in strong.ensemble_.state.parameters.items():
        other = none.ensemble_.state.parameters[name]
        if value.dim() > 2:
            assert float(value.norm()) < 0.9 * float(other.norm())
        else:
            assert float(value.norm()) > 0.9 * float(other.norm())


def test_synthetic_text_makes_the_run_longer_and_has_its_share():
    text, other = noisy_cycle(1025), np.zeros((40, 17), dtype=np.int64)
    real = LanguageModel(**SMALL, epochs=4).fit(text)
    mixed = LanguageModel(**SMALL, epochs=4).fit(text, synthetic=other, synthetic_weight=0.9)
    assert real.ensemble_.history.steps == 16
    assert mixed.ensemble_.history.steps == 160
    zeros = np.zeros(160, dtype=np.int64)
    assert mixed.score(zeros) > real.score(zeros) + 1  # it has read zeros, most of the time
    weights = mixture_weights(64, 40, 0.9)
    assert weights[64:].sum() == pytest.approx(9 * weights[:64].sum())


def test_a_memory_map_of_bytes_is_read_as_it_is(tmp_path):
    text = noisy_cycle(1025)
    text.astype(np.uint8).tofile(tmp_path / "text.bin")
    mapped = np.memmap(tmp_path / "text.bin", np.uint8, mode="c")
    models = [LanguageModel(**SMALL, epochs=2).fit(tokens) for tokens in (text, mapped)]
    assert models[0].score(text) == models[1].score(mapped)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda m: m.fit(np.zeros(16, int)), r"tokens must be more than context=16 integers"),
        (lambda m: m.fit(np.zeros(99)), r"got torch.float64 of shape \(99,\)"),
        (lambda m: m.fit(np.full(99, 8)), r"tokens must be in 0 .. 7 for vocab=8; got 8"),
        (
            lambda m: m.fit(np.zeros(99, int), synthetic=np.zeros((3, 16), int)),
            r"synthetic must have shape \(texts, 17\), context \+ 1 tokens each; got \(3, 16\)",
        ),
        (
            lambda m: m.fit(np.zeros(99, int), synthetic=np.zeros((3, 17)), synthetic_weight=1.0),
            r"synthetic_weight must be in \(0, 1\); got 1.0",
        ),
        (lambda m: m.sample(0, 3), "n and length must be integers >= 1; got 0 and 3"),
        (lambda m: m.sample(2, 3, temperature=0), "temperature must be a number > 0; got 0"),
    ],
)
def test_bad_input_is_named(act, message):
    with pytest.raises(ValueError, match=message):
        act(LanguageModel(**SMALL))


def test_what_comes_after_fit_says_so():
    with pytest.raises(AttributeError, match="ensemble_ exists after fit"):
        LanguageModel(**SMALL).score(np.zeros(99, int))


def test_sampling_needs_a_tiny_gpt():
    def factory(context, vocab, seed):
        return torch.nn.Sequential(torch.nn.Embedding(vocab, 4), torch.nn.Linear(4, vocab))

    class Bigram(torch.nn.Module):
        takes_tokens = True

        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x.long())

    text = noisy_cycle(400)
    model = LanguageModel(
        8, context=16, seeds=(0, 1), epochs=60, learning_rate=0.05,
        module_factory=lambda *a: Bigram(factory(*a)),
    ).fit(text)  # fmt: skip
    assert -model.score(text) < 1.2  # a foreign module is trained all the same
    with pytest.raises(ValueError, match="sample needs a TinyGPT; got Bigram"):
        model.sample(1, 2)


def test_trained_nets_are_the_members_of_one_model():
    nets = [TinyGPT(96, 32, seed=s) for s in (5, 6)]
    model = LanguageModel.of(nets, np.bincount(np.arange(300) % 90, minlength=96) / 300)
    x = torch.arange(10).view(1, 10)
    logits = model.ensemble_.predict_logits(x)
    np.testing.assert_allclose(logits, [net(x).detach() for net in nets], atol=1e-6)
    assert set(model.sample(50, 2)[:, 0]) <= set(range(90))


def test_the_loss_of_windows_is_the_score_in_parts():
    nets = [TinyGPT(96, 32, seed=s) for s in (5, 6)]
    for net in nets:
        torch.nn.init.normal_(net.head.weight, std=0.5)
    model = LanguageModel.of(nets, np.full(96, 1 / 96))
    tokens = np.random.default_rng(0).integers(0, 96, 64 * 70 + 9)
    found = model.window_losses(tokens)
    assert found.shape == (70,)
    assert found.mean() == pytest.approx(-model.score(tokens), rel=1e-6)
    assert found[69] == pytest.approx(-model.score(tokens[69 * 64 :]), rel=1e-6)
