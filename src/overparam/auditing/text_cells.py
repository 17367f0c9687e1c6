"""The cells of a text's audit: one trained model each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from overparam.auditing.text_plan import BATCH, CONTEXT, DEPTH, RATE, SHARE
from overparam.nets.tiny_gpt import TinyGPT
from overparam.training.distillation import distill
from overparam.training.language_model import LanguageModel

MOST_LOGITS = 2**24  # at once: 64 MB


def text_model(
    train: np.ndarray,
    held: np.ndarray,
    vocab: int,
    d: int,
    weight_decay: float,
    passes: int,
    seed: int,
) -> dict[str, Any]:
    """One model of a text.

    Returns
    -------
    dict
        `losses` (w,) of the held-out windows in nats a token, `weights` (P,).
    """
    model = LanguageModel(
        vocab,
        d,
        DEPTH,
        CONTEXT,
        seeds=[seed],
        learning_rate=RATE,
        weight_decay=weight_decay,
        epochs=passes,
        batch_size=BATCH,
    )
    return _measured(model.fit(train.astype(np.int64)), held)


def student(
    train: np.ndarray,
    held: np.ndarray,
    vocab: int,
    d: int,
    teachers: np.ndarray,
    weight_decay: float,
    passes: int,
    seed: int,
) -> dict[str, Any]:
    """A model of the teachers' size that reads what they write beside the text.

    `teachers` (M, P) holds their weights. The result is as of `text_model`.
    """
    model = distill(
        together([restored(w, vocab, d) for w in teachers], train),
        lambda context, vocab, seed: TinyGPT(vocab, d, DEPTH, context, seed=seed),
        train.astype(np.int64),
        SHARE,
        seeds=[seed],
        learning_rate=RATE,
        weight_decay=weight_decay,
        epochs=passes,
        batch_size=BATCH,
    )
    assert isinstance(model, LanguageModel)
    return _measured(model, held)


@torch.no_grad()
def subsets(held: np.ndarray, vocab: int, d: int, weights: np.ndarray) -> dict[str, Any]:
    """Losses (2^M - 1, w) of the ensembles of all subsets of M nets with weights (M, P).

    Entry i is of the nets whose bits are set in i + 1; an ensemble averages logits.
    """
    nets = [restored(w, vocab, d) for w in weights]
    count = len(nets)
    windows = torch.from_numpy(held.astype(np.int64)).unfold(0, CONTEXT, CONTEXT)
    chosen = (np.arange(1, 2**count)[:, None] >> np.arange(count)) & 1
    shares = torch.tensor(chosen / chosen.sum(axis=1, keepdims=True), dtype=torch.float32)
    at_once = max(1, MOST_LOGITS // (count * CONTEXT * vocab))
    found = []
    for rows in windows.split(at_once):
        x, y = rows[:, :-1], rows[:, 1:].unsqueeze(-1)
        logits = torch.stack([net(x) for net in nets])
        means = [torch.tensordot(share, logits, 1).log_softmax(-1) for share in shares]
        found.append(torch.stack([-m.gather(-1, y)[..., 0].double().mean(-1) for m in means]))
    return {"losses": torch.cat(found, 1).numpy()}


def together(nets: Sequence[TinyGPT], train: np.ndarray) -> LanguageModel:
    """Trained nets as one model that averages their logits."""
    return LanguageModel.of(nets, np.bincount(train, minlength=nets[0].vocab) / len(train))


def restored(weights: np.ndarray, vocab: int, d: int) -> TinyGPT:
    """A trained net from its weights (P,)."""
    net = TinyGPT(vocab, d, DEPTH, CONTEXT)
    nn.utils.vector_to_parameters(torch.from_numpy(np.array(weights)), net.parameters())
    return net.eval()


def _measured(model: LanguageModel, held: np.ndarray) -> dict[str, Any]:
    weights = nn.utils.parameters_to_vector(model.ensemble_.member(0).parameters())
    return {
        "losses": model.window_losses(held.astype(np.int64)),
        "weights": weights.detach().numpy(),
    }
