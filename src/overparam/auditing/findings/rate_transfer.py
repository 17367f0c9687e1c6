"""Does the learning rate of a small net hold for a wide one of its kind?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch

from overparam.auditing.answers import Answer, NotApplicable
from overparam.auditing.context import Context
from overparam.auditing.net_cells import SplitKey, views
from overparam.auditing.recipes import Recipe, features, from_dict, module_factory, rate_factors
from overparam.auditing.registry import finding
from overparam.data.dataset import Dataset
from overparam.diagnostics.activation_change import EXPLODES, coordinate_check
from overparam.evidence.intervals import Statistic, t_interval
from overparam.evidence.regions import more_than
from overparam.evidence.seed_tables import by_seed, log_log_slopes, seed_means
from overparam.evidence.verdict import Evidence, Verdict
from overparam.report import figures

SCALES = (0.25, 0.5, 1.0, 2.0)  # of the baseline net's width
FEWEST = 4  # units of the narrowest net: fewer are often all dead
SEEDS = 5
ROWS = 32  # one batch
STEPS = 5
SECONDS = 2.0  # of one thread, in one process
USUAL, MUP = "usual", "muP"


@finding(
    "OP008",
    "rate-transfer",
    title="Does a small net's learning rate hold for a wide one?",
    paper="feature-learning-limit",
    order=1,
    thresholds={
        "exponent": (
            EXPLODES,
            "beyond width^0.25 a net four times as wide needs a clearly smaller rate",
        ),
    },
)
def rate_transfer(context: Context) -> Answer:
    """Whether training changes some layer the more, the wider the net is.

    How: a coordinate check. The baseline net is built at a quarter, half, once and twice its
    width, five seeds each, and takes five steps of Adam at its own learning rate on one batch of
    the training rows. What the steps added to each layer's output is compared over widths: the
    statistic is the largest exponent of a layer's change as a power of the width. The maximal
    update parametrisation (muP) is drawn beside it. A model of your own has no width that could be
    varied from outside; the baseline net stands for it.

    Why: where a layer's change grows with the width, the rate that is best for a small net is too
    large for a wide one, so that every width has to be tuned anew. Under muP no layer's does, and a
    sweep on small nets serves the wide one. Under the usual parametrisation with Adam the exponent
    is near 1 on almost any data: the finding is a tip (never an issue), and the treatment
    `tuned-rate` measures whether it costs anything here.

    What to do: tune on a narrow net under muP and widen it (`tuned-rate` does), or tune each width.
    """
    recipe = context.recipe
    if recipe.width * SCALES[0] < FEWEST:
        raise NotApplicable(f"the baseline net has width {recipe.width}: too narrow to vary.")
    widths = [round(recipe.width * s) for s in SCALES]
    [found] = context.cells(
        "nets",
        layer_changes,
        [
            {
                "dataset": context.dataset,
                "split": context.split_keys[0].as_dict(),
                "recipe": recipe.as_dict(),
                "widths": widths,
                "seeds": list(range(SEEDS)),
            }
        ],
        label="coordinate check",
        estimate=SECONDS,
    )
    table = pl.DataFrame({name: list(found[name]) for name in COLUMNS})
    own = MUP if recipe.base_width else USUAL
    worst = largest_exponent(table.filter(pl.col("parametrisation") == own))
    tamed = largest_exponent(table.filter(pl.col("parametrisation") == MUP))
    means = seed_means(table, "change", ["parametrisation", "layer", "width"]).with_columns(
        line=pl.concat_str("layer", pl.lit(", "), "parametrisation")
    )
    evidence = Evidence(
        means,
        worst,
        more_than(EXPLODES),
        figures.curve(
            means,
            "width",
            "change",
            color="line",
            log_x=True,
            log_y=True,
            x_title="width (log)",
            y_title="change of a layer's output in five steps (log)",
        ),
    )
    headline, action = _words(evidence, recipe)
    return Answer(
        evidence,
        headline,
        action,
        details=[
            f"Widths {', '.join(map(str, widths))}; {STEPS} steps of Adam at rate "
            f"{recipe.learning_rate:g} on one batch; {SEEDS} seeds.",
            f"The largest exponent under muP is {tamed.value:.2f} ({tamed.label}).",
        ],
        caption="Root mean square change of each layer's output over the width, mean over seeds.",
        outcome="fine" if evidence.verdict is Verdict.FAILS else "tip",
        extra={"exponent": worst.value, "exponent_under_mup": tamed.value},
    )


COLUMNS = ("parametrisation", "layer", "width", "seed", "change")


def layer_changes(
    dataset: Dataset,
    split: Mapping[str, int],
    recipe: Mapping[str, Any],
    widths: Sequence[int],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Cell: change of every layer at several widths under both parametrisations, as columns."""
    made = from_dict(recipe)
    batch = views(dataset, SplitKey(**split), made.rows)[0]
    batch = batch.take(np.arange(min(ROWS, len(batch))))
    X = features(made, batch)
    n_features, n_outputs = int(np.prod(X.shape[1:])), len(dataset.classes) or 1
    if dataset.classes:
        y = torch.as_tensor(batch.y)
    else:
        y = torch.as_tensor((batch.y - batch.y.mean()) / (batch.y.std() or 1.0)).float()[:, None]
    tables = []
    for name, base in ((USUAL, 0), (MUP, min(widths))):
        recipes = {width: made.but(width=width, base_width=base) for width in widths}
        rates = {
            width: rate_factors(one, batch.preprocessor, n_features, n_outputs) or {}
            for width, one in recipes.items()
        }

        def make(width: int, seed: int, recipes: Any = recipes, rates: Any = rates) -> Any:
            factory = module_factory(recipes[width], batch.preprocessor, X)
            net = factory(n_features, n_outputs, seed)
            return net, [
                {"params": [p], "lr": made.learning_rate * rates[width].get(leaf, 1.0)}
                for leaf, p in net.named_parameters()
            ]

        check = coordinate_check(make, widths, (torch.as_tensor(X), y), steps=STEPS, seeds=seeds)
        tables.append(check.table.with_columns(parametrisation=pl.lit(name)))
    table = pl.concat(tables)
    return {name: table[name].to_list() for name in COLUMNS}


def largest_exponent(table: pl.DataFrame) -> Statistic:
    """The exponent of the layer whose change grows most with the width, t interval over seeds."""
    widths = sorted(table["width"].unique())
    best: Statistic | None = None
    for (layer,), part in table.group_by("layer", maintain_order=True):
        changes = by_seed(part.sort("width"), "change", "width")
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = log_log_slopes(widths, changes)
        slopes = slopes[np.isfinite(slopes)]  # a layer whose units are all dead does not change
        if len(slopes) < 2:
            continue
        one = Statistic(float(slopes.mean()), t_interval(slopes), f"layer {layer}", len(slopes))
        if best is None or one.value > best.value:
            best = one
    if best is None:
        raise NotApplicable("training changes no layer of these nets within five steps.")
    return best


def _words(evidence: Evidence, recipe: Recipe) -> tuple[str, str]:
    """Headline and action."""
    exponent = evidence.statistic.value
    if evidence.verdict is Verdict.FAILS:
        return (
            f"Training changes every layer alike at any width (largest exponent {exponent:.2f}): "
            "a learning rate found on a small net holds for a wide one.",
            "Tune the learning rate on a narrow net.",
        )
    return (
        f"A wider net needs another learning rate: training changes its "
        f"{evidence.statistic.label} like width^{exponent:.2f}.",
        f"Tune the rate on a net of width {recipe.width // 4} under muP and widen that "
        "(the treatment tuned-rate does), or tune it anew at every width.",
    )
