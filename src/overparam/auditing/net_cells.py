"""The cells that train nets: everything the audit measures on nets goes through these.

A tenth of every training part is held out of training: early stopping and temperature use it, so
that the validation part does nothing but choose. All nets of the audit leave it out, also those
that do not use it, so that they differ by their recipe alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import softmax

from overparam.auditing.recipes import (
    Recipe,
    count_parameters,
    features,
    from_dict,
    module_factory,
    rate_factors,
)
from overparam.auditing.untrained_guides import untrained_guides
from overparam.data.dataset import Dataset, Split, View
from overparam.evidence.errors import UserError
from overparam.training.ensemble import Ensemble
from overparam.training.mixup import MixupTransform

HELD_FOLDS = 10  # one of ten parts of the training rows is held out
SCORED_VALIDATION = 10_000  # rows; an accuracy is then known to a point, and often to a third
SCORED_TEST = 50_000
MOST_HELD = 2_000  # held-out rows: enough to stop early and to fit a temperature
TAUGHT = 0.75  # the teachers' share of a student's targets
FIRST_TEACHER = 10_000  # seeds of teachers: no other net has them
PATIENCE = 0.2  # of the epochs, without improvement, before a member is stopped


@dataclass(frozen=True)
class SplitKey:
    """Which split a cell works on: the index-th of `repeats` that share one test part."""

    seed: int
    index: int = 0
    repeats: int = 1

    def whole(self, dataset: Dataset) -> Split:
        """The split with all rows."""
        if self.repeats == 1:
            return dataset.split(self.seed)
        return dataset.repeated(self.seed, self.repeats)[self.index]

    def of(self, dataset: Dataset) -> Split:
        """The split with the validation and test rows that are scored."""
        split = self.whole(dataset)
        return replace(
            split,
            validation=at_most(split.validation, SCORED_VALIDATION, self.seed),
            test=at_most(split.test, SCORED_TEST, self.seed),
        )

    def as_dict(self) -> dict[str, int]:
        """Plain values, for a cell's arguments."""
        return {"seed": self.seed, "index": self.index, "repeats": self.repeats}


