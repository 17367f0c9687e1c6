"""What the claims of `infinite_compute` rest on beside trained models: ensembles and students.

Both read the models of `infinite_compute_members` back, so that none is trained twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from overparam.nets.tiny_gpt import TinyGPT
from overparam.studies.infinite_compute_members import (
    CONTEXT,
    VOCABULARY,
    elsewhere,
    measured,
    members,
    parts,
)
from overparam.training.distillation import distill
from overparam.training.language_model import LanguageModel
from overparam.training.ngrams import NGrams

ORDERS = (1, 2, 3, 5)  # of the counts that every net here should be held against
WINDOWS_AT_ONCE = 64  # logits of a member: 1.5 MB


def ensemble_losses(
    seeds: Sequence[int],
    d: int,
    weight_decay: float,
    epochs: int,
    learning_rate: float,
    source: str,
    characters: int,
    valid: int,
) -> dict[str, Any]:
    """Held-out losses of every ensemble of the models of one recipe, by both averages.

    Entry i is of the members whose bits are set in i + 1: `2^n - 1` ensembles of n models.
    `counted` are the losses of interpolated counts of the same text, by `ORDERS`.
    """
    recipe = {
        "d": d,
        "weight_decay": weight_decay,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "source": source,
        "characters": characters,
        "valid": valid,
    }
    nets = members(seeds, **recipe)
    train, held_out = parts(source, characters, valid)
    here = subset_losses(nets, held_out)
    windows = held_out[: len(held_out) // CONTEXT * CONTEXT].reshape(-1, CONTEXT)
    counted = [NGrams(VOCABULARY, order).fit(train) for order in ORDERS]
    return {
        "counted": [-float(model.log_probabilities(windows).mean()) for model in counted],
        "loss": here["logits"],
        "loss_of_probabilities": here["probabilities"],
        "elsewhere": subset_losses(nets, elsewhere(source)[:valid])["logits"],
    }


@torch.no_grad()
def subset_losses(nets: Sequence[TinyGPT], tokens: np.ndarray) -> dict[str, np.ndarray]:
    """Mean losses (2^n - 1,) of all ensembles of n models on a text, by either average.

    The mean of probabilities needs each member's probability of the right token only; the mean of
    logits a new normalisation for every ensemble.
    """
    x, y = LanguageModel(VOCABULARY, context=CONTEXT).windows(tokens)
    n = len(nets)
    chosen = torch.tensor([[bool(i >> m & 1) for m in range(n)] for i in range(1, 2**n)])
    shares = chosen / chosen.sum(1, keepdim=True)  # (ensembles, members)
    sums = torch.zeros(2, len(chosen), dtype=torch.float64)
    for rows in torch.arange(len(x)).split(WINDOWS_AT_ONCE):
        logits = torch.stack([net(x[rows]) for net in nets])  # (members, windows, T, vocab)
        labels = y[rows].expand(n, -1, -1).unsqueeze(-1)
        right = torch.log_softmax(logits, -1).gather(-1, labels).flatten(1)
        mixed = torch.logsumexp(right.unsqueeze(0) + shares.log().unsqueeze(-1), 1)
        sums[1] -= mixed.double().sum(1)
        for i, share in enumerate(shares):
            mean = torch.tensordot(share, logits, 1)
            sums[0, i] += torch.nn.functional.cross_entropy(
                mean.flatten(0, 1), y[rows].flatten(), reduction="sum"
            )
    means = (sums / y.numel()).numpy()
    return {"logits": means[0], "probabilities": means[1]}


def student(
    teacher_seeds: Sequence[int],
    teacher_decay: float,
    teacher_epochs: int,
    d: int,
    weight_decay: float,
    epochs: int,
    seed: int,
    share: float,
    learning_rate: float,
    source: str,
    characters: int,
    valid: int,
) -> dict[str, Any]:
    """A model of the teachers' size that reads their texts beside the real one.

    The teachers write four windows for each real one (1,536 at 24,576 characters), anew for each
    student.
    """
    train, _ = parts(source, characters, valid)
    recipe = {"d": d, "weight_decay": teacher_decay, "epochs": teacher_epochs}
    text = {"source": source, "characters": characters, "valid": valid}
    nets = members(teacher_seeds, **recipe, learning_rate=learning_rate, **text)
    model = distill(
        LanguageModel.of(nets, np.bincount(train, minlength=VOCABULARY) / len(train)),
        lambda context, vocab, seed: TinyGPT(vocab, d, context=context, seed=seed),
        train,
        share,
        seeds=[seed],
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        epochs=epochs,
    )
    assert isinstance(model, LanguageModel)
    found = measured(model, source, characters, valid)
    del found["weights"]
    return found
