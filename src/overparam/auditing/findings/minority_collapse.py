"""Does weight decay switch small classes off?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn

from overparam.auditing.answers import Answer, NotApplicable
from overparam.auditing.context import Context
from overparam.auditing.net_cells import SplitKey, on_one_scale, views
from overparam.auditing.registry import finding
from overparam.data.dataset import Dataset
from overparam.diagnostics.collapse_metrics import neural_collapse
from overparam.diagnostics.collapsing_runs import collapsing_ensemble, train_to_collapse
from overparam.diagnostics.small_classes import ALIVE, DEAD, MinorityCollapse, minority_collapse
from overparam.evidence.intervals import t_statistic
from overparam.evidence.regions import at_most
from overparam.evidence.verdict import Evidence, Verdict
from overparam.nets.collapsing_network import CollapsingNetwork
from overparam.report import figures
from overparam.training.run_history import LogSpaced

DECAYS = (0.005, 0.02, 0.06)
SEEDS = 3
HIDDEN = (128, 128, 64)
LAYERS = ("body.3", "body.6")  # with the head, after each of the hidden layers
MOST_ROWS = 1200
FEWEST_ROWS = 60
BATCH = 64
STEPS = 450  # about: every class that stays alive then has the output of the law on digits
SECONDS = 6.0  # of one thread
FITS = 0.9  # of the training labels, below which nothing has collapsed


@finding(
    "OP010",
    "minority-collapse",
    title="Does weight decay switch small classes off?",
    paper="neural-collapse",
    order=7,
    thresholds={
        "collapsed": (DEAD, "mean output on the own label: a class without neurons of its own"),
        "at_risk": (ALIVE, "predicted output on the own label: half of what every class should"),
    },
)
def minority_collapse_finding(context: Context) -> Answer:
    """Whether the weight decay that suits the data as a whole leaves some class unlearnt.

    How: perceptrons with batch norm and a linear read-out are trained by SGD on the squared error
    of one-hot labels, until they fit, at three weight decays and three seeds. The decay with the
    best accuracy on held-out rows is looked at. The statistic is the smallest mean output that a
    class has on its own label there: 1 is learnt, 0 is switched off. The outcome is a tip where no
    class is lost, but one is expected to come out below one half by the law below.

    Why: in a net that has collapsed, a class of n rows has the output 1 - sqrt(n*/n), and none
    at all below the threshold n*, which grows as the square of the weight decay. The smallest
    classes die first, and accuracy as a whole hardly tells.

    What to do: lower the weight decay, weigh the class up, or collect rows of it; and judge by
    balanced accuracy. The decay named is that of the probe (added to the gradient of half the
    squared error), not AdamW's.
    """
    if not context.classification:
        raise NotApplicable("only classes can be switched off.")
    cell = {
        "dataset": context.dataset,
        "split": context.split_keys[0].as_dict(),
        "rows": MOST_ROWS,
        "decays": list(DECAYS),
        "seeds": list(range(SEEDS)),
    }
    [found] = context.cells(
        "nets", collapses, [cell], label="collapse of classes", estimate=SECONDS
    )
    if found["rows"] < FEWEST_ROWS or len(found["classes"]) < 2:
        raise NotApplicable("there are too few training rows for a class to be large or small.")
    if found["train_accuracy"][0].mean() < FITS:
        raise NotApplicable(
            "the probe does not fit its training labels even at the least weight decay "
            f"(accuracy {found['train_accuracy'][0].mean():.3f}), so nothing has collapsed."
        )
    chosen = int(found["chosen"])
    outputs = found["outputs"][chosen]  # (S, K)
    told = _told(found, chosen)
    names = [context.dataset.classes[k] for k in found["classes"]]
    table = _table(found, names)
    evidence = Evidence(
        table,
        t_statistic(outputs.min(axis=1), "smallest output of a class on its own label"),
        at_most(DEAD),
        _by_decay(found, names, told),
    )
    headline, action, outcome = _words(found, names, told, evidence)
    return Answer(
        evidence,
        headline,
        action,
        details=[
            f"{int(found['rows'])} training rows, {len(names)} classes of {found['sizes'].min()} "
            f"to {found['sizes'].max()} rows, {SEEDS} seeds; the probe is no net of the audit: "
            "squared error, SGD, batch norm.",
            f"The outputs at weight decay {DECAYS[-1]:g} put the threshold n* at "
            f"{told.threshold * (DECAYS[-1] / DECAYS[chosen]) ** 2:.2g} rows there and at "
            f"{told.threshold:.2g} at {DECAYS[chosen]:g}; a class that is hard to learn "
            "dies earlier.",
            _recall_sentence(found, names, chosen),
        ],
        caption="Mean output on the own label of the smallest and largest class (rows) over weight "
        "decay, measured, and by the law.",
        pictures={
            "layers": (
                _by_layer(found),
                "Collapse, layer by layer",
                "Scatter within classes over that between them while training, mean of the seeds, "
                f"at weight decay {DECAYS[chosen]:g}: 0 is full collapse.",
            ),
            "before": (
                _frame(found["frame_before"], names),
                "Cosines between class means before training",
                "Features below the read-out, one seed: all means point the same way.",
            ),
            "after": (
                _frame(found["frame_after"], names),
                "Cosines between class means after training",
                "The theory expects an orthogonal frame: 1 on the diagonal, else 0.",
            ),
        },
        outcome=outcome,
        extra={
            "threshold_rows": told.threshold,
            "weight_decay": DECAYS[chosen],
            "lifting_decay": told.lifting_decay,
            "collapsed": [names[k] for k in told.collapsed],
            "at_risk": [names[k] for k in told.at_risk],
        },
    )


def collapses(
    dataset: Dataset,
    split: Mapping[str, int],
    rows: int,
    decays: Sequence[float],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Cell: probes trained at every decay and seed (D decays, S seeds, K classes with rows).

    Returns
    -------
    dict
        `classes`, `sizes` (K,); `outputs`, `recall` (D, S, K) on training and on validation rows
        (NaN without any); `train_accuracy`, `held_accuracy` (D, S); `chosen`, the decay best on
        held-out rows; of that one `epoch` (T,), `nc1` (L, T) by layer, and the cosines of class
        means `frame_before`, `frame_after` (K, K) of its first seed; `rows`.
    """
    fitted, held, validation = views(dataset, SplitKey(**split), rows)
    classes, y, sizes = np.unique(fitted.y, return_inverse=True, return_counts=True)
    if len(y) < FEWEST_ROWS or len(classes) < 2:
        return {"rows": len(y), "classes": classes}
    X, H, V = (rows.astype(np.float32) for rows in on_one_scale(fitted, held, validation))
    epochs = int(np.clip(round(STEPS * BATCH / len(y)), 20, 200))
    members = np.arange(len(decays) * len(seeds)).reshape(len(decays), len(seeds))
    ensemble = collapsing_ensemble(X.shape[1], len(classes), HIDDEN, list(seeds) * len(decays))
    untrained = [ensemble.member(i) for i in members[:, 0]]
    history = train_to_collapse(
        ensemble,
        X,
        y,
        weight_decay=np.repeat(decays, len(seeds)).tolist(),
        epochs=epochs,
        batch_size=BATCH,
        layers=LAYERS,
        at=LogSpaced(4, last=epochs),
    )
    logits = ensemble.predict_logits(X)
    own = logits[:, np.arange(len(y)), y]
    right = classes[ensemble.predict_logits(V).argmax(axis=2)] == validation.y
    held_right = classes[ensemble.predict_logits(H).argmax(axis=2)] == held.y
    held_accuracy = held_right.mean(axis=1).reshape(members.shape)
    chosen = int(held_accuracy.mean(axis=1).argmax())
    curves = [history.curve("nc1_trace", "train", name) for name in (*LAYERS, "head.0")]
    steps = curves[0].steps
    # Where a validation row's class stands among those with training rows; -1: it has none.
    place = np.full(len(dataset.classes), -1)
    place[classes] = np.arange(len(classes))
    return {
        "classes": classes,
        "sizes": sizes,
        "outputs": _by_class(own, y, len(classes)).reshape(*members.shape, -1),
        "recall": _by_class(right, place[validation.y], len(classes)).reshape(*members.shape, -1),
        "train_accuracy": (logits.argmax(axis=2) == y).mean(axis=1).reshape(members.shape),
        "held_accuracy": held_accuracy,
        "chosen": chosen,
        "epoch": steps / max(steps[-1], 1) * epochs,
        "nc1": np.stack([c.values[members[chosen]].mean(axis=0) for c in curves]),
        "frame_before": _cosines(untrained[chosen], X, y),
        "frame_after": _cosines(ensemble.member(members[chosen, 0]), X, y),
        "rows": len(y),
    }


