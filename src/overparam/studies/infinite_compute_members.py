"""The language models of `infinite_compute`: one trained model a cell, shared by its claims.

Models are what `training.LanguageModel` makes of the first `characters` characters of a text, and
are scored on held-out ones: nats a character over windows of 64, of which 63 are predicted.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn

from overparam.data import text
from overparam.evidence.cell_settings import cache_folder
from overparam.evidence.cells import CellResult, call, call_many, settings
from overparam.nets.tiny_gpt import TinyGPT
from overparam.training.language_model import LanguageModel

CONTEXT = 64
VOCABULARY = len(text.ALPHABET)


def trained_model(
    d: int,
    weight_decay: float,
    epochs: int,
    seed: int,
    learning_rate: float,
    source: str,
    characters: int,
    valid: int,
) -> dict[str, Any]:
    """One model, trained on real text alone: its losses and weights."""
    train, _ = parts(source, characters, valid)
    model = LanguageModel(
        VOCABULARY,
        d,
        context=CONTEXT,
        seeds=[seed],
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        epochs=epochs,
    )
    return measured(model.fit(train), source, characters, valid)


def measured(model: LanguageModel, source: str, characters: int, valid: int) -> dict[str, Any]:
    """Losses of a fitted model of one member on held-out, other and training text; its weights."""
    train, held_out = parts(source, characters, valid)
    return {
        "loss": float(model.member_losses(held_out)[0]),
        "elsewhere": float(model.member_losses(elsewhere(source)[:valid])[0]),
        "train_loss": float(model.member_losses(train)[0]),
        "steps": model.ensemble_.history.steps,
        "weights": nn.utils.parameters_to_vector(model.ensemble_.member(0).parameters())
        .detach()
        .numpy(),
    }


def parts(source: str, characters: int, valid: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens to train on and held-out ones."""
    folder = cache_folder() / "text" if source == "gcide" else None  # 23 M characters: mapped
    tokens, _ = text.load(source, folder)
    train, held_out = text.split(tokens, characters, valid)
    return train.astype(np.int64), held_out.astype(np.int64)


def elsewhere(source: str) -> np.ndarray:
    """A text of another domain in the same alphabet: technical prose, or Python source."""
    if source != "python-topics":
        return text.load("python-topics")[0]
    path = inspect.getsourcefile(inspect)
    assert path is not None
    code = Path(path).read_text("utf-8")
    return text.encode("".join(c for c in code if c in text.ALPHABET), text.ALPHABET)


def restored(weights: np.ndarray, d: int) -> TinyGPT:
    """A trained model from its stored weights."""
    module = TinyGPT(VOCABULARY, d, context=CONTEXT)
    nn.utils.vector_to_parameters(torch.from_numpy(np.array(weights)), module.parameters())
    return module.eval()


def models(
    seeds: Sequence[int], recipes: Iterable[Mapping[str, Any]], **constants: Any
) -> pl.DataFrame:
    """Train every recipe with every seed; a row a model, with its recipe, without its weights."""
    asked = [{**constants, **recipe, "seed": seed} for recipe in recipes for seed in seeds]
    found = call_many(trained_model, asked, errors="raise", label="language models")
    rows = []
    for at, result in zip(asked, found, strict=True):
        assert isinstance(result, CellResult)
        figures = {name: value for name, value in result.value.items() if name != "weights"}
        rows.append({**at, **figures})
    return pl.DataFrame(rows)


def members(seeds: Sequence[int], **recipe: Any) -> list[TinyGPT]:
    """The models of one recipe, read back (or trained, where they are not stored)."""
    with settings(progress=False):
        cells = [call(trained_model, **recipe, seed=seed) for seed in seeds]
    return [restored(np.asarray(cell.value["weights"]), recipe["d"]) for cell in cells]
