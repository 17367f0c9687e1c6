"""What the guidance study trains: fully connected and convolutional targets, guided and not.

Targets of one seed share initial weights and minibatches: differences between them are paired. The
batch is 256 (fewer in a smoke run), Adam's rate 1e-3 for targets and 3e-3 for guides and
convolutional targets, alpha 1, all as in the specification of the measurements; no rate was tuned,
neither with a guide nor without.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from overparam.evidence.intervals import bootstrap_interval
from overparam.studies.guidance_nets import (
    ConvStack,
    SmallResNet,
    StackedFCN,
    guide_seed,
    single_fcn,
)
from overparam.studies.standardised_images import ImageTensors, images
from overparam.training.frozen_guide import FrozenGuide
from overparam.training.guidance import Guidance, layer_pairs, pair_distances
from overparam.training.minibatches import MinibatchStream

TARGET_RATE, GUIDE_RATE = 1e-3, 3e-3
GUIDE_EPOCHS = 15
START = 100  # steps of guidance as an initialisation

# Condition -> the guide, and how many first steps it guides.
GUIDED: dict[str, tuple[str, int | None]] = {
    "untrained": ("untrained", None),
    "trained": ("trained", None),
    "untrained start": ("untrained", START),
    "trained start": ("trained", START),
    "noise": ("noise", None),
    "network of its kind": ("fcn", None),
    "alignment alone": ("trained", None),
    "alignment alone, untrained": ("untrained", None),
}

# Conditions that train side by side in one cell.
GROUPS = {
    "headline": ("none", "untrained", "trained"),
    "untrained pair": ("none", "untrained"),
    "trained pair": ("none", "trained"),
    "untrained": ("untrained",),
    "trained": ("trained",),
    "starts": ("untrained start", "trained start"),
    "controls": (
        "noise",
        "network of its kind",
        "distilled",
        "alignment alone",
        "alignment alone, untrained",
    ),
}


@lru_cache(maxsize=2)
def drawn(source: str, n: int, test: int, seed: int) -> ImageTensors:
    """Rows of one seed. Kept in this process: several cells of a seed need them."""
    return images(source, n, seed, test).tensors()


@lru_cache(maxsize=2)
def trained_guide(source: str, n: int, test: int, seed: int, batch: int) -> SmallResNet:
    """The guide after 15 epochs. Kept in this process: several cells of a seed need it."""
    data = drawn(source, n, test, seed)
    guide = SmallResNet(data.X.shape[1], data.k, guide_seed(seed))
    fit(guide, data, GUIDE_EPOCHS, batch, GUIDE_RATE, guide_seed(seed))
    return guide.eval()


def fit(
    net: nn.Module,
    data: ImageTensors,
    epochs: int,
    batch: int,
    rate: float,
    seed: int,
    guidance: Guidance | None = None,
    measured: Sequence[int] = (),
) -> list[tuple[float, float]]:
    """Train one network; its test accuracy and log loss after the epochs `measured`."""
    optimizer = torch.optim.Adam(net.parameters(), rate, fused=True)
    stream = MinibatchStream(seed, torch.arange(len(data.X)))
    found = []
    for epoch in range(1, epochs + 1):
        net.train()
        for _ in range(len(data.X) // batch):
            rows = stream.take(batch)
            loss = nn.functional.cross_entropy(net(data.X[rows]), data.y[rows])
            if guidance is not None:
                loss = loss + guidance.loss(None, rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch in measured:
            with torch.no_grad():
                [one] = scores(net.eval()(data.X_test)[None], data.y_test)
            found.append(one)
    return found


def scores(logits: Tensor, y: Tensor) -> list[tuple[float, float]]:
    """Accuracy and mean log loss of each member's logits (M, n, k)."""
    right = (logits.argmax(-1) == y).float().mean(1).tolist()
    loss = [float(nn.functional.cross_entropy(one, y)) for one in logits]
    return list(zip(right, loss, strict=True))


def frozen(
    name: str, data: ImageTensors, sizes: dict[str, Any], depth: int, width: int
) -> FrozenGuide:
    """A guide that remembers the training rows."""
    seed, batch = sizes["seed"], sizes["batch"]
    size = (data.X.shape[1], data.k)
    layers: Sequence[str] = SmallResNet.GUIDE_LAYERS
    guide: nn.Module
    if name == "fcn":
        guide = single_fcn(*size, depth, width, guide_seed(seed)).eval()
        layers = [str(3 * i) for i in range(depth)]
    elif name.startswith("trained"):
        # A copy: hooks stay on it.
        guide = deepcopy(trained_guide(sizes["source"], sizes["n"], sizes["test"], seed, batch))
    else:
        guide = SmallResNet(*size, guide_seed(seed)).eval()
    noise = name.endswith("noise")
    return FrozenGuide(guide, layers, noise=noise, seed=guide_seed(seed)).remember(data.X)


