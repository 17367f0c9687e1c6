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
        `losses` (w,) of the held-out windows in nats a token, `train_loss`, `weights` (P,).
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
    return _measured(model.fit(train.astype(np.int64)), train, held)


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
    return _measured(model, train, held)


def together(nets: Sequence[TinyGPT], train: np.ndarray) -> LanguageModel:
    """Trained nets as one model that averages their logits."""
    return LanguageModel.of(nets, np.bincount(train, minlength=nets[0].vocab) / len(train))


def restored(weights: np.ndarray, vocab: int, d: int) -> TinyGPT:
    """A trained net from its weights (P,)."""
    net = TinyGPT(vocab, d, DEPTH, CONTEXT)
    nn.utils.vector_to_parameters(torch.from_numpy(np.array(weights)), net.parameters())
    return net.eval()


def _measured(model: LanguageModel, train: np.ndarray, held: np.ndarray) -> dict[str, Any]:
    seen = train[: len(held)].astype(np.int64)
    weights = nn.utils.parameters_to_vector(model.ensemble_.member(0).parameters())
    return {
        "losses": model.window_losses(held.astype(np.int64)),
        "train_loss": float(model.window_losses(seen).mean()),
        "weights": weights.detach().numpy(),
    }
