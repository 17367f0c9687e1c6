"""DataDiet: which examples carry the learning, from a few short runs (arXiv 2107.07075)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from overparam.diagnostics.example_scores import el2n, l1_error, margin_score
from overparam.diagnostics.forgetting import ForgettingTracker
from overparam.diagnostics.gradient_norms import grand
from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from overparam.training.schedules import cosine

_OF_LOGITS: dict[str, Callable[..., np.ndarray]] = {
    "el2n": el2n,
    "l1": l1_error,
    "margin": margin_score,
}
SCORES = (*_OF_LOGITS, "grand", "grand_last", "forgetting")


class DataDiet(BaseEstimator):
    """Score the rows of a training set by several short runs, and select from them.

    All members train as one ensemble for `score_epoch` epochs of a cosine schedule of `epochs`:
    the scores are those of networks that have just begun. It chooses rows, not columns, and so it
    is neither a transformer nor a selector of scikit-learn.

    Parameters
    ----------
    module_factory : callable, optional
        `module_factory(n_features, n_outputs, seed) -> nn.Module`; by default
        `nets.MLP(n_features, n_outputs, (128, 128))`.
    scores : sequence of str
        Of "el2n", "grand" (all parameters), "grand_last" (last layer), "l1", "margin" and
        "forgetting" (events within the scored epochs; never learnt is one more than the most).
        The first one ranks.
    n_members : int
        Independent runs; ten or more, for a single one ranks by luck too.
    score_epoch : int
        After how many epochs to score; 0 scores initial weights (see `grand` for what that is
        worth).
    epochs : int
        Length of the schedule of which the scored epochs are the beginning.
    batch_size, learning_rate, momentum, weight_decay
        Nesterov's SGD.
    random_state : int
        Member i has the seed ``random_state + i``.

    Attributes
    ----------
    scores_ : dict of str to ndarray of shape (n,)
        Means over members; high is hard.
    score_std_ : dict of str to ndarray of shape (n,)
        Standard deviation over members (of n - 1); 0 for a single one.
    ranking_ : ndarray of shape (n,), int
        Rows from the easiest to the hardest by the first score; ties in their order.
    classes_ : ndarray of shape (k,)
    ensemble_ : Ensemble
        The scored networks.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> diet = DataDiet(n_members=4).fit((X - X.mean()) / X.std(), y)
    >>> len(diet.select(keep=0.5, drop_top=0.02))
    898
    """

    def __init__(
        self,
        module_factory: Callable[[int, int, int], torch.nn.Module] | None = None,
        scores: Sequence[str] = ("el2n",),
        n_members: int = 10,
        *,
        score_epoch: int = 2,
        epochs: int = 20,
        batch_size: int = 100,
        learning_rate: float = 0.05,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        random_state: int = 0,
    ) -> None:
        self.module_factory = module_factory
        self.scores = scores
        self.n_members = n_members
        self.score_epoch = score_epoch
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> DataDiet:
        """Score the rows of X (n, ...), standardised features, with labels y (n,).

        Raises
        ------
        ValueError
            If an argument is outside what is accepted, or y holds a single class.
        """
        self._check()
        X, y = np.asarray(X), np.asarray(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if y.shape != (len(X),) or len(self.classes_) < 2:
            raise ValueError(
                f"y must have shape ({len(X)},) and hold at least 2 classes; got shape {y.shape} "
                f"and {len(self.classes_)} classes."
            )
        seeds = range(self.random_state, self.random_state + self.n_members)
        features = int(np.prod(X.shape[1:]))
        factory = self.module_factory or _two_hidden_layers
        self.ensemble_ = Ensemble(factory, seeds, features, len(self.classes_))
        tracker = ForgettingTracker(len(X), self.n_members)
        if self.score_epoch:
            whole = self.epochs / self.score_epoch
            self.ensemble_.fit(
                X,
                codes,
                optimizer="nesterov",
                learning_rate=self.learning_rate,
                momentum=self.momentum,
                weight_decay=self.weight_decay,
                batch_size=self.batch_size,
                epochs=self.score_epoch,
                schedule=lambda step, total: cosine(step, round(whole * total)),
                callbacks=[tracker] if "forgetting" in self.scores else [],
            )
        by_member = self._scored(X, codes, tracker)
        self.scores_ = {name: found.mean(axis=0) for name, found in by_member.items()}
        self.score_std_ = {
            name: found.std(axis=0, ddof=1) if len(found) > 1 else np.zeros(len(X))
            for name, found in by_member.items()
        }
        self.ranking_ = np.argsort(self.scores_[self.scores[0]], kind="stable")
        return self

    def select(
        self, keep: float = 0.5, drop_top: float = 0.0, by: str | np.ndarray = "el2n"
    ) -> np.ndarray:
        """Rows to train on: the hardest, without the very hardest.

        Parameters
        ----------
        keep : float
            Share of the rows, in (0, 1].
        drop_top : float
            Share of the rows with the highest scores to leave out first: they are wrong labels
            above all. Choose it on validation rows.
        by : str or array of shape (n,)
            One of the fitted scores, or numbers of your own. Ties keep the order of the rows.

        Returns
        -------
        ndarray of int
            Ascending. Train on them for as many *steps* as on all rows.

        Raises
        ------
        ValueError
            If `keep` or `drop_top` is out of range, their sum exceeds 1, or `by` is no score.
        """
        return selected(self._by(by), keep, drop_top)

    def _by(self, by: str | np.ndarray) -> np.ndarray:
        n = len(self.ranking_)
        if isinstance(by, str):
            if by not in self.scores_:
                raise ValueError(f"by must be one of {sorted(self.scores_)}; got {by!r}.")
            return self.scores_[by]
        numbers = np.asarray(by, dtype=float)
        if numbers.shape != (n,) or np.isnan(numbers).any():
            raise ValueError(f"by must be {n} numbers, one a row; got shape {numbers.shape}.")
        return numbers

    def _scored(self, X: np.ndarray, y: np.ndarray, tracker: ForgettingTracker) -> dict[str, Any]:
        """Score -> (M, n)."""
        logits = self.ensemble_.predict_logits(X) if set(self.scores) & set(_OF_LOGITS) else None
        found: dict[str, np.ndarray] = {}
        for name in self.scores:
            if name in _OF_LOGITS:
                found[name] = _OF_LOGITS[name](logits, y, average=False)
            elif name == "forgetting":
                counts = tracker.counts_
                most = counts.max(initial=0, where=np.isfinite(counts))
                found[name] = np.where(np.isfinite(counts), counts, most + 1)
            else:
                found[name] = grand(
                    self.ensemble_, X, y, "last" if name == "grand_last" else "all", average=False
                )
        return found

    def _check(self) -> None:
        for name, least in (("n_members", 1), ("score_epoch", 0), ("epochs", 1)):
            value = getattr(self, name)
            if value != int(value) or value < least:
                raise ValueError(f"{name} must be an integer >= {least}; got {value!r}.")
        if self.score_epoch > self.epochs:
            raise ValueError(
                f"score_epoch must be at most epochs={self.epochs}; got {self.score_epoch}."
            )
        unknown = sorted(set(self.scores) - set(SCORES))
        if unknown or not self.scores or isinstance(self.scores, str):
            raise ValueError(f"scores must be some of {list(SCORES)}; got {self.scores!r}.")


def selected(scores: np.ndarray, keep: float, drop_top: float = 0.0) -> np.ndarray:
    """Rows (ascending) of the `keep` share with the highest scores below the top `drop_top`."""
    if not 0 < keep <= 1:
        raise ValueError(f"keep must be in (0, 1]; got {keep!r}.")
    if not 0 <= drop_top < 1 or keep + drop_top > 1 + 1e-12:
        raise ValueError(
            f"drop_top must be at least 0 and keep + drop_top at most 1; got keep={keep!r} and "
            f"drop_top={drop_top!r}."
        )
    n = len(scores)
    size = max(1, round(keep * n))
    end = n - min(round(drop_top * n), n - size)
    return np.sort(np.argsort(scores, kind="stable")[end - size : end])


def _two_hidden_layers(n_features: int, n_outputs: int, seed: int) -> torch.nn.Module:
    return MLP(n_features, n_outputs, (128, 128), seed=seed)