class Runs:
    """Fully connected targets that differ by their guidance, trained side by side.

    Parameters
    ----------
    conditions : sequence of str
        "none", "distilled" (the trained guide's probabilities beside the labels) or of `GUIDED`.
    sizes : dict
        source, n, test, seed, batch.
    """

    def __init__(
        self, conditions: Sequence[str], sizes: dict[str, Any], depth: int, width: int
    ) -> None:
        self.conditions = list(conditions)
        self.data = drawn(sizes["source"], sizes["n"], sizes["test"], sizes["seed"])
        self.sizes = sizes
        shape = (self.data.X.shape[1], self.data.k, depth, width, sizes["seed"])
        self.net = StackedFCN(len(self.conditions), *shape)
        self.guides: dict[str, FrozenGuide] = {}
        for condition in self.conditions:
            name, _ = GUIDED.get(condition, (None, None))
            if name is not None and name not in self.guides:
                self.guides[name] = frozen(name, self.data, sizes, depth, width)
        self.targets = self._targets()

    def train(self, epochs: int, measured: Sequence[int]) -> dict[str, list[tuple[float, float]]]:
        """Condition -> test accuracy and log loss after the epochs `measured`."""
        data, batch = self.data, self.sizes["batch"]
        optimizer = torch.optim.Adam(self.net.parameters(), TARGET_RATE, fused=True)
        stream = MinibatchStream(self.sizes["seed"], torch.arange(len(data.X)))
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in self.conditions}
        step = 0
        for epoch in range(1, epochs + 1):
            self.net.train()
            for _ in range(len(data.X) // batch):
                rows = stream.take(batch)
                logits, outputs, _ = self.net(data.X[rows])
                task = -(self.targets[:, rows] * logits.log_softmax(-1)).sum() / batch
                loss = task + self._alignment(outputs, rows, step)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
            if epoch in measured:
                logits, _ = self.evaluated(data.X_test)
                for name, one in zip(self.conditions, scores(logits, data.y_test), strict=True):
                    found[name].append(one)
        return found

    @torch.no_grad()
    def evaluated(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (M, n, k) and last hidden layer (M, n, width)."""
        logits, _, hidden = self.net.eval()(x)
        return logits, hidden

    def _targets(self) -> Tensor:
        """What each condition learns, (M, n, k)."""
        labels = nn.functional.one_hot(self.data.y, self.data.k).float()
        targets = labels.expand(len(self.conditions), -1, -1).clone()
        for i, name in enumerate(self.conditions):
            if name == "distilled":
                s = self.sizes
                guide = trained_guide(s["source"], s["n"], s["test"], s["seed"], s["batch"])
                with torch.no_grad():
                    targets[i] += guide(self.data.X).softmax(-1)
            elif name.startswith("alignment"):
                targets[i] = 0
        return targets

    def _alignment(self, outputs: list[Tensor], rows: Tensor, step: int) -> Tensor:
        """Sum over members; those of one guide share its matrices."""
        total = outputs[0].new_zeros(())
        for name, guide in self.guides.items():
            guided = [
                i
                for i, condition in enumerate(self.conditions)
                for source, limit in [GUIDED.get(condition, ("", None))]
                if source == name and (limit is None or step < limit)
            ]
            if not guided:
                continue
            matrices = guide.similarities(None, rows)
            pairs = layer_pairs("uniform", list(matrices), [str(i) for i in range(len(outputs))])
            parts = {t: outputs[int(t)][guided] for _, t in pairs}
            total = total + pair_distances(pairs, parts, matrices, "cka").sum()
        return total


def fully_connected(
    group: str,
    seed: int,
    source: str,
    n: int,
    test: int,
    batch: int,
    depth: int,
    width: int,
    measured: Sequence[int],
) -> dict[str, float]:
    """C1 to C3, C7, C8: test accuracy as CONDITION@EPOCH and log loss as CONDITION nll@EPOCH.

    Of a condition trained by alignment alone it is the accuracy of a linear probe of its last
    hidden layer after the last epoch, without a log loss. In the group "trained pair" also what
    `consistency` finds.
    """
    conditions = GROUPS[group]
    runs = Runs(
        conditions,
        {"source": source, "n": n, "test": test, "seed": seed, "batch": batch},
        depth,
        width,
    )
    curves = runs.train(max(measured), measured)
    found: dict[str, float] = {}
    for name, curve in curves.items():
        if not name.startswith("alignment"):
            for epoch, (right, loss) in zip(measured, curve, strict=True):
                found[f"{name}@{epoch}"], found[f"{name} nll@{epoch}"] = right, loss
    probed = [i for i, name in enumerate(conditions) if name.startswith("alignment")]
    if probed:
        hidden, hidden_test = (runs.evaluated(x)[1] for x in (runs.data.X, runs.data.X_test))
        for i in probed:
            found[f"{conditions[i]}@{max(measured)}"] = probe(hidden[i], hidden_test[i], runs.data)
    return found | (consistency(runs) if group == "trained pair" else {})


def probe(hidden: Tensor, hidden_test: Tensor, data: ImageTensors) -> float:
    """Test accuracy of a linear classifier on standardised features."""
    level, spread = hidden.mean(0), hidden.std(0).clamp_min(1e-6)
    train, held = ((h - level) / spread for h in (hidden, hidden_test))
    model = LogisticRegression(C=0.1, max_iter=300).fit(train.numpy(), data.y.numpy())
    return float(model.score(held.numpy(), data.y_test.numpy()))


def consistency(runs: Runs) -> dict[str, float]:
    """Cohen's kappa of right and wrong test rows between the trained guide and each target.

    `kappa none`, `kappa trained`; `kappa low`, `kappa high`: a bootstrap interval over test rows of
    trained minus none; `guide`: the guide's accuracy.
    """
    X, y, s = runs.data.X_test, runs.data.y_test, runs.sizes
    guide = trained_guide(s["source"], s["n"], s["test"], s["seed"], s["batch"])
    with torch.no_grad():
        logits = [*runs.evaluated(X)[0], guide(X)]
    right = np.stack([(z.argmax(-1) == y).numpy().astype(float) for z in logits], axis=1)

    def gain(rows: np.ndarray, axis: int) -> np.ndarray:
        none, trained, guide = np.moveaxis(rows, -1, 0)
        return kappa(trained, guide, axis) - kappa(none, guide, axis)

    interval = bootstrap_interval(right, gain, seed=s["seed"])
    return {
        "kappa none": float(kappa(right[:, 0], right[:, 2], 0)),
        "kappa trained": float(kappa(right[:, 1], right[:, 2], 0)),
        "kappa low": interval.low,
        "kappa high": interval.high,
        "guide": float(right[:, 2].mean()),
    }


def kappa(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    """Cohen's kappa of two vectors of 0 and 1: agreement beyond what their means alone give."""
    observed = (a == b).mean(axis)
    p, q = a.mean(axis), b.mean(axis)
    expected = p * q + (1 - p) * (1 - q)
    return (observed - expected) / np.maximum(1 - expected, 1e-12)


@lru_cache(maxsize=1)
def trained_skips(
    source: str, n: int, test: int, seed: int, batch: int, depth: int, channels: int, epochs: int
) -> ConvStack:
    """The convolutional guide, with skips. Kept in this process."""
    data = drawn(source, n, test, seed)
    guide = ConvStack(data.X.shape[1], data.k, depth, channels, True, guide_seed(seed))
    fit(guide, data, epochs, batch, GUIDE_RATE, guide_seed(seed))
    return guide.eval()


def convolutions(
    guided: bool,
    seed: int,
    source: str,
    n: int,
    test: int,
    batch: int,
    depth: int,
    channels: int,
    guide_epochs: int,
    measured: Sequence[int],
) -> dict[str, float]:
    """C4: test accuracy as accuracy@EPOCH and log loss as nll@EPOCH of convolutions in a row."""
    data = drawn(source, n, test, seed)
    target = ConvStack(data.X.shape[1], data.k, depth, channels, False, seed)
    guidance = None
    if guided:
        guide = deepcopy(trained_skips(source, n, test, seed, batch, depth, channels, guide_epochs))
        layers = [f"convolutions.{i}" for i in range(depth)]
        guidance = Guidance(guide, target, layers, layers).remember(data.X)
    curve = fit(target, data, max(measured), batch, GUIDE_RATE, seed, guidance, measured)
    found: dict[str, float] = {}
    for epoch, (right, loss) in zip(measured, curve, strict=True):
        found[f"accuracy@{epoch}"], found[f"nll@{epoch}"] = right, loss
    return found
