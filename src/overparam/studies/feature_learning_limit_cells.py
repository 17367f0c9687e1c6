"""What the claims of `feature_learning_limit` rest on: short trainings at several widths.

In a file of its own, so that a new threshold or picture does not train anything again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from overparam.data.letters import letter_images
from overparam.data.loading import load
from overparam.data.words import read_words
from overparam.kernels.feature_learning_limit import FeatureLearningLimit
from overparam.nets.mlp import MLP
from overparam.nets.parametrization import maximal_update_

# C1 and C2: a fixed problem, trained by full-batch SGD.
POINTS, FEATURES, STEPS, RATE = 16, 8, 5, 0.5

# C3: groups of words that belong together.
GROUPS = (
    "red white black green yellow blue brown gray",
    "dog horse bird fish insect animal cattle sheep animals birds",
    "hand foot head eye mouth face body arm skin bone feet eyes hands",
    "one two three four five six seven eight ten",
    "he she they we him them me us",
    "in on upon under over from into with by",
    "day year night month time hour years days",
    "may can will shall must should would could might",
    "gold silver iron lead copper metal steel",
    "wood stone glass paper earth water oil",
    "tree plant leaf flower fruit seed leaves flowers trees plants",
    "small large great little long short broad",
    "used made called found given formed placed",
    "having being making forming containing resembling consisting",
    "greek latin french english german italian",
)
CHARACTERS = 12_000_000
VOCABULARY, RAREST, WINDOW, BATCH = 1000, 200, 3, 256
SUBSAMPLING = 1e-3
RANDOM_DRAWS = 20  # of the kernel limit's vectors, whose score would else be luck


def parametrized_training(
    a: Sequence[float],
    b: Sequence[float],
    c: float,
    width: int,
    seed: int,
    nets: int,
    kernel: bool,
) -> dict[str, float]:
    """How far five steps move the last hidden layer, the output and the tangent kernel.

    Written out from the definition, without `ABC.apply_`: W^l = n^-a_l w^l, w^l ~ N(0, n^-2b_l),
    SGD on w with rate RATE n^-c, tanh, float64, no biases. The changes are root mean squares over
    the points and the entries; that of the kernel n^-c J J^T is relative. One seed is the geometric
    mean of `nets` initialisations: of single ones the slopes over width are noise.
    """
    found = [_changes(a, b, c, width, nets * seed + i, kernel) for i in range(nets)]
    return {name: float(np.exp(np.mean([np.log(n[name]) for n in found]))) for name in found[0]}


def _changes(
    a: Sequence[float], b: Sequence[float], c: float, width: int, seed: int, kernel: bool
) -> dict[str, float]:
    points = torch.Generator().manual_seed(0)
    x = torch.randn(POINTS, FEATURES, dtype=torch.float64, generator=points)
    y = torch.randn(POINTS, 1, dtype=torch.float64, generator=points)
    generator = torch.Generator().manual_seed(seed)
    sizes = [FEATURES, *[width] * (len(a) - 1), 1]
    weights = [
        torch.randn(m, n, dtype=torch.float64, generator=generator) * float(width) ** -s
        for n, m, s in zip(sizes[:-1], sizes[1:], b, strict=True)
    ]
    multipliers = [float(width) ** -v for v in a]

    def forward(weights: list[Tensor]) -> tuple[Tensor, Tensor]:
        h = x
        for w, m in zip(weights[:-1], multipliers[:-1], strict=True):
            h = torch.tanh(m * h @ w.T)
        return h, multipliers[-1] * h @ weights[-1].T

    def tangent() -> Tensor:
        leaves = [w.detach().requires_grad_() for w in weights]
        outputs = forward(leaves)[1][:, 0]
        rows = [
            torch.cat([g.flatten() for g in torch.autograd.grad(o, leaves, retain_graph=True)])
            for o in outputs
        ]
        jacobian = torch.stack(rows)
        return float(width) ** -c * jacobian @ jacobian.T

    before, start = forward(weights), tangent() if kernel else None
    for _ in range(STEPS):
        leaves = [w.detach().requires_grad_() for w in weights]
        loss = 0.5 * (forward(leaves)[1] - y).square().mean()
        slopes = torch.autograd.grad(loss, leaves)
        rate = RATE * float(width) ** -c
        weights = [w - rate * g for w, g in zip(weights, slopes, strict=True)]
    after = forward(weights)
    found = {
        name: float((now - then).square().mean().sqrt())
        for name, now, then in zip(("feature", "output"), after, before, strict=True)
    }
    if start is not None:
        found["kernel"] = float((tangent() - start).norm() / start.norm())
    return found


@lru_cache(maxsize=1)
def vocabulary(source: str, characters: int, common: int, rarest: int) -> _Corpus:
    """The corpus as numbers, with the test words that occur often enough."""
    words = read_words(source, characters)
    counts = Counter(words.tolist())
    long = [(w, c) for w, c in counts.most_common() if len(w) > 1]
    tested = [[w for w in g.split() if counts[w] > rarest] for g in GROUPS]
    chosen = [w for w, _ in long[:common]]
    chosen += [w for group in tested for w in group if w not in set(chosen)]
    number = {word: i for i, word in enumerate(chosen)}
    tokens = np.array([number[w] for w in words.tolist() if w in number])
    frequency = np.bincount(tokens, minlength=len(chosen)) / len(tokens)
    test = np.array([number[w] for group in tested for w in group])
    group = np.repeat(np.arange(len(tested)), [len(g) for g in tested])
    return _Corpus(tokens, frequency, test, group)


class _Corpus:
    """Tokens (n,), their frequencies (V,), test words (T,) with the number of their group."""

    def __init__(
        self, tokens: np.ndarray, frequency: np.ndarray, test: np.ndarray, group: np.ndarray
    ) -> None:
        self.tokens, self.frequency, self.test, self.group = tokens, frequency, test, group


def word_vectors(
    width: int | str,
    seed: int,
    steps: int,
    rate: float,
    source: str,
    characters: int,
    common: int,
    rarest: int,
) -> dict[str, float]:
    """CBOW with a linear net of a `width`, "limit", or "ntk": do words find their group?

    The batches depend on the seed alone. The representations of the NTK and Gaussian-process limits
    stay at their random start.
    """
    corpus = vocabulary(source, characters, common, rarest)
    size = len(corpus.frequency)
    if width == "ntk":
        rng = np.random.default_rng(seed)
        draws = rng.standard_normal((RANDOM_DRAWS, len(corpus.test), 1024))
        scores = [grouped(vectors, corpus.group) for vectors in draws]
        return {name: float(np.mean([s[name] for s in scores])) for name in scores[0]}
    finite = None if width == "limit" else int(width)
    net = FeatureLearningLimit(
        size, size, rate, width=finite, random_state=seed, dtype=torch.float32
    )
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        net.partial_fit(*_windows(corpus, rng))
    return grouped(net.embeddings()[corpus.test], corpus.group)


def _windows(corpus: _Corpus, rng: np.random.Generator) -> tuple[sparse.csr_array, np.ndarray]:
    """Mean one-hot contexts (B, V) and middle words (B,) of a stretch of sub-sampled text."""
    needed = 6 * BATCH  # a stretch that keeps enough words after sub-sampling
    while True:
        start = rng.integers(0, max(len(corpus.tokens) - needed, 1))
        stretch = corpus.tokens[start : start + needed]
        keep = np.minimum(1, np.sqrt(SUBSAMPLING / corpus.frequency[stretch]))
        kept = stretch[rng.random(len(stretch)) < keep]
        middle = np.arange(WINDOW, len(kept) - WINDOW)[:BATCH]
        if len(middle):
            break
    offsets = np.array([o for o in range(-WINDOW, WINDOW + 1) if o])
    columns = kept[middle[:, None] + offsets]
    rows = np.repeat(np.arange(len(middle)), len(offsets))
    shares = np.full(columns.size, 1 / len(offsets))
    shape = (len(middle), len(corpus.frequency))
    return sparse.coo_array((shares, (rows, columns.ravel())), shape).tocsr(), kept[middle]


def grouped(vectors: np.ndarray, group: np.ndarray) -> dict[str, float]:
    """Share of words whose nearest word is of their group, and mean average precision.

    Vectors are centred and compared by cosine.
    """
    centred = vectors - vectors.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    order = np.argsort(-cosine, axis=1, kind="stable")[:, :-1]  # the last is the word itself
    same = group[order] == group[:, None]
    place = np.arange(1, same.shape[1] + 1)
    precision = (same.cumsum(axis=1) / place * same).sum(axis=1) / same.sum(axis=1)
    return {"nearest": float(same[:, 0].mean()), "map": float(precision.mean())}


def few_shot(
    width: int | str,
    seed: int,
    outer_steps: int,
    tasks: int,
    classes: int,
    inner_rate: float,
    outer_rate: float,
) -> dict[str, float]:
    """First-order MAML on images of letters, 5-way 1-shot: accuracy on classes never seen.

    `width` is a number, "limit", or "ntk": its features do not move, and because labels are
    permuted from task to task, meta-training changes nothing that stays.
    """
    images = letter_images(classes).astype(np.float32)
    flat = images.reshape(*images.shape[:2], -1)
    flat = flat - flat.mean(axis=(0, 1))
    flat /= np.linalg.norm(flat, axis=-1, keepdims=True)
    order = np.random.default_rng(0).permutation(len(flat))
    known, new = np.split(flat[order], [round(0.7 * len(flat))])
    finite = None if width in ("limit", "ntk") else int(width)
    net = FeatureLearningLimit(
        flat.shape[-1], 5, outer_rate, width=finite, random_state=seed, dtype=torch.float32
    )
    rng = np.random.default_rng(seed)
    if width != "ntk":
        for _ in range(outer_steps):
            net.first_order_maml([_task(known, rng) for _ in range(4)], inner_rate)
    hits = []
    rng = np.random.default_rng([seed, 1])  # the same test tasks for every width
    for _ in range(tasks):
        support, labels, query, truth = _task(new, rng)
        outputs = net.predict_adapted(support, labels, query, inner_rate)
        hits.append((outputs.argmax(axis=1) == truth).mean())
    return {"accuracy": float(np.mean(hits)), "error": float(np.std(hits) / np.sqrt(tasks))}


def _task(
    classes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One support image and five queries of each of five classes."""
    five = rng.choice(len(classes), 5, replace=False)
    picked = np.stack([rng.permutation(classes.shape[1])[:6] for _ in five])
    examples = classes[five[:, None], picked]  # (5, 6, d)
    return (
        examples[:, 0],
        np.arange(5),
        examples[:, 1:].reshape(25, -1),
        np.repeat(np.arange(5), 5),
    )


