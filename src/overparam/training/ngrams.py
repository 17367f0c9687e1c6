"""Next tokens by counting: what any model of a text must beat.

With c counts of the training text and h the tokens before t, longest first,

    p_1(t) = (c(t) + floor) / (n + floor V)
    p_k(t | h) = (c(h t) + strength p_{k-1}(t | h without its first)) / (c(h) + strength)

so that a history seen c times has weight c / (c + strength) against the shorter one (the smoothing
of MacKay and Peto 1995). Only what occurs is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class NGrams:
    """Interpolated n-gram model of a text.

    Parameters
    ----------
    vocab : int
        Different tokens.
    order : int
        Tokens of the longest n-gram: 1 looks at no history, 3 at two tokens of it.
    strength : float
        Times that a history must be seen to count half.
    floor : float
        Added to the count of every token.

    Raises
    ------
    ValueError
        If `order` is below 1 or vocab^order exceeds a 64-bit integer.

    Examples
    --------
    >>> model = NGrams(3, order=2, strength=1.0).fit(np.array([0, 1, 2] * 20))
    >>> round(float(np.exp(model.log_probabilities(np.array([[0, 1, 2]])))[0, 0]), 2)
    0.97
    """

    def __init__(
        self, vocab: int, order: int = 3, strength: float = 8.0, floor: float = 0.1
    ) -> None:
        if order < 1 or vocab**order >= 2**63:
            raise ValueError(
                f"order must be at least 1 with vocab^order below 2^63; got {order} for a "
                f"vocabulary of {vocab}."
            )
        self.vocab, self.order, self.strength, self.floor = vocab, order, strength, floor
        self._keys: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []

    def fit(self, tokens: Any) -> NGrams:
        """Count a text (n,)."""
        text = self._checked(tokens)
        if text.ndim != 1 or len(text) < self.order:
            raise ValueError(
                f"tokens must have shape (n,) with n >= order = {self.order}; got {text.shape}."
            )
        self._keys, self._counts = [], []
        for k in range(1, self.order + 1):
            keys, counts = np.unique(self._codes(text, k), return_counts=True)
            self._keys.append(keys)
            self._counts.append(counts)
        return self

    def log_probabilities(self, windows: Any) -> np.ndarray:
        """Log probability (..., T - 1) of each token of texts (..., T) but the first.

        A token's history begins with its text.
        """
        x = self._checked(windows)
        p = self._unigram(x[..., 1:])
        for k in range(2, min(self.order, x.shape[-1]) + 1):
            # Positions with k - 1 tokens before them: from the k-th on.
            grams = self._codes(x, k)
            seen = self._count(k, grams)
            before = self._history(k, grams // self.vocab)
            longer = (seen + self.strength * p[..., k - 2 :]) / (before + self.strength)
            p = np.concatenate([p[..., : k - 2], longer], axis=-1)
        return np.log(p)

    def distribution(self, history: Any) -> np.ndarray:
        """Probabilities (vocab,) of the token after a history (h,)."""
        every = np.arange(self.vocab)
        p = self._unigram(every)
        past = np.asarray(history, dtype=np.int64)
        for k in range(2, min(self.order, len(past) + 1) + 1):
            code = int(self._codes(past[len(past) - k + 1 :], k - 1)[0])
            seen = self._count(k, code * self.vocab + every)
            before = self._history(k, np.array(code))
            p = (seen + self.strength * p) / (before + self.strength)
        return p

    def sample(self, n: int, length: int, seed: int = 0, *, temperature: float = 1.0) -> np.ndarray:
        """Draw texts (n, length), int64; the first token has its frequency."""
        if not 0 < temperature < np.inf:
            raise ValueError(f"temperature must be a number > 0; got {temperature!r}.")
        rng = np.random.default_rng(seed)
        drawn = np.empty((n, length), dtype=np.int64)
        for row in drawn:
            for i in range(length):
                logits = np.log(self.distribution(row[:i])) / temperature
                p = np.exp(logits - logits.max())
                row[i] = rng.choice(self.vocab, p=p / p.sum())
        return drawn

    def state(self) -> dict[str, np.ndarray]:
        """Counts as arrays by name; `load_state` reads them back."""
        named = {f"keys.{k}": v for k, v in enumerate(self._keys, start=1)}
        return named | {f"counts.{k}": v for k, v in enumerate(self._counts, start=1)}

    def load_state(self, state: Mapping[str, np.ndarray]) -> NGrams:
        """Take counts that `state` gave."""
        orders = range(1, self.order + 1)
        self._keys = [np.asarray(state[f"keys.{k}"]) for k in orders]
        self._counts = [np.asarray(state[f"counts.{k}"]) for k in orders]
        return self

    def _checked(self, tokens: Any) -> np.ndarray:
        text = np.asarray(tokens, dtype=np.int64)
        if text.size and not (text.min() >= 0 and text.max() < self.vocab):
            raise ValueError(f"tokens must be in 0 .. {self.vocab - 1}; got {text.max()}.")
        return text

    def _unigram(self, tokens: np.ndarray) -> np.ndarray:
        total = self._counts[0].sum() + self.floor * self.vocab
        return (self._count(1, tokens) + self.floor) / total

    def _codes(self, text: np.ndarray, k: int) -> np.ndarray:
        """Numbers (..., T - k + 1) of the runs of k tokens."""
        length = text.shape[-1] - k + 1
        codes = np.zeros((*text.shape[:-1], length), dtype=np.int64)
        for i in range(k):
            codes = codes * self.vocab + text[..., i : i + length]
        return codes

    def _count(self, k: int, codes: np.ndarray) -> np.ndarray:
        keys, counts = self._keys[k - 1], self._counts[k - 1]
        place = np.minimum(np.searchsorted(keys, codes), len(keys) - 1)
        return np.where(keys[place] == codes, counts[place], 0)

    def _history(self, k: int, codes: np.ndarray) -> np.ndarray:
        """How often histories of k - 1 tokens were followed by anything."""
        keys, counts = self._keys[k - 1], self._counts[k - 1]
        before = np.concatenate([[0], np.cumsum(counts)])
        low = np.searchsorted(keys, codes * self.vocab)
        high = np.searchsorted(keys, (codes + 1) * self.vocab)
        return before[high] - before[low]
