"""What the study of data diets trains: ReLU perceptrons with He's weights on images.

Pixels are standardised by one mean and one deviation; training is by Nesterov's SGD, a cosine over
the whole schedule, of which scored networks see the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from torch import Tensor

from overparam.diagnostics.data_diet import selected
from overparam.diagnostics.example_scores import el2n
from overparam.diagnostics.forgetting import ForgettingTracker
from overparam.diagnostics.gradient_norms import grand
from overparam.diagnostics.pruning_curve import RECIPE, accuracy_of_subsets, pruning_curve
from overparam.nets.init import critical_
from overparam.nets.mlp import MLP
from overparam.studies.standardised_images import Images, images
from overparam.training.callbacks import Callback
from overparam.training.ensemble import Ensemble
from overparam.training.schedules import Schedule, cosine
from overparam.training.snapshots import Snapshots

# Which rows are kept, in groups that train as one ensemble.
GROUPS = {
    "headline": ("full", "random", "trimmed"),
    "gradient": ("grand", "start"),
    "others": ("hardest", "easiest", "norm"),
}
TRIMMED = 0.02  # share of the top that "trimmed" leaves out
POINTS = 11  # on the segment between two networks
MEMBERS_OF_KERNELS = 3  # networks whose kernels are followed


def he(widths: Sequence[int]) -> Callable[[int, int, int], MLP]:
    """A factory of ReLU perceptrons with weights N(0, 2 / fan-in) and without biases at first."""

    def factory(d: int, k: int, seed: int) -> MLP:
        generator = torch.Generator().manual_seed(seed)
        return critical_(MLP(d, k, widths, seed=seed), "relu", generator)

    return factory


def members_of(seed: int, count: int, stream: int = 0) -> list[int]:
    """Seeds of the members of one repetition; streams do not share any."""
    return [10_000 * seed + 1_000 * stream + i for i in range(count)]


def slice_of_cosine(first: int, length: int, steps_per_epoch: int) -> Schedule:
    """The cosine of `length` epochs from epoch `first` on."""

    def factor(step: int, total: int) -> float:
        return cosine(first * steps_per_epoch + step, length * steps_per_epoch)

    return factor


def train(
    ensemble: Ensemble,
    data: Images,
    epochs: int,
    *,
    length: int,
    first: int = 0,
    y: np.ndarray | None = None,
    callbacks: Sequence[Callback] = (),
) -> Ensemble:
    """Epochs `first` to `first + epochs` of a schedule of `length`."""
    size = int(RECIPE["batch_size"])  # type: ignore[call-overload]
    schedule = slice_of_cosine(first, length, -(-len(data.X) // size))
    labels = data.y if y is None else y
    options: dict[str, Any] = {**RECIPE, "schedule": schedule}
    if epochs:
        ensemble.fit(data.X, labels, epochs=epochs, callbacks=callbacks, **options)
    return ensemble


def fresh(data: Images, widths: Sequence[int], seeds: Sequence[int]) -> Ensemble:
    """Networks at their initial weights."""
    return Ensemble(he(widths), seeds, data.X.shape[1], data.k)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's."""
    return float(spearmanr(a, b).statistic)


def pruned(
    group: str,
    keep: float,
    seed: int,
    source: str,
    n: int,
    test: int,
    members: int,
    score_epoch: int,
    length: int,
    steps: int,
    widths: Sequence[int],
) -> dict[str, float]:
    """C1, C2: test accuracy by the rule that chose the rows, all for the same number of steps.

    `NAME_least`: rows of the rarest kept class over rows of a class if all were equally common.
    """
    rules = GROUPS[group]
    data = images(source, n, seed, test)
    scored = fresh(data, widths, members_of(seed, members))
    scores: dict[str, np.ndarray] = {}
    if "start" in rules:
        scores["start"] = grand(scored, data.X, data.y)
    if {"trimmed", "hardest", "easiest", "grand"} & set(rules):
        train(scored, data, score_epoch, length=length)
        error = el2n(scored.predict_logits(data.X), data.y)
        scores |= {"trimmed": error, "hardest": error, "easiest": -error}
    if "grand" in rules:
        scores["grand"] = grand(scored, data.X, data.y)
    scores["norm"] = np.linalg.norm(data.X, axis=1)
    scores["random"] = np.random.default_rng([seed, 1]).random(n)
    subsets = {
        rule: np.arange(n)
        if rule == "full"
        else selected(scores[rule], keep, TRIMMED if rule == "trimmed" else 0.0)
        for rule in rules
    }
    right = accuracy_of_subsets(
        he(widths),
        data.X,
        data.y,
        list(subsets.values()),
        members_of(seed, 1, stream=1) * len(rules),
        (data.X_test, data.y_test),
        data.k,
        steps=steps,
    )
    found = dict(zip(rules, map(float, right), strict=True))
    for rule, rows in subsets.items():
        rarest = np.bincount(data.y[rows], minlength=data.k).min()
        found[f"{rule}_least"] = float(rarest * data.k / len(rows))
    return found


