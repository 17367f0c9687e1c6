"""The recommended model of a text as a folder: safetensors and JSON.

model.json            what it is, its alphabet, versions, how it was measured
model.safetensors     weights of the members, stacked; or the counts of runs of tokens
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import safetensors.numpy
import torch

from overparam.data import text
from overparam.data.byte_pairs import BytePairs
from overparam.evidence.errors import UserError
from overparam.nets.tiny_gpt import TinyGPT
from overparam.training.language_model import LanguageModel
from overparam.training.ngrams import NGrams

FORMAT = 1
KIND = "language"
UNKNOWN = 0.02  # of a passage's characters may be unknown: they are left out

Fitted = LanguageModel | NGrams


class SavedLanguageModel:
    """A recommended model of a text, read by `overparam.load_model`.

    Attributes
    ----------
    task : str
        `language`.
    info : dict
        What model.json holds.
    alphabet : str or BytePairs
        What tokens stand for.
    """

    task = "language"

    def __init__(self, info: Mapping[str, Any], alphabet: text.Alphabet, model: Fitted) -> None:
        self.info, self.alphabet, self._model = dict(info), alphabet, model

    def __repr__(self) -> str:
        return f"SavedLanguageModel({self.info['title']!r}, {len(self.alphabet)} tokens)"

    def score(self, passage: str) -> float:
        """Mean log probability of a passage in nats a token; less negative is better."""
        return -float(self._losses(self._tokens(passage)).mean())

    def sample(
        self, n: int = 1, length: int = 64, seed: int = 0, *, temperature: float = 1.0
    ) -> list[str]:
        """Write `n` texts of `length` tokens, at most the model's context."""
        if length > self.info["context"]:
            raise UserError(
                f"length must be at most {self.info['context']} tokens, which the model was "
                f"trained to read at once; got {length}."
            )
        drawn = self._model.sample(n, length, seed, temperature=temperature)
        return [text.decode(row, self.alphabet) for row in drawn]

    def predictions_of(self, passage: str) -> pl.DataFrame:
        """The table of `predictions`, of a passage."""
        return self.surprise(self._tokens(passage))

    def predictions(self, data: Any) -> pl.DataFrame:
        """How surprising each window of a text file is: its text, and nats a token."""
        path = Path(data)
        if not path.is_file():
            raise UserError(f"data must be a text file; got {str(data)!r}.")
        return self.predictions_of(path.read_text("utf-8", errors="replace"))

    def surprise(self, tokens: np.ndarray) -> pl.DataFrame:
        """The table of `predictions`, of tokens (n,)."""
        context = self.info["context"]
        windows = tokens[: len(tokens) // context * context].reshape(-1, context)
        return pl.DataFrame(
            {
                "window": np.arange(len(windows)),
                "text": [text.decode(row, self.alphabet) for row in windows],
                "nats": self._losses(tokens),
            }
        )

    def _losses(self, tokens: np.ndarray) -> np.ndarray:
        return window_losses(self._model, tokens, self.info["context"])

    def _tokens(self, passage: str) -> np.ndarray:
        if isinstance(self.alphabet, BytePairs):
            tokens = self.alphabet.encode(passage)
        elif text.REPLACEMENT in self.alphabet:
            tokens = text.encode(passage, self.alphabet)
        else:
            known = set(self.alphabet)
            kept = "".join(c for c in passage if c in known)
            if len(kept) < (1 - UNKNOWN) * len(passage):
                strange = sorted(set(passage) - known)
                raise UserError(
                    f"data must be of characters that the model knows, but for {100 * UNKNOWN:.0f} "
                    f"% that are left out; got {len(passage) - len(kept):,} others of "
                    f"{len(passage):,}, such as {strange[0]!r}."
                )
            tokens = text.encode(kept, self.alphabet)
        if len(tokens) <= self.info["context"]:
            raise UserError(
                f"data must have more than {self.info['context']} tokens that the model knows; "
                f"got {len(tokens)}."
            )
        return tokens


def window_losses(model: Fitted, tokens: np.ndarray, context: int) -> np.ndarray:
    """Losses (w,) of the windows of a text in nats a token."""
    if isinstance(model, LanguageModel):
        return model.window_losses(tokens.astype(np.int64))
    windows = tokens[: len(tokens) // context * context].reshape(-1, context)
    return -model.log_probabilities(windows).mean(axis=-1)


def save_language_model(
    folder: Path, model: Fitted, alphabet: text.Alphabet, info: Mapping[str, Any]
) -> None:
    """Write the folder; `info` (title, measured, context, versions) goes to model.json."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(model, LanguageModel):
        state = {
            name: v.detach().cpu().numpy() for name, v in model.ensemble_.state.tensors().items()
        }
        state["frequencies"] = np.asarray(model.frequencies_)
        net = model.ensemble_.member(0)
        assert isinstance(net, TinyGPT)
        shape: dict[str, Any] = {
            "vocab": net.vocab,
            "d": net.d,
            "depth": net.depth,
            "heads": net.heads,
            "members": len(model.ensemble_),
        }
    else:
        state = model.state()
        shape = {
            "vocab": model.vocab,
            "order": model.order,
            "strength": model.strength,
            "floor": model.floor,
        }
    safetensors.numpy.save_file(
        {name: np.ascontiguousarray(v) for name, v in state.items()}, folder / "model.safetensors"
    )
    pairs = isinstance(alphabet, BytePairs)
    described = {
        "format": FORMAT,
        "kind": KIND,
        "counts": not isinstance(model, LanguageModel),
        "shape": shape,
        "alphabet": alphabet.to_json() if isinstance(alphabet, BytePairs) else alphabet,
        "byte_pairs": pairs,
        **info,
    }
    (folder / "model.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def read_language_model(folder: Path, info: Mapping[str, Any]) -> SavedLanguageModel:
    """The model of a folder whose model.json holds `info`."""
    state = safetensors.numpy.load_file(folder / "model.safetensors")
    shape = dict(info["shape"])
    model: Fitted
    if info["counts"]:
        model = NGrams(**shape).load_state(state)
    else:
        frequencies, members = state.pop("frequencies"), shape.pop("members")
        nets = []
        for i in range(members):
            net = TinyGPT(context=info["context"], **shape)
            net.load_state_dict({name: torch.as_tensor(v[i]) for name, v in state.items()})
            nets.append(net.eval())
        model = LanguageModel.of(nets, frequencies)
    alphabet = BytePairs.from_json(info["alphabet"]) if info["byte_pairs"] else info["alphabet"]
    return SavedLanguageModel(info, alphabet, model)
