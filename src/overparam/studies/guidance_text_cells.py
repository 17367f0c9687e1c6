"""What C6 trains: recurrent language models with and without a transformer as their guide.

The first characters of a text are cut into windows of 64, each of which is a row of a minibatch;
its hidden states at all places are one activation. Losses are nats a character on two parts of
held-out text: the learning rate is chosen on the first, and the second judges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.data import text
from overparam.evidence.cell_settings import cache_folder
from overparam.evidence.cells import call, settings
from overparam.studies.guidance_nets import guide_seed
from overparam.studies.guidance_sequence_nets import SequenceGPT, SequenceRNN
from overparam.studies.guidance_sequence_training import Batch, restored, train, weights_of
from overparam.training.minibatches import MinibatchStream

CONTEXT = 64
VOCABULARY = len(text.ALPHABET)
WIDTH, DEPTH = 64, 2
GUIDE_RATE = 3e-3
AT_ONCE = 128  # windows that are scored together


def parts(source: str, characters: int, valid: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens to train on, `valid` held-out ones to choose by, and as many to judge by."""
    folder = cache_folder() / "text" if source == "gcide" else None  # 23 M characters: mapped
    tokens, _ = text.load(source, folder)
    to_train, held_out = (
        torch.from_numpy(part.astype(np.int64))
        for part in text.split(tokens, characters, 2 * valid)
    )
    return to_train, held_out[:valid], held_out[valid:]


def windows(tokens: Tensor, batch: int, seed: int) -> Callable[[], Batch]:
    """Minibatches of windows of a text, in the order of the seed; every character counts."""
    rows = tokens.unfold(0, CONTEXT + 1, CONTEXT)
    stream = MinibatchStream(seed, torch.arange(len(rows)))
    counted = torch.ones(batch, CONTEXT, dtype=torch.bool)

    def take() -> Batch:
        chosen = rows[stream.take(batch)]
        return chosen[:, :-1], chosen[:, 1:], counted

    return take


@torch.no_grad()
def nats(net: nn.Module, tokens: Tensor) -> float:
    """Mean loss a character over windows of 64, of which 63 are predicted."""
    total, count = 0.0, 0
    for rows in tokens.unfold(0, CONTEXT, CONTEXT).split(AT_ONCE):
        logits = net(rows[:, :-1]).flatten(0, 1)
        right = rows[:, 1:].flatten()
        total += float(nn.functional.cross_entropy(logits, right, reduction="sum"))
        count += len(right)
    return total / count


def transformer(seed: int) -> SequenceGPT:
    """The guide, untrained."""
    return SequenceGPT(VOCABULARY, WIDTH, DEPTH, CONTEXT, seed=guide_seed(seed)).eval()


def text_guide(
    seed: int, batch: int, steps: int, source: str, characters: int, valid: int
) -> dict[str, Any]:
    """The trained guide: its loss on the text that judges, and its weights."""
    tokens, _, judging = parts(source, characters, valid)
    net = train(transformer(seed), windows(tokens, batch, guide_seed(seed)), steps, GUIDE_RATE)
    return {"nats": nats(net, judging), "weights": weights_of(net)}


def text_target(
    condition: str,
    rate: float,
    seed: int,
    batch: int,
    steps: int,
    guide_steps: int,
    source: str,
    characters: int,
    valid: int,
) -> dict[str, float]:
    """C6: losses of a recurrent network, "none", "untrained" or "trained" being its guide.

    `choosing` is on the part of the text by which rates are chosen, `nats` on the one that judges.
    """
    guide: nn.Module | None = None if condition == "none" else transformer(seed)
    about: dict[str, Any] = {"source": source, "characters": characters, "valid": valid}
    if guide is not None and condition == "trained":
        with settings(progress=False):
            found = call(text_guide, seed=seed, batch=batch, steps=guide_steps, **about)
        guide = restored(guide, np.asarray(found.value["weights"]))
    tokens, choosing, judging = parts(**about)
    net = SequenceRNN(VOCABULARY, WIDTH, DEPTH, seed=seed)
    train(net, windows(tokens, batch, seed), steps, rate, guide)
    return {"choosing": nats(net, choosing), "nats": nats(net, judging)}
