"""Train one recipe over the treatment's seeds and splits, and hand it over as a candidate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.measurements import fit_recipe


def trained(
    context: Context,
    name: str,
    title: str,
    build: Build,
    *,
    setting: str = "",
    row_weights: Sequence[np.ndarray] | None = None,
    seeds: int | None = None,
    seeds_a_cell: int | None = None,
) -> Candidate:
    """Fit the recipe of `build` under the treatments' seeds on every split.

    `seeds` trains fewer, `seeds_a_cell` fixes how many are one piece of work.
    """
    assert build.recipe is not None
    fits = fit_recipe(
        context,
        build.recipe,
        min(seeds or context.plan.treatment_seeds, context.plan.treatment_seeds),
        stage="treatments",
        label=title,
        row_weights=row_weights,
        seeds_a_cell=seeds_a_cell,
    )
    predictions = [context.probabilities(logits) for logits in fits.validation]
    return Candidate(name, title, build, predictions, fits.seconds, setting)
