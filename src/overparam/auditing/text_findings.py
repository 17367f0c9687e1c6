"""What the audit of a text looks for; see `auditing.registry`."""

from __future__ import annotations

import numpy as np
import polars as pl

from overparam.auditing.answers import Answer, NotAffordable, NotApplicable
from overparam.auditing.comparison import crossed
from overparam.auditing.reading import statistic
from overparam.auditing.registry import text_finding
from overparam.auditing.text_offers import over_ensemble, runs
from overparam.auditing.text_pictures import (
    decay_picture,
    law_picture,
    law_table,
    loss_table,
    passes_picture,
)
from overparam.auditing.text_plan import RATE, USUAL, parameters
from overparam.auditing.text_trials import Trials
from overparam.evidence.intervals import Interval, Statistic
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence, Verdict
from overparam.theory.scaling import bootstrap

PAPER = "infinite-compute"
NATS = 0.02
ROOM = 0.05
NOISE = "half the spread between seeds of small nets: less is not worth a change"


@text_finding(
    "OL001",
    "over-reading",
    title="How often may the text be read?",
    paper=PAPER,
    thresholds={"rise": (NATS, NOISE)},
)
def over_reading(trials: Trials) -> Answer:
    """Whether the usual recipe gets worse by reading the text more often.

    How: nets with a weight decay of 0.1 read the text 8, 16, 32 and, where that is the best, 64
    times, each with its own cosine schedule; windows of their own choose the best. The statistic is
    the held-out loss of the longest run minus that of the best; where the longest is the best,
    minus that of the run before. Its interval counts seeds and windows.

    Why: with more parameters than tokens a net soon knows its text by heart, and from then on its
    loss on other text rises.

    What to do: stop at the best number of passes, or raise the weight decay, which moves it up.
    """
    curve = {passes: trials.judged(models) for passes, models in trials.usual_runs.items()}
    passes = sorted(curve)
    best = trials.usual.passes
    longest = passes[-1]
    reference = best if best != longest else passes[-2]
    rise = crossed(curve[longest] - curve[reference])
    evidence = Evidence(
        loss_table(curve, "passes"),
        statistic(rise, "rise of the loss, nats a token", curve[longest].shape[1]),
        more_than(NATS),
        passes_picture(trials),
    )
    means = {p: float(curve[p].mean()) for p in passes}
    if evidence.verdict is Verdict.HOLDS:
        headline = (
            f"Under the usual recipe more than {best} passes over the text hurt: loss "
            f"{means[best]:.3f} there, {means[longest]:.3f} after {longest}."
        )
        action = f"Stop at {best} passes, or raise the weight decay."
    else:
        headline = (
            f"Reading the text {longest} times does not hurt the usual recipe beyond the noise: "
            f"loss {means[reference]:.3f} after {reference} passes, {means[longest]:.3f} after "
            f"{longest}."
        )
        action = f"Read it {best} times; more often only where the loss still falls."
    details = [
        f"{trials.plan.train:,} tokens, nets of {_size(trials):,} parameters "
        f"({_size(trials) / trials.plan.train:.1f} a token), weight decay {USUAL}, rate {RATE}.",
    ]
    caption = "Held-out loss against the number of passes; the tuned decay beside the usual one."
    return Answer(evidence, headline, action, details, caption)


@text_finding(
    "OL002",
    "weak-decay",
    title="Is the usual weight decay too weak?",
    paper=PAPER,
    thresholds={"gain": (NATS, NOISE)},
)
def weak_decay(trials: Trials) -> Answer:
    """Whether a larger weight decay, tuned together with the passes, beats the usual recipe.

    How: from a decay of 1 and 16 passes the search goes to better neighbours on a grid (0.1, 0.3,
    1, 3, 10; 8, 16, 32, 64 passes) until none is better. The statistic is the held-out loss of the
    usual recipe, at its own best number of passes, minus that of what was found; four seeds each.

    Why: on a text that is read many times the best decay is 10 to 30 times the usual 0.1. What acts
    is rate x decay x updates / 2, the number of times that the weights are folded towards 0.

    What to do: train with the decay and the passes that were found.
    """
    found = trials.search
    usual, tuned = trials.usual, trials.tuned
    base, better = (trials.judged(trials.members(r)) for r in (usual, tuned))
    gain = crossed(base - better)
    table = pl.DataFrame(
        [{**at, "loss": loss, "seed": 0} for at, loss in found.evaluated if np.isfinite(loss)]
    )
    evidence = Evidence(
        table,
        statistic(gain, "gain of tuning, nats a token", base.shape[1]),
        more_than(NATS),
        decay_picture(table),
    )
    sure = "" if evidence.verdict is Verdict.HOLDS else "perhaps "
    recipe = f"decay {tuned.decay:g} and {tuned.passes} passes"
    if evidence.verdict is Verdict.FAILS or usual.decay == tuned.decay:
        headline = f"The usual weight decay of {USUAL} will do"
        headline += (
            f", read {tuned.passes} times: the search found nothing better."
            if usual.decay == tuned.decay
            else f": {recipe} gain {gain.value:.3f} nats a token over it."
        )
        action = f"Keep weight decay {USUAL} with {usual.passes} passes."
    else:
        headline = (
            f"The usual weight decay of {USUAL} is {sure}too weak: {recipe} bring the loss from "
            f"{base.mean():.3f} to {better.mean():.3f}."
        )
        action = f"Train with weight {recipe} at rate {RATE:g}."
    folds = RATE * tuned.decay * trials.plan.updates(tuned.passes) / 2
    beside = [loss for _, loss in found.neighbours if np.isfinite(loss)]
    edge = [f"its {name} are" if name == "passes" else f"its {name} is" for name in found.at_edge]
    left_out = len(found.neighbours) - len(beside)
    details = [
        f"The search looked at {len(table)} recipes, {len(beside)} of them neighbours of the best "
        "that it found, none of which is better"
        + (f"; {left_out} more neighbours did not fit the budget" if left_out else "")
        + (f"; {' and '.join(edge)} at the end of the grid" if edge else "")
        + ".",
        f"Carry over rate x decay x updates / 2 = {folds:.2g}, not the decay: optima move with the "
        "number of updates.",
    ]
    caption = "Held-out loss of the recipes that the search looked at."
    return Answer(
        evidence, headline, action, details, caption, extra={"recipe": dict(found.configuration)}
    )