def _told(found: Mapping[str, Any], chosen: int) -> MinorityCollapse:
    """What the chosen decay does; the law is read at the largest, which settles first."""
    outputs, sizes = found["outputs"].mean(axis=1), found["sizes"]
    largest = minority_collapse(outputs[-1], sizes, DECAYS[-1]).threshold
    scaled = None if np.isnan(largest) else largest * (DECAYS[chosen] / DECAYS[-1]) ** 2
    return minority_collapse(outputs[chosen], sizes, DECAYS[chosen], threshold=scaled)


def _by_class(values: np.ndarray, classes: np.ndarray, n_classes: int) -> np.ndarray:
    """Means (M, K) of values (M, n) over the rows of each class; NaN where it has none."""
    hot = np.equal.outer(classes, np.arange(n_classes)).astype(float)
    with np.errstate(invalid="ignore"):
        return values @ hot / hot.sum(axis=0)


def _cosines(net: nn.Module, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosines between the class means of the features."""
    assert isinstance(net, CollapsingNetwork)
    with torch.no_grad():
        features = net.eval().body(torch.tensor(X))
    return neural_collapse(features, torch.tensor(y)).mean_cosines


def _table(found: Mapping[str, Any], names: Sequence[str]) -> pl.DataFrame:
    """A row a decay and class, the smallest class first."""
    return pl.DataFrame(
        [
            {
                "weight_decay": decay,
                "class": names[k],
                "rows": int(found["sizes"][k]),
                "output": float(found["outputs"][d, :, k].mean()),
                "validation_recall": _number(found["recall"][d, :, k].mean()),
            }
            for d, decay in enumerate(DECAYS)
            for k in np.argsort(found["sizes"], kind="stable")
        ]
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _by_decay(
    found: Mapping[str, Any], names: Sequence[str], told: MinorityCollapse
) -> dict[str, Any]:
    """Outputs of the smallest and the largest class over the decay, and by the law."""
    sizes, chosen = found["sizes"], DECAYS[int(found["chosen"])]
    ends = {"smallest": int(sizes.argmin()), "largest": int(sizes.argmax())}
    rows: list[dict[str, Any]] = []
    for which, k in ends.items():
        measured = found["outputs"][:, :, k].mean(axis=1)
        law = np.clip(1 - np.sqrt(told.threshold / sizes[k]) * np.array(DECAYS) / chosen, 0, None)
        title = f"{which}, {names[k]} ({sizes[k]})"
        for part, values in ((title, measured), (f"{which}, by the law", law)):
            rows += [
                {"weight decay": decay, "output": float(value), "class": part}
                for decay, value in zip(DECAYS, values, strict=True)
            ]
    rules = [(chosen, "best on held-out rows")]
    return figures.curve(
        rows,
        "weight decay",
        "output",
        color="class",
        log_x=True,
        rules=rules,
        x_title="weight decay of the probe (log)",
        y_title="mean output on the own label",
    )


def _by_layer(found: Mapping[str, Any]) -> dict[str, Any]:
    rows = [
        {"epochs": float(epoch) + 1, "nc1": float(value), "layer": f"after layer {place + 1}"}
        for place, values in enumerate(found["nc1"])
        for epoch, value in zip(found["epoch"], values, strict=True)
    ]
    return figures.curve(
        rows,
        "epochs",
        "nc1",
        color="layer",
        log_x=True,
        log_y=True,
        x_title="epochs done + 1 (log)",
        y_title="scatter within / between classes",
    )


def _frame(cosines: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    rows = [
        {"class": a, "with": b, "cosine": float(cosines[i, j])}
        for i, a in enumerate(names)
        for j, b in enumerate(names)
    ]
    return figures.heatmap(rows, "with", "class", "cosine", x_title="class", y_title="class")


def _words(
    found: Mapping[str, Any], names: Sequence[str], told: MinorityCollapse, evidence: Evidence
) -> tuple[str, str, str | None]:
    """Headline, action, and the outcome where it departs from the verdict."""
    decay, sizes = DECAYS[int(found["chosen"])], found["sizes"]
    weakest = int(told.outputs.argmin())
    if evidence.verdict is Verdict.HOLDS:
        lost = ", ".join(f"{names[k]} ({sizes[k]} rows)" for k in told.collapsed[:5])
        where = (
            f"At the weight decay that suits the data as a whole ({decay:g}, squared error, SGD) "
            "classes are switched off"
            if int(found["chosen"]) > 0
            else f"Even at the least weight decay tried ({decay:g}, squared error, SGD) classes "
            "are not learnt"
        )
        return (
            f"{where}: {lost}.",
            f"For these classes lower the weight decay (to {told.lifting_decay:.1g} in this "
            "probe), weigh them up or collect rows; judge by balanced accuracy.",
            None,
        )
    if evidence.verdict is Verdict.INCONCLUSIVE:
        return (
            f"The class {names[weakest]} ({sizes[weakest]} rows) is hardly learnt at weight decay "
            f"{decay:g} (squared error, SGD): it keeps {told.outputs[weakest]:.2f} of its output, "
            "in some seeds perhaps nothing.",
            "Watch its recall, weigh it up or collect rows.",
            None,
        )
    if len(told.at_risk):
        k = told.at_risk[0]
        return (
            f"The class {names[k]} ({sizes[k]} rows) is near the size at which weight decay "
            f"{decay:g} (squared error, SGD) switches it off: {told.threshold:.0f} rows.",
            f"Watch its recall; a decay of {told.lifting_decay:.1g} in this probe would keep it.",
            "tip",
        )
    return (
        f"No class is switched off: at weight decay {decay:g} (squared error, SGD) the weakest, "
        f"{names[weakest]} ({sizes[weakest]} rows), keeps {told.outputs[weakest]:.2f} of its "
        "output.",
        "Weight decay of this size needs no care for small classes.",
        None,
    )


def _recall_sentence(found: Mapping[str, Any], names: Sequence[str], chosen: int) -> str:
    """What the decay means for the weakest class on rows not trained on."""
    weakest = int(found["outputs"][chosen].mean(axis=0).argmin())
    recall = found["recall"][:, :, weakest].mean(axis=1)
    if np.isnan(recall).all():
        return f"No validation row is of the class {names[weakest]}."
    by = ", ".join(f"{r:.2f} at {d:g}" for d, r in zip(DECAYS, recall, strict=True))
    return f"Recall of {names[weakest]} on validation rows by weight decay: {by}."
