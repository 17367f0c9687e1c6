"""Does the learning rate of a quarter-width net hold for the full width, and what does that save?

The audit's baseline net (its recipe for the rows) over learning rates, at a quarter of its width
and at its full width, where the full width has the usual parametrisation or the maximal update one
(muP) with the quarter as base. As in the audit a rate is chosen by the loss on the held-out tenth,
mean over seeds; what it is worth is measured on validation rows. Printed for each set: the chosen
rates, how far the best rate moves from the narrow net to the wide one (octaves, read off parabolas
of the validation loss), the regret of the transferred rate against the one chosen at full width,
what it gains over the usual parametrisation at the usual 0.001 (both in log loss, standard errors
over seeds), and the processor seconds of a sweep (one seed, all rates in one stack).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.special import log_softmax

from overparam.auditing.net_cells import SplitKey, at_most, train, views
from overparam.auditing.options import Options
from overparam.auditing.planning import make_plan
from overparam.auditing.recipes import Recipe
from overparam.data.dataset import Dataset
from overparam.data.loading import load

SETS = {"digits": None, "breast_cancer": None, "characters": 2000, "fashion-mnist": 2000}
RATES = tuple(float(r) for r in 1e-3 * 10.0 ** np.linspace(-1.5, 1.5, 7))
USUAL = RATES.index(1e-3)
NARROW = 4  # times narrower
SCORED = 3000  # validation rows
WORST = -np.log(1e-12)  # loss of a net that diverged


def baseline(dataset: Dataset, rows: int | None) -> Recipe:
    """The recipe that the audit would take for this data, on at most `rows` training rows."""
    recipe = make_plan(dataset, Options(), metric="accuracy", jobs=2).baseline
    if rows is None or recipe.rows <= rows:
        return recipe
    return replace(recipe, rows=rows, epochs=32, batch_size=64)


Losses = dict[str, np.ndarray]  # part -> (rates, seeds)


def losses(dataset: Dataset, recipe: Recipe, seeds: int) -> tuple[Losses, float]:
    """Loss on the held-out tenth and on validation rows; seconds of a sweep, one stack a seed."""
    fitted, held, validation = views(dataset, SplitKey(0), recipe.rows)
    parts = {"held": held, "validation": at_most(validation, SCORED, 0)}
    found: dict[str, list[np.ndarray]] = {part: [] for part in parts}
    seconds = 0.0
    for seed in range(seeds):
        start = time.process_time()
        nets = train(fitted, recipe, [seed] * len(RATES), vectors={"learning_rate": list(RATES)})
        seconds += time.process_time() - start
        for part, view in parts.items():
            p = log_softmax(nets.logits(view).astype(float), axis=-1)
            loss = -p[:, np.arange(len(view)), view.y].mean(axis=1)
            found[part].append(np.where(nets.ensemble.diverged, WORST, loss))
    return {part: np.stack(each, axis=1) for part, each in found.items()}, seconds / seeds


def optimum(loss: np.ndarray) -> float:
    """log2 of the best rate: the vertex of the parabola through the least and its neighbours."""
    best = int(np.clip(loss.argmin(), 1, len(loss) - 2))
    steps = np.log2(RATES)
    low, mid, high = np.log(loss[best - 1 : best + 2])
    curvature = low - 2 * mid + high
    shift = (low - high) / (2 * curvature) if curvature > 0 else np.sign(low - high)
    return float(steps[best] + np.clip(shift, -1, 1) * (steps[1] - steps[0]))


def compare(dataset: Dataset, recipe: Recipe, seeds: int) -> dict[str, Any]:
    """Sweeps at both widths, with and without muP."""
    base = recipe.width // NARROW
    variants = {
        "narrow": recipe.but(width=base),
        "usual": recipe,
        "muP": recipe.but(base_width=base),
    }
    swept = {name: losses(dataset, one, seeds) for name, one in variants.items()}
    held = {name: loss["held"].mean(axis=1) for name, (loss, _) in swept.items()}
    scored = {name: loss["validation"] for name, (loss, _) in swept.items()}
    picked = int(held["narrow"].argmin())
    out: dict[str, Any] = {
        "recipe": recipe.as_dict(),
        "rates": RATES,
        "picked": RATES[picked],
        "seconds": {name: seconds for name, (_, seconds) in swept.items()},
        "loss": {
            name: {part: values.tolist() for part, values in loss.items()}
            for name, (loss, _) in swept.items()
        },
    }
    for name in ("usual", "muP"):
        own = int(held[name].argmin())
        pairs = zip(scored[name].T, scored["narrow"].T, strict=True)
        out[name] = {
            "best": RATES[own],
            "moved": mean_and_error(np.array([optimum(w) - optimum(n) for w, n in pairs])),
            "loss": mean_and_error(scored[name][picked]),
            "regret": mean_and_error(scored[name][picked] - scored[name][own]),
            "gain": mean_and_error(scored["usual"][USUAL] - scored[name][picked]),
        }
    return out


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error over seeds."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def main() -> None:
    """Print a block a set; `--out` keeps all losses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    results = {}
    for name in arguments.sets:
        dataset = load(name)
        found = compare(dataset, baseline(dataset, SETS[name]), arguments.seeds)
        results[name] = found
        kind = found["recipe"]
        took = ", ".join(f"{way} {s:.1f} s" for way, s in found["seconds"].items())
        print(
            f"{name}: {kind['net']}, {kind['rows']} rows, {kind['epochs']} passes; a sweep: {took}"
        )
        print(f"  narrow: best {found['picked']:.2g}")
        for way in ("usual", "muP"):
            words = ", ".join(
                f"{key} {value[0]:+.3f} +- {value[1]:.3f}"
                for key, value in found[way].items()
                if key != "best"
            )
            print(f"  {way}: best {found[way]['best']:.2g}, {words}", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
