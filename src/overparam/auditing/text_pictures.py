"""The pictures of a text's audit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl

from overparam.auditing.pictures import Picture
from overparam.auditing.text_offers import by_size
from overparam.auditing.text_plan import USUAL
from overparam.auditing.text_trials import Trials
from overparam.evidence.seed_tables import seed_means
from overparam.report import figures
from overparam.theory.scaling import Bootstrap


def member_picture(trials: Trials) -> Picture:
    """Loss against the number of members: the mean over all ensembles of so many."""
    rows = []
    recipes = {"usual recipe": trials.usual, "tuned": trials.tuned}
    if trials.usual == trials.tuned:
        del recipes["tuned"]
    for title, recipe in recipes.items():
        for size, loss in by_size(trials.of_subsets(recipe)).items():
            rows.append({"members": size, "loss": loss, "recipe": title})
    figure = figures.curve(
        rows,
        "members",
        "loss",
        color="recipe",
        x_title="members of the ensemble",
        y_title="validation loss, nats a token",
    )
    return figure, {
        "title": "What more members bring",
        "caption": "Mean over all ensembles of so many of the trained nets. Four members do "
        "not tell the asymptote of ever more.",
    }


def loss_table(curve: dict[int, np.ndarray], name: str) -> pl.DataFrame:
    """A row a seed and key of the curve: mean loss over windows."""
    return pl.DataFrame(
        [
            {name: key, "seed": seed, "loss": float(value)}
            for key, found in curve.items()
            for seed, value in enumerate(found.mean(axis=1))
        ]
    )


def passes_picture(trials: Trials) -> dict[str, Any]:
    """Loss against passes of the usual recipe, and of the tuned decay."""
    curve = {passes: trials.judged(models) for passes, models in trials.usual_runs.items()}
    usual = loss_table(curve, "passes").with_columns(decay=pl.lit(f"decay {USUAL}"))
    tuned = trials.tuned.decay
    rows = [
        {"passes": at["passes"], "seed": 0, "loss": loss, "decay": f"decay {tuned:g}"}
        for at, loss in trials.search.evaluated
        if at["decay"] == tuned and np.isfinite(loss) and tuned != USUAL
    ]
    table = pl.concat([usual, pl.DataFrame(rows, schema=usual.schema)]) if rows else usual
    means = seed_means(table, "loss", ["decay", "passes"])
    return figures.curve(
        means.sort("decay", "passes"),
        "passes",
        "loss",
        color="decay",
        low="low",
        high="high",
        log_x=True,
        x_title="passes over the text (log)",
        y_title="held-out loss, nats a token",
    )


def decay_picture(table: pl.DataFrame) -> dict[str, Any]:
    """Loss of what the search looked at, a line a number of passes."""
    named = table.sort("passes", "decay").with_columns(read=pl.format("{} passes", "passes"))
    return figures.curve(
        named,
        "decay",
        "loss",
        color="read",
        log_x=True,
        x_title="weight decay (log)",
        y_title="held-out loss, nats a token",
    )


def law_table(sizes: list[int], means: list[np.ndarray]) -> pl.DataFrame:
    """A row a size and seed."""
    return pl.DataFrame(
        [
            {"parameters": size, "seed": seed, "loss": float(value)}
            for size, group in zip(sizes, means, strict=True)
            for seed, value in enumerate(group)
        ]
    )


def law_picture(sizes: list[int], means: list[np.ndarray], law: Bootstrap) -> dict[str, Any]:
    """Loss against parameters, with the law where it is identified."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = seed_means(law_table(sizes, means), "loss", ["parameters"])
    rows = found.select("parameters", "loss", "low", "high").with_columns(
        pl.col("parameters").cast(pl.Float64), what=pl.lit("measured")
    )
    rules = []
    if law.identified:
        grid = np.geomspace(sizes[0], 4 * sizes[-1], 40)
        drawn = pl.DataFrame({"parameters": grid, "loss": law.law.predict(grid)})
        drawn = drawn.with_columns(low=pl.col("loss"), high=pl.col("loss"), what=pl.lit("law"))
        rows = pl.concat([rows, drawn.select(rows.columns)])
        rules = [(float(law.law.asymptote), "asymptote", "y")]
    return figures.curve(
        rows,
        "parameters",
        "loss",
        color="what",
        low="low",
        high="high",
        log_x=True,
        rules=rules,
        x_title="parameters (log)",
        y_title="held-out loss, nats a token",
    )
