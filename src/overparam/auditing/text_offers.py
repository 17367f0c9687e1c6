"""Models of a text that could be recommended, and what each gains over the usual recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from overparam.auditing.comparison import Difference, crossed, unpaired
from overparam.auditing.text_cells import together
from overparam.auditing.text_model import Fitted, window_losses
from overparam.auditing.text_plan import CONTEXT, RATE, SHARE, USUAL
from overparam.auditing.text_trials import Recipe, Trials


@dataclass(frozen=True)
class Offer:
    """A model that could be recommended, or a treatment: its losses, and how to get it.

    Attributes
    ----------
    losses : ndarray (seeds, windows)
        On the judging windows; the model that is built has the first row's.
    build : callable
        Makes the fitted model.
    seconds : float
        Seconds of one thread, as planned; 0 for counting.
    """

    name: str
    title: str
    losses: np.ndarray
    build: Callable[[], Fitted]
    seconds: float
    members: int = 1
    note: str = ""

    @property
    def validation(self) -> float:
        """Mean loss."""
        return float(self.losses.mean())


def counting(trials: Trials) -> list[Offer]:
    """Counts of runs of tokens, by their length."""
    return [
        Offer(
            f"counts-{order}",
            f"counts of {runs(order)}",
            trials.counted_losses[order][None],
            _given(model),
            0.0,
        )
        for order, model in trials.counted.items()
    ]


def runs(order: int) -> str:
    """What counts of an order count, in words."""
    return "single tokens" if order == 1 else f"runs of {order} tokens"


def single(trials: Trials, recipe: Recipe, title: str) -> Offer:
    """One net of a recipe."""
    models = trials.members(recipe)
    return Offer(
        title.replace(" ", "-"),
        f"{title}, {recipe.passes} passes",
        trials.judged(models),
        lambda: together(trials.nets(models[:1]), trials.train),
        trials.plan.run_seconds(recipe.d, recipe.passes),
        note=f"weight decay {recipe.decay:g}, {recipe.passes} passes, rate {RATE:g}",
    )


def ensemble(trials: Trials) -> Offer:
    """All members of the tuned recipe."""
    models = trials.members(trials.tuned)
    return Offer(
        "ensemble",
        f"ensemble of {len(models)} tuned nets",
        trials.of_subsets(trials.tuned)[-1:],
        lambda: together(trials.nets(models), trials.train),
        len(models) * trials.plan.run_seconds(trials.tuned.d, trials.tuned.passes),
        len(models),
        "mean of their logits",
    )


def student(trials: Trials) -> Offer | None:
    """One student of the ensemble; None where the budget does not reach."""
    students = trials.students
    if students is None:
        return None
    recipe = trials.student_recipe
    return Offer(
        "student",
        "one student of the ensemble",
        trials.judged(students),
        lambda: together(trials.nets(students[:1]), trials.train),
        ensemble(trials).seconds + trials.student_seconds,
        note=(
            f"{100 * SHARE:.0f} % of what it reads is the ensemble's text, weight decay "
            f"{recipe.decay:g}"
        ),
    )


def more_counting(trials: Trials) -> Offer | None:
    """The best counts of more of the text; None where the nets read most of it."""
    if trials.counted_longer is None:
        return None
    tokens, order, model = trials.counted_longer
    return Offer(
        "more-text-counted",
        f"counts of {tokens:,} {trials.plan.unit}s",
        window_losses(model, trials.judging, CONTEXT)[None],
        _given(model),
        0.0,
        note=runs(order),
    )


def more_text(trials: Trials) -> Offer | None:
    """The usual recipe on more of the text; None where it does not fit the budget."""
    found = trials.longer
    if found is None:
        return None
    plan = trials.plan
    return Offer(
        "more-text",
        f"usual recipe on {found.tokens:,} {plan.unit}s, {found.passes} passes",
        trials.judged(found.models),
        lambda: together(trials.nets(found.models[:1]), np.array(trials.text[: found.tokens])),
        plan.run_seconds(plan.d, found.passes * found.tokens / plan.train),
        note=f"{found.tokens / plan.train:.3g} times the text, weight decay {USUAL:g}",
    )


def gain(trials: Trials, base: Offer, offer: Offer) -> Difference:
    """Gain over the baseline, seed by seed; of the ensemble, leaving out one by one.

    Of a model with fewer seeds, all seeds of the baseline count.
    """
    if offer.name == "ensemble":
        return crossed(ensemble_gains(base.losses, trials.of_subsets(trials.tuned)))
    if len(offer.losses) == 1:  # counts have no seeds
        return crossed(base.losses - offer.losses)
    if len(offer.losses) < len(base.losses):
        return unpaired(base.losses, offer.losses)
    return crossed(base.losses - offer.losses)


def by_size(losses: np.ndarray) -> dict[int, float]:
    """Mean loss of the ensembles of 1, 2, ... nets from those of all subsets (2^M - 1, w)."""
    found: dict[int, list[float]] = {}
    for i, loss in enumerate(losses.mean(axis=1), start=1):
        found.setdefault(i.bit_count(), []).append(float(loss))
    return {size: float(np.mean(values)) for size, values in sorted(found.items())}


def ensemble_gains(base: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Gains (M, w) of an ensemble over the mean of M baseline nets, whose spread is that of seeds.

    Jackknife: row i moves from the gain by as much as leaving out member i and baseline net i
    changes it, times M - 1. Rows are centred at the gain itself: an ensemble of M - 1 is worse, and
    pseudo-values would correct for that towards an ensemble without end.

    Parameters
    ----------
    base : ndarray (M, w)
    losses : ndarray (2^M - 1, w)
        Of all subsets, see `text_cells.subsets`.
    """
    count = len(base)
    gain = base.mean(axis=0) - losses[-1]
    others = np.stack([np.delete(base, i, axis=0).mean(axis=0) for i in range(count)])
    without = others - without_each(losses)
    return gain - (count - 1) * (without - without.mean(axis=0))


def over_ensemble(found: np.ndarray, losses: np.ndarray) -> Difference:
    """How much lower the loss of S nets is than that of an ensemble of M others.

    The luck of both counts, and that of windows; the ensemble's by leaving out one member after the
    other.

    Parameters
    ----------
    found : ndarray (S, w)
    losses : ndarray (2^M - 1, w)
        Of all subsets, see `text_cells.subsets`.
    """
    nets = crossed(losses[-1] - found)
    without = without_each(losses).mean(axis=1)
    count = len(without)
    members = float((count - 1) * np.var(without))
    variance = nets.error**2 + members
    spread = nets.error**4 / nets.freedom + members**2 / (count - 1)
    freedom = variance**2 / spread if spread else nets.freedom
    return Difference(nets.value, float(np.sqrt(variance)), freedom)


def without_each(losses: np.ndarray) -> np.ndarray:
    """Losses (M, w) of the ensembles that lack one member, of those of all subsets."""
    everyone = len(losses)
    return losses[[(everyone & ~(1 << i)) - 1 for i in range(everyone.bit_length())]]


def _given(model: Fitted) -> Callable[[], Fitted]:
    return lambda: model