@text_finding(
    "OL003",
    "below-counting",
    title="Does a net beat counting?",
    paper=PAPER,
)
def below_counting(trials: Trials) -> Answer:
    """Whether the tuned net predicts worse than counts of short runs of tokens.

    How: interpolated n-gram models of up to five tokens are fitted to the same text. The statistic
    is the held-out loss of the tuned net minus that of the best of them.

    Why: on a short text a table of counts is hard to beat. A net that it beats has learnt nothing
    that counting does not give for nothing.

    What to do: use the counts, get more text, or start from a model that was trained on other text.
    """
    best = trials.best_order
    counted = trials.counted_losses
    nets = trials.judged(trials.members(trials.tuned))
    behind = crossed(nets - counted[best])
    rows = [{"model": runs(o), "loss": float(v.mean())} for o, v in counted.items()]
    rows += [{"model": "tuned net", "loss": float(nets.mean())}]
    evidence = Evidence(
        pl.DataFrame(rows),
        statistic(behind, "net minus counting, nats a token", nets.shape[1]),
        more_than(0),
        None,
    )
    pair = f"{nets.mean():.3f} against {counted[best].mean():.3f} of {runs(best)}"
    if evidence.verdict is Verdict.HOLDS:
        headline = f"Counting beats the net: loss {pair}."
        action = "Use the counts, or more text; see the treatments for what averaging nets brings."
    elif evidence.verdict is Verdict.FAILS:
        headline = f"The tuned net has learnt more than counts know: loss {pair}."
        action = "A net is worth its cost here."
    else:
        headline = f"Net and counting are level within the noise: loss {pair}."
        action = "Counting is far cheaper; a net pays only where it is averaged."
    return Answer(evidence, headline, action)