def folds(
    dataset: Dataset, rows: np.ndarray, k: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """`Dataset.folds`, fewer than k where there are not so many groups (or distinct rows)."""
    if dataset.time is None:
        units = len(np.unique(dataset.layout.unit[rows]))
        if units < 2:
            raise UserError(
                "group must have at least two groups in the training part, so that one can be "
                f"held out of {len(rows)} rows; got one. Leave --group out or split it."
            )
        k = min(k, units)
    return dataset.folds(rows, k, seed)


def fit_and_held(dataset: Dataset, train: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training rows split into those that are fitted and the tenth that is held out.

    The last fold: where rows have a time, it fits on all that is older than the latest block.
    """
    fitted, held = folds(dataset, train, HELD_FOLDS, seed)[-1]
    return fitted, subsample(held, MOST_HELD, seed)


def at_most(view: View, most: int, seed: int) -> View:
    """A view, or a random sample of `most` of its rows."""
    if len(view) <= most:
        return view
    return view.take(np.sort(np.random.default_rng(seed).choice(len(view), most, replace=False)))


def subsample(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most `most` of `rows`, nested: a smaller sample of one seed lies inside a larger one."""
    if len(rows) <= most:
        return rows
    return np.random.default_rng(seed).permutation(rows)[:most]


def fitted_rows(dataset: Dataset, key: SplitKey, most: int) -> np.ndarray:
    """At most so many of the rows that models of a split are fitted on."""
    return subsample(fit_and_held(dataset, key.of(dataset).train.rows, key.seed)[0], most, key.seed)


def squared_targets(view: View) -> np.ndarray:
    """Targets (n, k) of a squared error: one-hot labels, or the numbers as one column."""
    classes = view.dataset.classes
    return np.eye(len(classes))[view.y] if classes else view.y.astype(float)[:, None]


def on_one_scale(fitted: View, *others: View) -> list[np.ndarray]:
    """Flat features (n, d) of views, about the fitted columns' means and by one spread for all.

    A column that hardly varies in the fitted rows is not blown up.
    """
    level, spread = fitted.flat.mean(axis=0), float(fitted.flat.std()) or 1.0
    return [(view.flat - level) / spread for view in (fitted, *others)]


def views(dataset: Dataset, key: SplitKey, rows: int) -> tuple[View, View, View]:
    """The fitted (at most `rows`), held-out and validation rows of a split, prepared alike."""
    parts = key.of(dataset)
    fitted, held = fit_and_held(dataset, parts.train.rows, key.seed)
    train_rows = parts.train.rows
    return (
        dataset.view(subsample(fitted, rows, key.seed), train_rows),
        dataset.view(held, train_rows),
        parts.validation,
    )


@dataclass(frozen=True)
class FittedNets:
    """Trained members; `shift` and `scale` bring a regression's outputs to the target's unit."""

    ensemble: Ensemble
    recipe: Recipe
    shift: float
    scale: float

    def logits(self, view: View) -> np.ndarray:
        """(M, n, k) logits, or (M, n, 1) predictions in the target's unit."""
        return self.ensemble.predict_logits(features(self.recipe, view)) * self.scale + self.shift


def train(
    view: View,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    held: View | None = None,
    weights: np.ndarray | None = None,
    own: Any = None,
    vectors: Mapping[str, Sequence[float]] | None = None,
    watch: bool = False,
) -> FittedNets:
    """Train one member a seed on the rows of a view.

    `vectors` gives recipe values that differ by member (weight decay, say); `weights` (M, n) or
    (n,) weigh the rows; `held` is looked at only where the recipe stops early, or, with `watch`,
    for its loss in the history. Where the recipe has teachers, these are trained first, and all
    members that are trained together learn from the same ones.
    """
    X, y = features(recipe, view), view.y
    regression = view.dataset.task == "regression"
    shift, scale = (float(y.mean()), float(y.std()) or 1.0) if regression else (0.0, 1.0)

    def targets(labels: np.ndarray) -> np.ndarray:
        return ((labels - shift) / scale).astype(np.float32) if regression else labels

    learnt = targets(y)
    if recipe.teachers:
        learnt = _taught(view, recipe, learnt, seeds[0], held=held, weights=weights, own=own)
    validation = patience = None
    if recipe.early_stopping and held is not None:
        patience = max(3, round(PATIENCE * recipe.epochs))
    if (recipe.early_stopping or watch) and held is not None:
        validation = (features(recipe, held), targets(held.y))
    values: dict[str, Any] = {
        name: np.asarray((vectors or {}).get(name, getattr(recipe, name)))
        for name in ("learning_rate", "weight_decay", "label_smoothing")
    }
    if weights is not None and np.ndim(weights) == 1:
        weights = np.tile(weights, (len(seeds), 1))
    n_features, n_outputs = int(np.prod(X.shape[1:])), len(view.dataset.classes) or 1
    factory = module_factory(recipe, view.preprocessor, X, own)
    ensemble = Ensemble(factory, seeds, n_features, n_outputs)
    guides = []
    if recipe.guided_steps:
        example = factory(n_features, n_outputs, 0)
        guides = [untrained_guides(recipe, view, X, example, seeds, n_outputs)]
    ensemble.fit(
        X,
        learnt,
        loss="squared" if regression else "cross_entropy",
        optimizer="adamw",
        rate_factors=rate_factors(recipe, view.preprocessor, n_features, n_outputs),
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        schedule=recipe.schedule,
        weights=weights,
        validation=validation,
        patience=patience,
        callbacks=guides,
        batch_transform=MixupTransform(recipe.mix_size) if recipe.mix_size > 1 else None,
        **values,
    )
    return FittedNets(ensemble, recipe, shift, scale)


def _taught(
    view: View, recipe: Recipe, labels: np.ndarray, student: int, **options: Any
) -> np.ndarray:
    """Targets between the labels and what teachers say of the fitted rows.

    The teachers of a student of another seed are others.

    Probabilities (n, k), or numbers (n,) in the unit of `labels`.
    """
    first = FIRST_TEACHER + recipe.teachers * student
    seeds = range(first, first + recipe.teachers)
    teachers = train(view, recipe.but(teachers=0), seeds, **options)
    said = teachers.ensemble.predict_logits(features(recipe, view))
    k = len(view.dataset.classes)
    if not k:
        return (TAUGHT * said.mean(axis=0)[:, 0] + (1 - TAUGHT) * labels).astype(np.float32)
    mean = softmax(said.astype(np.float64), axis=-1).mean(axis=0)
    return (TAUGHT * mean + (1 - TAUGHT) * np.eye(k)[labels]).astype(np.float32)


def fit_nets(
    dataset: Dataset,
    split: Mapping[str, int],
    recipe: Mapping[str, Any],
    seeds: Sequence[int],
    vectors: Mapping[str, Sequence[float]] | None = None,
    row_weights: np.ndarray | None = None,
    own: Any = None,
) -> dict[str, Any]:
    """Train members on one split; logits of the held-out and the validation rows.

    Returns
    -------
    dict
        `validation` (M, n, k), `held` (M, n_held, k), `train_error` (M,) (share wrong, or the
        training RMSE over the target's spread), `gap_mean` and `gap_over_log_k` (M,) of the logit
        gaps on the fitted rows, `parameters`, `best_epoch` (M,), `diverged` (M,).
    """
    made = from_dict(recipe)
    fitted, held, validation = views(dataset, SplitKey(**split), made.rows)
    weights = None if row_weights is None else row_weights[fitted.rows]
    nets = train(fitted, made, seeds, held=held, weights=weights, own=own, vectors=vectors)
    return {
        "validation": nets.logits(validation).astype(np.float32),
        "held": nets.logits(held).astype(np.float32),
        "parameters": count_parameters(nets.ensemble.member(0)),
        "diverged": nets.ensemble.diverged,
        "best_epoch": nets.ensemble.history.best_epoch,
        **_training_figures(nets.logits(fitted), fitted.y, nets.scale),
    }


def _training_figures(logits: np.ndarray, y: np.ndarray, scale: float) -> dict[str, np.ndarray]:
    """Training error and, for classes, the gap between the label's logit and the next."""
    if logits.shape[2] == 1:
        rmse = np.sqrt(((logits[:, :, 0] - y) ** 2).mean(axis=1)) / scale
        nothing = np.full(len(logits), np.nan)
        return {"train_error": rmse, "gap_mean": nothing, "gap_over_log_k": nothing}
    n, k = logits.shape[1:]
    label = logits[:, np.arange(n), y]
    others = logits.copy()
    others[:, np.arange(n), y] = -np.inf
    gap = label - others.max(axis=2)
    return {
        "train_error": (gap <= 0).mean(axis=1),
        "gap_mean": gap.mean(axis=1),
        "gap_over_log_k": (gap > np.log(k)).mean(axis=1),
    }


def out_of_fold(
    dataset: Dataset,
    rows: np.ndarray,
    n_folds: int,
    fold: int,
    fold_seed: int,
    recipe: Mapping[str, Any],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Predictions of one fold by members trained on the others; the preprocessor refits there."""
    made = from_dict(recipe)
    others, left_out = folds(dataset, rows, n_folds, fold_seed)[fold]
    fitted, held = fit_and_held(dataset, others, fold_seed)
    fitted = subsample(fitted, made.rows, fold_seed)
    nets = train(dataset.view(fitted, others), made, seeds, held=dataset.view(held, others))
    logits = nets.logits(dataset.view(left_out, others))
    return {"rows": left_out, "logits": logits.astype(np.float32)}


def fit_subsets(
    dataset: Dataset,
    split: Mapping[str, int],
    recipe: Mapping[str, Any],
    size: int,
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Members trained on random subsets of one size, one subset a member, as example weights.

    The number of steps does not depend on the size; each member stops early by itself.
    """
    made = from_dict(recipe)
    fitted, held, validation = views(dataset, SplitKey(**split), made.rows)
    weights = np.zeros((len(seeds), len(fitted)))
    for member, seed in enumerate(seeds):
        chosen = np.random.default_rng([seed, size]).permutation(len(fitted))[:size]
        weights[member, chosen] = 1.0
    nets = train(fitted, made, seeds, held=held, weights=weights)
    return {"validation": nets.logits(validation).astype(np.float32)}