def loss_over_rates(
    width: int,
    maximal: bool,
    seed: int,
    rates: Sequence[float],
    source: str,
    rows: int,
    steps: int,
    base: int,
) -> dict[str, Any]:
    """Mean loss of the last 20 steps of Adam for each learning rate."""
    X, y = _images(source, rows)
    features, classes = X.shape[1], int(y.max()) + 1
    found = []
    for rate in rates:
        module = MLP(features, classes, (width, width), seed=seed)
        groups: Any = module.parameters()
        if maximal:
            smaller = MLP(features, classes, (base, base))
            groups = maximal_update_(module, smaller, "adam", learning_rate=rate)
        optimizer = torch.optim.Adam(groups, lr=rate, fused=True)
        generator = torch.Generator().manual_seed(seed)
        losses = []
        for _ in range(steps):
            batch = torch.randint(len(X), (128,), generator=generator)
            loss = torch.nn.functional.cross_entropy(module(X[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        found.append(float(np.mean(losses[-20:])))
    return {"losses": found}


@lru_cache(maxsize=1)
def _images(source: str, rows: int) -> tuple[Tensor, Tensor]:
    """Standardised pixels, of 28 x 28 images averaged to 14 x 14, and labels."""
    data = load(source)
    assert data.array is not None
    pixels = np.asarray(data.array[:rows], dtype=np.float32)
    if pixels.shape[1] == 28:
        pixels = pixels.reshape(rows, 14, 2, 14, 2).mean(axis=(2, 4))
    flat = pixels.reshape(rows, -1)
    return torch.from_numpy((flat - flat.mean()) / flat.std()), torch.from_numpy(data.y[:rows])


def distance_to_limit(width: int, seed: int, nets: int) -> dict[str, float]:
    """Distance of finite nets' outputs from the limit's after 20 steps, the mean of `nets`."""
    d, c, n = 10, 3, 20
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d)), rng.integers(0, c, n)
    X /= np.linalg.norm(X, axis=1, keepdims=True)

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(outputs, labels, reduction="sum") / 4

    limit = FeatureLearningLimit(d, c, 0.5, loss).fit(X, y, steps=20)
    target = limit.predict(X)
    distances = []
    for i in range(nets):
        net = FeatureLearningLimit(d, c, 0.5, loss, width=width, random_state=nets * seed + i)
        distances.append(np.abs(net.fit(X, y, steps=20).predict(X) - target).mean())
    return {"distance": float(np.mean(distances))}
