"""Sampling: the cache changes no text, frequencies are the model's, long texts slide."""

import pytest
import torch

from overparam.nets.tiny_gpt import TinyGPT
from overparam.training.stacked_state import StackedState
from overparam.training.text_sampling import sample_tokens


def state_of(nets):
    return StackedState.from_modules(nets, torch.device("cpu"), torch.float64)


def sharp(seed, vocab=11, context=12):
    """A net whose logits are far from equal."""
    net = TinyGPT(vocab, 32, context=context, seed=seed)
    torch.nn.init.normal_(net.head.weight)
    return net


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_a_text_is_that_of_full_passes_over_all_before(temperature):
    nets = [sharp(s) for s in range(3)]
    state, first = state_of(nets), torch.arange(8) % 11
    found = sample_tokens(nets[0], state, first, 12, generator(), temperature=temperature)
    draws, text = generator(), first[:, None]
    for _ in range(11):  # the slow way, from the same random stream
        logits = torch.stack([net.double()(text)[:, -1] for net in nets]).mean(0)
        p = torch.softmax(logits / temperature, -1).detach()
        text = torch.cat([text, torch.multinomial(p, 1, generator=draws)], 1)
    assert torch.equal(found, text)


def test_frequencies_are_the_mean_logits_softmax():
    nets = [sharp(s, vocab=4) for s in range(2)]
    texts = sample_tokens(
        nets[0], state_of(nets), torch.zeros(20_000, dtype=torch.long), 2, generator()
    )
    start = torch.zeros(1, 1, dtype=torch.long)
    p = torch.softmax(sum(net(start)[0, -1] for net in nets) / 2, -1).detach()
    found = torch.bincount(texts[:, 1], minlength=4) / 20_000
    torch.testing.assert_close(found, p.float(), atol=4 * 0.5 / 20_000**0.5, rtol=0)


def test_a_text_longer_than_the_context_goes_on_from_its_last_half():
    net = sharp(0)
    state, first = state_of([net]), torch.arange(5)
    short = sample_tokens(net, state, first, 13, generator())
    long = sample_tokens(net, state, first, 40, generator())
    assert torch.equal(long[:, :13], short)  # the context of 12 is full here
    p = torch.softmax(net.double()(long[:, 7:13])[:, -1], -1).detach()
    chosen = p.gather(1, long[:, 13:14])
    assert (chosen > 1e-6).all()
    assert long.max() < 11
