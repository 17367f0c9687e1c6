"""Small language models trained on a fixed text, as members of one ensemble."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overparam.nets.tiny_gpt import TinyGPT
from overparam.training.ensemble import Ensemble, ModuleFactory
from overparam.training.execution_plan import Plan
from overparam.training.gradient_clipping import ClipGradients
from overparam.training.logit_ensemble import Average, LogitEnsemble
from overparam.training.text_sampling import sample_tokens

_MOST_LOGITS = 2**24  # at once where windows are scored: 64 MB
_SAMPLED_AT_ONCE = 256  # texts: what is kept of them fits a cache of a few megabytes a layer


class LanguageModel:
    """Next-token models of one text: M members that differ in initial weights and data order.

    The recipe is AdamW (0.9, 0.95), weight decay on matrices only (embeddings included), 5 % linear
    warm-up, cosine to 0, gradients of norm at most 1. The text is cut into windows of `context`
    tokens, each of which is predicted once an epoch.

    Parameters
    ----------
    vocab : int
        Different tokens.
    d, depth, context, heads
        See `nets.TinyGPT`.
    seeds : sequence of int
        One a member.
    learning_rate, weight_decay : float or sequence of M floats
        The usual weight decay is 0.1; on a text that is read many times the best is 10 to 30 times
        as large. What it does in a run is about rate x decay x steps / 2 foldings of the weights.
    epochs : int
        Passes over the text.
    batch_size : int
        Windows an update.
    module_factory : callable, optional
        `(context, vocab, seed) -> nn.Module` on tokens, in place of a `TinyGPT`; `sample` needs
        a `TinyGPT`.
    plan, device
        See `training.Ensemble`.

    Attributes
    ----------
    ensemble_ : Ensemble
        The members.
    frequencies_ : ndarray (vocab,)
        Of the tokens in the text.

    Examples
    --------
    >>> tokens = np.tile(np.arange(8), 200)
    >>> model = LanguageModel(8, d=16, context=16, epochs=20, learning_rate=1e-2).fit(tokens)
    >>> model.score(tokens) > -0.3  # nats a token; guessing has -log 8 = -2.08
    True
    >>> model.sample(2, 6, seed=0).shape
    (2, 6)
    """

    def __init__(
        self,
        vocab: int,
        d: int = 64,
        depth: int = 2,
        context: int = 64,
        heads: int | None = None,
        *,
        seeds: Sequence[int] = (0,),
        learning_rate: float | Sequence[float] = 3e-3,
        weight_decay: float | Sequence[float] = 0.1,
        epochs: int = 16,
        batch_size: int = 16,
        module_factory: ModuleFactory | None = None,
        plan: Plan = "auto",
        device: torch.device | str | None = None,
    ) -> None:
        self.vocab, self.d, self.depth, self.context, self.heads = vocab, d, depth, context, heads
        self.seeds = tuple(seeds)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.epochs, self.batch_size = epochs, batch_size
        self.module_factory = module_factory
        self.plan, self.device = plan, device

    def fit(
        self, tokens: Any, *, synthetic: Any = None, synthetic_weight: float = 0.75
    ) -> LanguageModel:
        """Train on a text (n,), from new initial weights.

        Parameters
        ----------
        tokens : array (n,) of integers
            A memory map is read as it is needed, and never copied.
        synthetic : array (s, context + 1) of integers, optional
            Texts drawn from a teacher (`sample`).
        synthetic_weight : float
            Their share of the loss, in (0, 1). The run is 1 / (1 - share) times as long, so that
            the real text is read `epochs` times.

        Raises
        ------
        ValueError
            If the text is shorter than a window or holds other tokens than 0 .. vocab - 1.
        """
        text = self._tokens(tokens)
        windows = text.unfold(0, self.context + 1, self.context)
        batches = len(windows) / self.batch_size
        x, y, weights = windows[:, :-1], windows[:, 1:], None
        steps = self.epochs * batches
        if synthetic is not None:
            if not 0 < synthetic_weight < 1:
                raise ValueError(f"synthetic_weight must be in (0, 1); got {synthetic_weight!r}.")
            drawn = torch.as_tensor(synthetic)
            if drawn.dim() != 2 or drawn.shape[1] != self.context + 1:
                raise ValueError(
                    f"synthetic must have shape (texts, {self.context + 1}), context + 1 tokens "
                    f"each; got {tuple(drawn.shape)}."
                )
            x = torch.cat([x.long(), drawn[:, :-1]])
            y = torch.cat([y.long(), drawn[:, 1:]])
            weights = mixture_weights(len(windows), len(drawn), synthetic_weight)
            steps /= 1 - synthetic_weight
        self.frequencies_ = torch.bincount(text, minlength=self.vocab).numpy() / len(text)
        factory = self.module_factory or self._tiny_gpt
        self.ensemble_ = Ensemble(
            factory, self.seeds, self.context, self.vocab, plan=self.plan, device=self.device
        )
        self.ensemble_.fit(
            x,
            y,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            betas=(0.9, 0.95),
            decayed="matrices",
            batch_size=self.batch_size,
            steps=max(1, round(steps)),
            steps_per_epoch=max(1, math.ceil(batches)),
            schedule="warmup_cosine",
            weights=weights,
            callbacks=[ClipGradients(1.0)],
        )
        return self

    def score(self, tokens: Any, *, average: Average = "logits") -> float:
        """Minus the mean loss in nats a token of the members' average on a text (n,).

        The text is cut into windows of `context` tokens; all but the first of each are predicted.
        """
        x, y = self.windows(tokens)
        return -LogitEnsemble(self._fitted(), average).loss(x, y)

    @classmethod
    def of(cls, nets: Sequence[TinyGPT], frequencies: Any) -> LanguageModel:
        """Trained networks of one shape as the members of one model.

        Parameters
        ----------
        nets : sequence of TinyGPT
        frequencies : array (vocab,)
            Of the tokens in the text that they were trained on.
        """
        net, places = nets[0], range(len(nets))
        model = cls(net.vocab, net.d, net.depth, net.context, net.heads, seeds=places)
        model.frequencies_ = np.asarray(frequencies)
        factory: ModuleFactory = lambda context, vocab, place: nets[place]  # noqa: E731
        model.ensemble_ = Ensemble(factory, places, net.context, net.vocab)
        return model

    def member_losses(self, tokens: Any) -> np.ndarray:
        """Mean loss (M,) of each member alone, in nats a token, as `score` measures it."""
        x, y = self.windows(tokens)
        ensemble = self._fitted()
        members = [ensemble.member(i) for i in range(len(ensemble))]
        return np.array([LogitEnsemble(member).loss(x, y, block=256) for member in members])

    def window_losses(self, tokens: Any, *, average: Average = "logits") -> np.ndarray:
        """Loss (w,) of each window in nats a token: `score` before the mean over windows."""
        x, y = self.windows(tokens)
        together = LogitEnsemble(self._fitted(), average)
        found = []
        at_once = max(1, _MOST_LOGITS // (len(self._fitted()) * self.context * self.vocab))
        for i in range(0, len(x), at_once):
            rows = slice(i, i + at_once)
            log_p = torch.from_numpy(together.predict_logits(x[rows]))
            found.append(-log_p.gather(-1, y[rows].unsqueeze(-1))[..., 0].double().mean(-1))
        return torch.cat(found).numpy()

    def windows(self, tokens: Any) -> tuple[Tensor, Tensor]:
        """What is read and what is predicted, (w, context - 1) each, of a text (n,)."""
        text = self._tokens(tokens)
        rows = text.unfold(0, self.context, self.context)
        return rows[:, :-1].long(), rows[:, 1:].long()

    def sample(self, n: int, length: int, seed: int = 0, *, temperature: float = 1.0) -> np.ndarray:
        """Draw texts (n, length), int64, from the softmax of the members' mean logits.

        The first token has its frequency in the training text. The same seed gives the same texts.

        Raises
        ------
        ValueError
            If `n` or `length` is below 1 or `temperature` is not a positive number.
        """
        if n < 1 or length < 1:
            raise ValueError(f"n and length must be integers >= 1; got {n!r} and {length!r}.")
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature must be a number > 0; got {temperature!r}.")
        ensemble = self._fitted()
        module = ensemble.member(0)
        if not isinstance(module, TinyGPT):
            raise ValueError(f"sample needs a TinyGPT; got {type(module).__name__}.")
        generator = torch.Generator().manual_seed(seed)
        first = torch.from_numpy(self.frequencies_)
        parts = []
        for start in range(0, n, _SAMPLED_AT_ONCE):
            count = min(_SAMPLED_AT_ONCE, n - start)
            begin = torch.multinomial(first, count, replacement=True, generator=generator)
            parts.append(
                sample_tokens(
                    module,
                    ensemble.state,
                    begin.to(ensemble.device),
                    length,
                    generator,
                    temperature=temperature,
                )
            )
        return torch.cat(parts).cpu().numpy()

    def _tiny_gpt(self, context: int, vocab: int, seed: int) -> TinyGPT:
        return TinyGPT(vocab, self.d, self.depth, context, self.heads, seed)

    def _fitted(self) -> Ensemble:
        if not hasattr(self, "ensemble_"):
            raise AttributeError("ensemble_ exists after fit; call fit(tokens) first.")
        return self.ensemble_

    def _tokens(self, tokens: Any) -> Tensor:
        text = torch.as_tensor(tokens)
        if text.dim() != 1 or text.is_floating_point() or len(text) <= self.context:
            raise ValueError(
                f"tokens must be more than context={self.context} integers, shape (n,); "
                f"got {text.dtype} of shape {tuple(text.shape)}."
            )
        low, high = int(text.min()), int(text.max())
        if low < 0 or high >= self.vocab:
            raise ValueError(
                f"tokens must be in 0 .. {self.vocab - 1} for vocab={self.vocab}; "
                f"got {low if low < 0 else high}."
            )
        return text


def mixture_weights(real: int, synthetic: int, share: float) -> np.ndarray:
    """Example weights (real + synthetic,) that give the synthetic rows `share` of the loss."""
    return np.repeat([(1 - share) / real, share / synthetic], [real, synthetic])