@text_finding(
    "OL004",
    "room-above",
    title="What would a larger net still gain?",
    paper=PAPER,
    thresholds={"room": (ROOM, "the spread between seeds: less is luck")},
)
def room_above(trials: Trials) -> Answer:
    """How far the tuned net is from the asymptote of its scaling law.

    How: nets of half to one and a half times the width are trained by the tuned recipe, three seeds
    each, and A / N^alpha + E is fitted to the mean losses over the parameters N. The statistic is
    A / N^alpha at the net's own size; its interval resamples the seeds. Where the interval of E is
    wider than the range of the losses, the sizes do not identify it, and where wider nets are no
    better no law is read: the answer says which.

    Why: E is the best that a larger net of this recipe would reach on this text. What is left above
    it can be bought with parameters; what is below it cannot.

    What to do: enlarge the net where much is left; otherwise average nets, or get more text.
    """
    by_width = trials.by_width
    if by_width is None:
        raise NotAffordable(
            "needs nets of three further widths, for which too little of the budget is left; a "
            "larger --budget runs it."
        )
    widths = sorted(by_width)
    sizes = [parameters(trials.plan.vocab, d) for d in widths]
    means = [by_width[d].mean(axis=1) for d in widths]
    law = bootstrap(sizes, means)
    here = np.array([parameters(trials.plan.vocab, trials.plan.d)])
    left = law.law.predict(here) - law.law.asymptote
    low, high = np.quantile(law.draws.predict(here)[:, 0] - law.draws.asymptote, [0.025, 0.975])
    room = Statistic(
        float(left[0]),
        Interval(float(low), float(high), method="bootstrap of seeds"),
        "loss that larger nets would still gain by the law, nats a token",
        len(means[0]),
    )
    table, picture = law_table(sizes, means), law_picture(sizes, means, law)
    evidence = Evidence(table, room, more_than(ROOM), picture)
    ends = law.interval()
    reach = f"E = {law.law.asymptote:.3f} (resampled seeds {ends.low:.3f} to {ends.high:.3f})"
    level = {d: float(by_width[d].mean()) for d in widths}
    best = min(level, key=lambda d: level[d])
    worse = crossed(by_width[widths[-1]] - by_width[best])
    outcome: str | None = None
    if best != widths[-1] and (worse.interval()[0] > 0 or best == widths[0]):
        headline = (
            f"Wider nets of this recipe do not do better: loss {level[best]:.3f} at width {best}, "
            f"{level[widths[-1]]:.3f} at {widths[-1]}."
        )
        action = "Do not enlarge the net without tuning its decay anew; average nets instead."
        outcome = "fine"
    elif not law.identified:
        headline = (
            f"These widths do not tell what larger nets would reach: losses differ by "
            f"{law.spread:.3f}, and the asymptote lies anywhere between {ends.low:.2f} and "
            f"{ends.high:.2f}."
        )
        action = "Measure wider nets before you build on them; averaging nets is the safer gain."
        outcome = "fine" if law.spread < ROOM else "tip"
    elif evidence.verdict is Verdict.HOLDS:
        headline = f"Larger nets of this recipe would gain {room.value:.3f} nats: {reach}."
        action = "Enlarge the net; the asymptote says how far that goes."
        outcome = "tip"
    elif evidence.verdict is Verdict.FAILS:
        headline = f"The net is near the best of its recipe: {reach}."
        action = "More parameters buy little; more members or more text may."
    else:
        headline = (
            f"Larger nets may gain {room.value:.3f} nats ({max(low, 0):.3f} to {high:.3f}): "
            f"{reach}."
        )
        action = "Measure one wider net before you enlarge."
    details = [
        f"Law over {len(widths)} widths and {len(means[0])} seeds each: A = {law.law.A:.3g}, "
        f"alpha = {law.law.alpha:.2f}, {reach}, "
        f"{'identified' if law.identified else 'not identified'}. Intervals resample the seeds, "
        "not the windows; the recipe was tuned at one width.",
    ]
    caption = "Held-out loss against parameters, with the fitted law where it is identified."
    return Answer(evidence, headline, action, details, caption, outcome=outcome)


@text_finding(
    "OL005",
    "unread-text",
    title="Would more text help more than better training?",
    paper=PAPER,
    thresholds={"gain": (NATS, NOISE)},
)
def unread_text(trials: Trials) -> Answer:
    """Whether the usual recipe on more of the text beats the best training of what was read.

    How: what is left of the budget trains two nets of the same size by the usual recipe on as much
    of the text as it reads at least four times; up to 16 times, then twice as often for as long as
    that is better, by windows of their own, and fits. The statistic is the held-out loss of the
    ensemble of tuned nets, which read less, minus theirs; its interval counts the seeds of both,
    and windows. It is asked only where the plan left half of the text or more unread.

    Why: tuning, averaging and distilling are what to do when there is no more text. Where there is,
    they compete with reading it.

    What to do: give the audit a larger budget, or train on all of the text before tuning anything.
    The longer text also ends nearer to the held-out part, which helps where the text changes on its
    way.
    """
    if not trials.unread:
        raise NotApplicable("the nets read most of the text.")
    longer = trials.longer
    if longer is None:
        raise NotAffordable(
            "needs nets of twice the text, for which too little of the budget is left; a larger "
            "--budget runs it."
        )
    losses = trials.of_subsets(trials.tuned)
    best = losses[-1]
    found = trials.judged(longer.models)
    gain = over_ensemble(found, losses)
    times = longer.tokens / trials.plan.train
    rows = [
        {
            "model": "ensemble of tuned nets",
            "tokens": trials.plan.train,
            "loss": float(best.mean()),
        },
        {"model": "usual recipe", "tokens": longer.tokens, "loss": float(found.mean())},
    ]
    evidence = Evidence(
        pl.DataFrame(rows),
        statistic(gain, "gain of more text over the ensemble, nats a token", found.shape[1]),
        more_than(NATS),
        None,
    )
    pair = f"{found.mean():.3f} against {best.mean():.3f} of {len(trials.plan.seeds)} tuned nets"
    reads = f"{times:.3g} times the text, read {longer.passes} times by the usual recipe,"
    if evidence.verdict is Verdict.HOLDS:
        headline = f"{reads} is worth more than all tuning: loss {pair} together."
        action = "Read more of the text before you tune: a larger --budget, or train on all of it."
    elif evidence.verdict is Verdict.FAILS:
        headline = f"{reads} gives no more than tuning and averaging do: loss {pair} together."
        action = "Tune and average; more text of this kind would need a larger net or more passes."
    else:
        headline = f"{reads} and tuning are level within the noise: loss {pair} together."
        action = "Do both: a larger --budget reads more of the text and tunes on it."
    return Answer(evidence, headline[:1].upper() + headline[1:], action)


def _size(trials: Trials) -> int:
    return parameters(trials.plan.vocab, trials.plan.d)
