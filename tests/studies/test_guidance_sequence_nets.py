"""Sequence networks: they look back only, and show the hidden states that are compared."""

import pytest
import torch

from overparam.nets.tiny_gpt import TinyGPT
from overparam.studies.guidance_sequence_nets import SequenceGPT, SequenceRNN, state_names
from overparam.training.layer_outputs import LayerOutputs


def tokens(rows=6, length=9, vocab=5):
    return torch.randint(0, vocab, (rows, length), generator=torch.Generator().manual_seed(0))


NETS = {
    "recurrent": lambda **more: SequenceRNN(6, 16, 2, seed=3, **more),
    "transformer": lambda **more: SequenceGPT(6, 16, 2, 9, seed=3, **more),
}


@pytest.mark.parametrize("kind", NETS)
def test_no_place_looks_ahead(kind):
    x = tokens()
    changed = x.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 5
    net = NETS[kind]().eval()
    with torch.no_grad():
        before, after = net(x), net(changed)
    assert before.shape == (6, 9, 6)
    torch.testing.assert_close(after[:, :5], before[:, :5])
    assert (after[:, 5:] - before[:, 5:]).abs().amax((0, 2)).min() > 0  # ... and each looks back


def test_the_transformer_is_tiny_gpt():
    x = tokens()
    ours, theirs = NETS["transformer"](), TinyGPT(6, 16, 2, 9, seed=3)
    assert torch.equal(ours(x), theirs(x))


def test_recurrent_layers_are_the_equation():
    x = tokens()
    net = NETS["recurrent"]()
    h = net.tokens(x)
    for layer in net.layers:
        state, states = torch.zeros(6, 16), []
        for t in range(9):
            state = torch.tanh(
                h[:, t] @ layer.weight_ih_l0.T
                + layer.bias_ih_l0
                + state @ layer.weight_hh_l0.T
                + layer.bias_hh_l0
            )
            states.append(state)
        h = torch.stack(states, 1)
    torch.testing.assert_close(net(x), net.head(h))


@pytest.mark.parametrize("kind", NETS)
def test_states_at_the_last_place(kind):
    blank = 5
    lengths = [2, 9, 4, 1, 5, 3]
    x = torch.where(torch.arange(9) < torch.tensor(lengths)[:, None], tokens(), blank)
    everywhere, last = NETS[kind](), NETS[kind](places="last", blank=blank)
    seen = []
    for net in (everywhere, last):
        outputs = LayerOutputs(net, state_names(2))
        net(x)
        seen.append(outputs.outputs())
    for name in state_names(2):
        assert seen[0][name].shape == (6, 9, 16)
        assert seen[1][name].shape == (6, 16)
        for row, length in enumerate(lengths):
            torch.testing.assert_close(seen[1][name][row], seen[0][name][row, length - 1])


@pytest.mark.parametrize("kind", NETS)
def test_the_seed_decides(kind):
    first, again = NETS[kind](), NETS[kind](places="last", blank=5)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
