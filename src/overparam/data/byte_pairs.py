"""Byte pairs: tokens of a few characters each, learnt from a text (an extra, by `tokenizers`)."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np

from overparam.evidence.errors import UserError


class BytePairs:
    """A vocabulary of byte pairs: every text is some sequence of its tokens, and back.

    Made by `learn`. It starts from the 256 bytes and merges the most frequent neighbours within
    words until there are `vocabulary` tokens (Sennrich et al. 2016, on bytes as in GPT-2).

    Raises
    ------
    UserError
        If the library is missing; the line says how to install it.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def learn(cls, texts: Iterable[str], vocabulary: int) -> BytePairs:
        """Learn `vocabulary` >= 257 tokens from texts."""
        if vocabulary != int(vocabulary) or vocabulary < 257:
            raise ValueError(f"vocabulary must be an integer >= 257; got {vocabulary!r}.")
        library = _library()
        tokenizer = library.Tokenizer(library.models.BPE())
        tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(
            vocab_size=int(vocabulary),
            initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    @classmethod
    def from_json(cls, text: str) -> BytePairs:
        """What `to_json` wrote."""
        return cls(_library().Tokenizer.from_str(text))

    def to_json(self) -> str:
        """The whole vocabulary as text."""
        return self._tokenizer.to_str()

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def __getitem__(self, token: int) -> str:
        return self.decode(np.array([token]))

    def encode(self, text: str) -> np.ndarray:
        """Tokens (n,), int64, of a text."""
        return np.array(self._tokenizer.encode(text).ids, dtype=np.int64)

    def decode(self, tokens: np.ndarray) -> str:
        """The text of tokens (n,)."""
        return self._tokenizer.decode(np.asarray(tokens).tolist())


def _library() -> Any:
    try:
        return import_module("tokenizers")
    except ImportError:
        raise UserError(
            "vocabulary needs an extra for byte pairs: pip install 'overparam[text]'."
        ) from None
