"""Training the Untrainable: Introducing Inductive Bias via Representational Alignment
(arXiv 2410.20035).

A network that hardly trains on its own is pulled, layer by layer, towards the representations of a
frozen guide of another architecture. C1 (with C1b to C1d), C2, C7 and C8 use a fully connected
network of 40 or 48 layers, C3 a wide one that overfits, C4 convolutions without skips; guides are
small ResNets. In C5 and C6 recurrent networks and transformers of two layers guide each other.
Everything is small: 2,048 images of Fashion-MNIST, where the paper has ImageNet; strings of at most
21 tokens and 200,000 characters of a dictionary.

The targets of one seed share initial weights and minibatches; each seed has its own rows, weights
and guides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from overparam.evidence.cells import fixed, grid, run
from overparam.evidence.intervals import t_statistic
from overparam.evidence.regions import at_least, between, more_than
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import by_seed
from overparam.evidence.verdict import Evidence, judged
from overparam.studies.guidance_cells import convolutions, fully_connected
from overparam.studies.guidance_pictures import (
    BOTH,
    NAMES,
    accuracies,
    at,
    beside,
    best_rates,
    conditions_apart,
    dots,
    final,
    gain,
    joined,
    lines,
    losses,
    losses_over_time,
    rates_said,
    rise,
    said,
)
from overparam.studies.guidance_sequence_cells import sequence_guide, sequence_target
from overparam.studies.guidance_text_cells import text_guide, text_target
from overparam.studies.study import Study

study = Study("guidance")

GAIN = 0.05  # accuracy of 48 layers after 20 epochs, over no guide
FASTER = 0.08  # ... of 40 layers after 15 epochs
SAME = 0.05  # accuracy, of a guided start and of guidance throughout
CALMER = 0.3  # share of the rise of the log loss that guidance takes away
CONDITIONS = ["none", "untrained", "trained"]
GUIDE_STEPS = {"copy": 500, "parity": 900}  # until a guide is right nearly always
DICTIONARY = {"source": "gcide", "characters": 200_000, "valid": 32_768, "batch": 32}
HALVES = ("trained pair", "untrained")  # two cells a seed: one would take too long


@study.claim("C1", minutes={"quick": 1, "full": 2})
def deep_network_becomes_trainable(scale: Scale) -> dict[str, Evidence]:
    """A fully connected network of 48 layers, which stays near chance for 20 epochs, learns when a
    small ResNet guides it, trained or not."""
    epochs = scale.pick(smoke=(1, 2), quick=(5, 10, 15, 20), full=(5, 10, 15, 20))
    table = run(fully_connected, grid(group=["headline"], **deep(scale, 48, epochs)))
    last = epochs[-1]
    parts = {
        f"{NAMES[name]}, epoch {last}": (gain(table, name, last), more_than(GAIN), "")
        for name in BOTH
    }
    return judged(table, accuracies(table, ("none", *BOTH), epochs), parts)


@study.claim("C1b", minutes={"quick": 2, "full": 4})
def deep_network_trains_faster(scale: Scale) -> dict[str, Evidence]:
    """Of 40 layers the guided network is far ahead after 15 epochs."""
    table, epoch = forty(scale), early(scale)
    parts = {
        f"{NAMES[name]}, epoch {epoch}": (gain(table, name, epoch), more_than(FASTER), "")
        for name in BOTH
    }
    return judged(table, accuracies(table, ("none", *BOTH), epochs_of(scale)), parts)


@study.claim("C1c", minutes={"quick": 0.1, "full": 0.1})
def deep_network_ends_higher(scale: Scale) -> dict[str, Evidence]:
    """The guided network of 40 layers also ends with a higher accuracy.

    No threshold is given: the sign of the difference decides.
    """
    table, last = forty(scale), epochs_of(scale)[-1]
    parts = {
        f"{NAMES[name]}, epoch {last}": (gain(table, name, last), more_than(0), losses(table, last))
        for name in BOTH
    }
    return judged(table, final(table, ("none", *BOTH), last), parts)


@study.claim("C1d", minutes={"quick": 0.1, "full": 0.1})
def untrained_guide_is_the_better_one(scale: Scale) -> Evidence:
    """For a deep fully connected network an untrained guide is worth more than a trained one.

    The paper's order on ImageNet (13.1 against 7.5 % top-5); the sign decides.
    """
    table, last = forty(scale), epochs_of(scale)[-1]
    ahead = at(table, "untrained", last) - at(table, "trained", last)
    soon = early(scale)
    before = at(table, "untrained", soon) - at(table, "trained", soon)
    note = f"After {soon} epochs the difference is {before.mean():+.3f}."
    statistic = t_statistic(ahead, f"untrained minus trained guide, accuracy at epoch {last}")
    return Evidence(table, statistic, more_than(0), final(table, BOTH, last), note=note)


@study.claim("C2", minutes={"quick": 0.7, "full": 1.2})
def short_start_is_enough(scale: Scale) -> dict[str, Evidence]:
    """A hundred guided steps and then plain training do as well as guidance throughout."""
    last = early(scale)
    table = joined(
        forty(scale),
        run(fully_connected, grid(group=["starts"], **deep(scale, 40, (last,)))),
    )
    parts = {}
    for name in BOTH:
        apart = at(table, f"{name} start", last) - at(table, name, last)
        parts[f"{NAMES[name]}, start minus throughout"] = (
            t_statistic(apart, f"difference of accuracy at epoch {last}"),
            between(-SAME, SAME),
            "",
        )
        parts[f"{NAMES[name]}, start over none"] = (
            gain(table, f"{name} start", last),
            more_than(FASTER),
            "",
        )
    conditions = ("none", "untrained", "untrained start", "trained", "trained start")
    return judged(table, final(table, conditions, last), parts)


@study.claim("C3", minutes={"quick": 1, "full": 3})
def wide_network_overfits_less(scale: Scale) -> dict[str, Evidence]:
    """A wide fully connected network, whose test loss rises after its best epoch, overfits less
    under an untrained guide, and is no less accurate."""
    epochs = scale.pick(smoke=(1, 2), quick=tuple(range(1, 31)), full=tuple(range(1, 31)))
    axes = deep(scale, 3, epochs) | {"width": scale.pick(smoke=16, quick=512, full=512)}
    groups = scale.pick(
        smoke=["untrained pair"], quick=["untrained pair"], full=["untrained pair", "trained"]
    )
    table = run(fully_connected, grid(group=groups, **axes))
    last = epochs[-1]
    guides = [name for name in BOTH if f"{name}@{last}" in table.columns]
    base = rise(table, "none", epochs)
    base[base == 0] = np.nan  # no rise, no share of it
    note = "; ".join(
        f"{NAMES[name]}: log loss rises by {rise(table, name, epochs).mean():.3f} to "
        f"{at(table, f'{name} nll', last).mean():.3f}, accuracy {at(table, name, last).mean():.4f}"
        for name in ("none", *guides)
    )
    parts = {
        "share of the rise taken away": (
            t_statistic(1 - rise(table, "untrained", epochs) / base, "1 - ratio of rises"),
            more_than(CALMER),
            note + ".",
        ),
        "accuracy at the end": (gain(table, "untrained", last), at_least(0), ""),
    }
    return judged(table, losses_over_time(table, ("none", *guides), epochs), parts)


@study.claim("C4", minutes={"quick": 3, "full": 5})
def convolutions_without_skips(scale: Scale) -> Evidence:
    """Convolutions in a row train better under a trained guide of their kind that has skips.

    At this depth (24 layers with BatchNorm) they train without help, too: the paper's network has
    50 and sees ImageNet. The sign at the last epoch decides.
    """
    epochs = scale.pick(smoke=(1, 2), quick=(4, 8), full=(4, 8))
    axes = rows(scale) | scale.pick(
        smoke={"depth": 6, "channels": 4, "guide_epochs": 1},
        quick={"depth": 24, "channels": 16, "guide_epochs": 8},
        full={"depth": 24, "channels": 16, "guide_epochs": 8},
    )
    table = run(convolutions, grid(guided=[False, True], measured=fixed(epochs), **axes))
    plain, guided = (table.filter(guided=value).sort("seed") for value in (False, True))

    def gap(column: str) -> np.ndarray:
        return guided[column].to_numpy() - plain[column].to_numpy()

    note = "; ".join(
        f"epoch {e}: accuracy {gap(f'accuracy@{e}').mean():+.3f}, "
        f"log loss {gap(f'nll@{e}').mean():+.3f}"
        for e in epochs
    )
    long = pl.concat(
        table.select(
            "seed",
            value=f"accuracy@{e}",
            epoch=pl.lit(e),
            target=pl.when("guided").then(pl.lit("trained guide")).otherwise(pl.lit("no guide")),
        )
        for e in epochs
    )
    statistic = t_statistic(gap(f"accuracy@{epochs[-1]}"), f"gain in accuracy, epoch {epochs[-1]}")
    figure = lines(long, "epoch", "target", "test accuracy")
    return Evidence(table, statistic, more_than(0), figure, note=note + ".")


@study.claim("C5", minutes={"quick": 2, "full": 10})
def sequences_are_learnt_from_each_other(scale: Scale) -> dict[str, Evidence]:
    """A plain recurrent network learns to copy from a transformer, and a transformer learns parity
    from a recurrent network, trained or not.

    Copied are strings of 5 to 10 symbols of 8, counted is what is due after the copy token; the
    parity is that of 2 to 20 bits. The sign of each difference in accuracy decides.
    """
    sizes = {"seed": scale.seeds, "batch": scale.pick(smoke=8, quick=64, full=64)}
    sizes |= {"test": scale.pick(smoke=100, quick=5000, full=5000)}
    steps = scale.pick(smoke=3, quick=300, full=1200)
    learnt = scale.pick(smoke={"copy": 3, "parity": 3}, quick=GUIDE_STEPS, full=GUIDE_STEPS)
    parts, tables = {}, []
    for task in ("copy", "parity"):
        guides = run(sequence_guide, grid(task=[task], steps=learnt[task], **sizes))
        targets = {"steps": steps, "guide_steps": learnt[task], **sizes}
        table = run(sequence_target, grid(task=[task], condition=CONDITIONS, **targets))
        accuracy = by_seed(table, "accuracy", "condition")
        tables.append(beside(table, guides.drop("weights")))
        note = said(tables[-1], "accuracy")
        for i, name in enumerate(BOTH, start=1):
            gained = t_statistic(accuracy[:, i] - accuracy[:, 0], "gain in accuracy")
            parts[f"{task}, {NAMES[name]}"] = (gained, more_than(0), note)
            note = ""
    table = pl.concat(tables)
    return judged(table, conditions_apart(table, "accuracy", "test accuracy"), parts)


@study.claim("C6", minutes={"quick": 1.3, "full": 9})
def language_models_are_guided(scale: Scale) -> dict[str, Evidence]:
    """A plain recurrent language model has a lower loss when a transformer guides it, trained or
    not.

    At full scale the best of three rates counts for every condition and seed, by other text than
    that which judges; at quick scale the one rate is the best without a guide. The sign of each
    difference in nats a character decides.
    """
    sizes = {"seed": scale.seeds} | scale.pick(
        smoke={"source": "python-topics", "characters": 2_048, "valid": 1_024, "batch": 8},
        quick=DICTIONARY,
        full=DICTIONARY,
    )
    rates = scale.pick(smoke=[1e-3, 1e-2], quick=[3e-2], full=[1e-2, 3e-2, 1e-1])
    steps, learnt = scale.pick(smoke=(3, 3), quick=(200, 600), full=(400, 1200))
    guides = run(text_guide, grid(steps=learnt, **sizes)).drop("weights")
    targets = {"steps": steps, "guide_steps": learnt, **sizes}
    tried = run(text_target, grid(condition=CONDITIONS, rate=rates, **targets))
    table = best_rates(tried)
    losses = by_seed(table, "nats", "condition")
    below = losses[:, 0].mean() - guides["nats"].mean()  # how far the transformer itself is
    note = said(beside(table, guides), "nats")
    if below <= 0:
        note += " The transformer itself is no better than no guide: there is no gap to close."
    if len(rates) > 1:
        note += " " + rates_said(table)
    parts = {}
    for i, name in enumerate(BOTH, start=1):
        fall = losses[:, 0] - losses[:, i]
        if below > 0:
            note += f" Of the gap to the transformer it closes {fall.mean() / below:.0%}."
        statistic = t_statistic(fall, "fall of the loss, nats a character")
        parts[NAMES[name]] = (statistic, more_than(0), note.strip())
        note = ""
    picture = conditions_apart(beside(table, guides), "nats", "nats a character")
    return judged(tried, picture, parts)


@study.claim("C7", minutes={"quick": 0.1, "full": 0.1})
def errors_become_those_of_the_guide(scale: Scale) -> Evidence:
    """A guided network is right and wrong on the same images as its trained guide, more than the
    network without a guide is.

    By Cohen's kappa, which takes out what the two accuracies alone give. The sign decides.
    """
    table = forty(scale).drop_nulls("kappa trained").sort("seed")
    difference = (table["kappa trained"] - table["kappa none"]).to_numpy()
    ends = ", ".join(
        f"{low:+.3f} to {high:+.3f}" for low, high in table.select("kappa low", "kappa high").rows()
    )
    note = f"Over test rows, by the bootstrap, seed by seed: {ends}."
    long = pl.concat(
        table.select("seed", value=f"kappa {name}", what=pl.lit(NAMES[name]))
        for name in ("none", "trained")
    )
    figure = dots(long, "what", "error consistency with the trained guide (kappa)")
    statistic = t_statistic(difference, "difference of kappa")
    return Evidence(table, statistic, more_than(0), figure, note=note)


@study.claim("C8", minutes={"quick": 1, "full": 1.7})
def controls(scale: Scale) -> dict[str, Evidence]:
    """It is the guide's representation of these images that helps: not a guide that sees noise, not
    a network of the target's kind, not the guide's predictions; and it helps without labels.

    The sign of each difference in accuracy after 15 epochs decides.
    """
    last = early(scale)
    table = joined(
        forty(scale),
        run(fully_connected, grid(group=["controls"], **deep(scale, 40, (last,)))),
    )
    compared = {
        "untrained guide over one that sees noise": ("untrained", "noise"),
        "untrained guide over a network of the target's kind": ("untrained", "network of its kind"),
        "trained guide over its probabilities": ("trained", "distilled"),
        "trained guide without labels, probed, over labels alone": ("alignment alone", "none"),
    }
    parts = {
        title: (
            t_statistic(at(table, a, last) - at(table, b, last), "difference of accuracy"),
            more_than(0),
            "",
        )
        for title, (a, b) in compared.items()
    }
    conditions = [name for name in NAMES if f"{name}@{last}" in table.columns]
    return judged(table, final(table, conditions, last), parts)


# --- what is trained, and shared between claims -------------------------------------------------


def rows(scale: Scale) -> dict[str, Any]:
    """Seeds, rows and batch."""
    large = {"source": "fashion-mnist", "n": 2048, "test": 2000, "batch": 256}
    small = {"source": "digits", "n": 128, "test": 60, "batch": 64}
    return {"seed": scale.seeds, **scale.pick(smoke=small, quick=large, full=large)}


def deep(scale: Scale, depth: int, measured: Sequence[int]) -> dict[str, Any]:
    """A fully connected target."""
    sizes = scale.pick(smoke=(4, 8), quick=(depth, 64), full=(depth, 64))
    return rows(scale) | {"depth": sizes[0], "width": sizes[1], "measured": fixed(measured)}


def epochs_of(scale: Scale) -> tuple[int, ...]:
    """When the network of 40 layers is measured."""
    return scale.pick(smoke=(1, 2), quick=(15, 30, 60), full=(5, 10, 15, 20, 30, 45, 60))


def early(scale: Scale) -> int:
    """The epoch at which guided starts and controls are compared with it."""
    return scale.pick(smoke=1, quick=15, full=15)


def forty(scale: Scale) -> pl.DataFrame:
    """40 layers, without a guide and with either, a row a seed."""
    axes = deep(scale, 40, epochs_of(scale))
    return joined(*(run(fully_connected, grid(group=[g], **axes)) for g in HALVES))