def trajectory(
    seed: int,
    source: str,
    n: int,
    members: int,
    widths: Sequence[int],
    epochs: Sequence[int],
    length: int,
) -> dict[str, float]:
    """C2 to C5: rank correlations of scores after some epochs, as NAME@EPOCH.

    `grand_el2n`, `grand_norm` (of the input), `el2n_last` (its own at the end), `el2n_forgetting`,
    `one_mean` (a single run with the mean), `one_one` and `half_half` (runs, or means of half of
    the runs, with others).
    """
    data = images(source, n, seed)
    ensemble = fresh(data, widths, members_of(seed, members))
    kept, tracker = Snapshots(ensemble, epochs), ForgettingTracker(n, members)
    train(ensemble, data, length, length=length, callbacks=[kept, tracker])
    counts = tracker.counts_
    forgetting = np.where(np.isfinite(counts), counts, length).mean(axis=0)
    norm = np.linalg.norm(data.X, axis=1)
    errors, gradients = {}, {}
    for epoch in epochs:
        now = kept.restore(epoch)
        errors[epoch] = el2n(now.predict_logits(data.X), data.y, average=False)
        gradients[epoch] = grand(now, data.X, data.y)
    half = members // 2
    found: dict[str, float] = {}
    for epoch, error in errors.items():
        mean = error.mean(axis=0)
        pairs = {
            "grand_el2n": (gradients[epoch], mean),
            "grand_norm": (gradients[epoch], norm),
            "el2n_last": (mean, errors[length].mean(axis=0)),
            "el2n_forgetting": (mean, forgetting),
            "one_mean": (error[0], mean),
            "one_one": (error[0], error[half]),
            "half_half": (error[:half].mean(axis=0), error[half:].mean(axis=0)),
        }
        found |= {f"{name}@{epoch}": rank_correlation(*pair) for name, pair in pairs.items()}
    return found


def flipped_labels(y: np.ndarray, share: float, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share is replaced by another class, uniformly, and which they are.

    The paper permutes labels, so that some stay right: here the truth must be known.
    """
    rng = np.random.default_rng([seed, 2])
    wrong = np.zeros(len(y), dtype=bool)
    wrong[rng.permutation(len(y))[: round(share * len(y))]] = True
    return np.where(wrong, (y + rng.integers(1, k, len(y))) % k, y), wrong


def noise_detection(
    seed: int,
    source: str,
    n: int,
    members: int,
    share: float,
    widths: Sequence[int],
    epochs: Sequence[int],
    length: int,
) -> dict[str, float]:
    """C6: area under the curve of each score for wrong labels, as NAME@EPOCH."""
    data = images(source, n, seed)
    noisy, wrong = flipped_labels(data.y, share, data.k, seed)
    data = data._replace(y=noisy)
    ensemble = fresh(data, widths, members_of(seed, members))
    kept = Snapshots(ensemble, epochs)
    train(ensemble, data, max(epochs), length=length, callbacks=[kept])
    found: dict[str, float] = {}
    for epoch in epochs:
        now = kept.restore(epoch)
        error = el2n(now.predict_logits(data.X), noisy, average=False)
        scores = {"mean": error.mean(axis=0), "one": error[0], "grand": grand(now, data.X, noisy)}
        for name, score in scores.items():
            found[f"{name}@{epoch}"] = float(roc_auc_score(wrong, score))
    return found


def transfer(
    seed: int,
    source: str,
    n: int,
    members: int,
    architectures: Sequence[Sequence[int]],
    epoch: int,
    length: int,
) -> dict[str, float]:
    """C7: rank correlation of EL2N between architectures, as "i-j"."""
    data = images(source, n, seed)
    scores = []
    for stream, widths in enumerate(architectures):
        ensemble = fresh(data, widths, members_of(seed, members, stream))
        train(ensemble, data, epoch, length=length)
        scores.append(el2n(ensemble.predict_logits(data.X), data.y))
    return {
        f"{i}-{j}": rank_correlation(scores[i], scores[j])
        for i in range(len(scores))
        for j in range(i + 1, len(scores))
    }


def barriers(
    spawn: int,
    seed: int,
    source: str,
    n: int,
    parents: int,
    members: int,
    part: int,
    widths: Sequence[int],
    score_epoch: int,
    length: int,
) -> dict[str, float]:
    """C8: error barrier between two children of a network, on its easiest and hardest rows.

    Children have the parent's weights after `spawn` epochs and each its own order of the data. The
    barrier is the largest error on the segment between them minus the mean of its ends.
    """
    data = images(source, n, seed)
    scored = fresh(data, widths, members_of(seed, members, stream=1))
    train(scored, data, score_epoch, length=length)
    order = np.argsort(el2n(scored.predict_logits(data.X), data.y), kind="stable")
    parent = fresh(data, widths, members_of(seed, parents))
    train(parent, data, spawn, length=length)
    children = fresh(data, widths, members_of(seed, 2 * parents, stream=2))
    first, second = list(range(parents)), list(range(parents, 2 * parents))
    for place in (first, second):
        children.state.put(place, parent.state)
    train(children, data, length - spawn, length=length, first=spawn)
    ends = [children.state.take(place).vector for place in (first, second)]
    wrong = np.empty((POINTS, parents, n))
    for point, share in zip(wrong, np.linspace(0, 1, POINTS), strict=True):
        parent.state.vector.copy_((1 - share) * ends[0] + share * ends[1])
        point[:] = parent.predict_logits(data.X).argmax(axis=-1) != data.y
    parts = {"easy": order[:part], "hard": order[-part:], "all": order}
    found = {}
    for name, rows in parts.items():
        error = wrong[:, :, rows].mean(axis=2)
        found[name] = float((error.max(axis=0) - (error[0] + error[-1]) / 2).mean())
    return found


def kernel_velocity(
    seed: int,
    source: str,
    n: int,
    members: int,
    groups: int,
    size: int,
    widths: Sequence[int],
    epochs: Sequence[int],
    score_epoch: int,
    length: int,
) -> dict[str, float]:
    """C9: how fast the tangent kernel turns on rows of similar EL2N rank, as a column a group.

    1 - <K_t, K_t+1> / (||K_t|| ||K_t+1||), averaged over `epochs` t and a few networks.
    """
    data = images(source, n, seed)
    ensemble = fresh(data, widths, members_of(seed, members))
    kept = Snapshots(ensemble, {score_epoch, *epochs, *(epoch + 1 for epoch in epochs)})
    train(ensemble, data, max(score_epoch, *epochs) + 1, length=length, callbacks=[kept])
    error = el2n(kept.restore(score_epoch).predict_logits(data.X), data.y)
    order = np.argsort(error, kind="stable")
    starts = np.linspace(0, n - size, groups).round().astype(int)
    speeds = np.zeros(groups)
    followed = range(min(members, MEMBERS_OF_KERNELS))
    for epoch in epochs:
        pairs = [[kept.restore(t).member(i) for i in followed] for t in (epoch, epoch + 1)]
        for group, start in enumerate(starts):
            x = torch.as_tensor(data.X[order[start : start + size]])
            for before, after in zip(*pairs, strict=True):
                speeds[group] += 1 - alignment(tangent_kernel(before, x), tangent_kernel(after, x))
    speeds /= len(epochs) * len(followed)
    return {f"v{group}": float(speed) for group, speed in enumerate(speeds)}


@torch.no_grad()
def tangent_kernel(net: Any, x: Tensor) -> Tensor:
    """(n k, n k) Gram matrix of the logits' gradients, of a plain ReLU perceptron.

    Layer by layer: <delta_i^a, delta_j^b> (<h_i, h_j> + 1), delta^a the slope of logit a.
    """
    inputs = [x]
    for layer in net.layers[:-1]:
        inputs.append(torch.relu(layer(inputs[-1])))
    k = net.layers[-1].out_features
    slope = torch.eye(k, dtype=x.dtype).expand(len(x), k, k)  # (n, logit, unit of the layer)
    total = x.new_zeros(len(x) * k, len(x) * k)
    for index in reversed(range(len(inputs))):
        h = inputs[index]
        flat = slope.reshape(len(x) * k, -1)
        gram = (h @ h.T + 1).repeat_interleave(k, 0).repeat_interleave(k, 1)
        total += (flat @ flat.T) * gram
        if index:
            slope = (slope @ net.layers[index].weight) * (h > 0).unsqueeze(1)
    return total


def alignment(a: Tensor, b: Tensor) -> float:
    """Cosine of the angle between two matrices."""
    a, b = a.double(), b.double()
    return float((a * b).sum() / (a.norm() * b.norm()))


def table_curve(
    seed: int,
    source: str,
    n: int,
    test: int,
    members: int,
    kept: Sequence[float],
    steps: int,
    widths: Sequence[int],
    score_epoch: int,
    length: int,
) -> dict[str, float]:
    """C10: accuracy as "scored@KEPT" and "random@KEPT", and the share that could be left out."""
    data = images(source, n, seed, test)
    ensemble = fresh(data, widths, members_of(seed, members))
    train(ensemble, data, score_epoch, length=length)
    error = el2n(ensemble.predict_logits(data.X), data.y)
    curve = pruning_curve(
        he(widths),
        data.X,
        data.y,
        error,
        (data.X_test, data.y_test),
        kept=kept,
        seeds=members_of(seed, 3, stream=1),
        steps=steps,
    )
    found = {"droppable": curve.droppable}
    for share, scored, random in zip(curve.kept, curve.scored, curve.random, strict=True):
        found[f"scored@{share:g}"] = float(scored.mean())
        found[f"random@{share:g}"] = float(random.mean())
    return found
