"""The plan of a text's audit: how much of the text, how large a net, which recipes.

The usual question of over-parameterised language models is of a fixed text and free compute. So the
plan takes as much text as can be read often enough within the budget, and a net with at least three
parameters a token (of width 256 at most).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from overparam.auditing.budget import makespan, working_seconds
from overparam.auditing.output_folder import another_kind
from overparam.data.fingerprint import fingerprint
from overparam.evidence.atomic_write import write_whole
from overparam.evidence.errors import UserError
from overparam.version import __version__

FORMAT = 1
CONTEXT = 64  # tokens that a net reads
BATCH = 16  # windows an update
RATE = 3e-3
USUAL = 0.1  # weight decay of the usual recipe
DECAYS = (0.1, 0.3, 1.0, 3.0, 10.0)
PASSES = (8, 16, 32, 64)
MEMBERS = 4
CURVE_SEEDS = 3  # of the usual recipe at each number of passes, of each width, of students
SEARCH_SEEDS = 2  # of each recipe that the search looks at
SHARE = 0.75  # of the teachers' text in a student's reading
WIDTHS = (32, 64, 96, 128, 192, 256)
RELATIVE = (0.5, 0.75, 1.0, 1.5)  # widths of the scaling law
DEPTH = 2
RATIO = 3  # parameters a token, at least
FEWEST = 2048  # tokens to train on
MOST_HELD = 65_536  # held-out tokens
MORE = 2  # times the text of the other nets: less is not worth a treatment of its own
FEWEST_PASSES = 4  # over the longer text
WRITING = 1.2  # times a student's training: the ensemble writes its text first
PACED = 0.85  # of what is left for reading more of the text: one long round has no second try
USED = 0.8  # of the budget, by what is expected: the search may walk further than that
STEP = 6e-3  # seconds of an update besides its arithmetic, both cores at work
SPEED = 45e9  # floating-point operations a second of one thread, likewise


@dataclass(frozen=True)
class TextPlan:
    """What was asked for and what was chosen.

    Attributes
    ----------
    length : int
        Tokens of the text.
    train, held_out : int
        Tokens to train on, from the start of the text, and held-out ones.
    d : int
        Width of the net.
    seconds : float
        Expected wall-clock seconds, the search taking its usual way.
    """

    source: str
    fingerprint: str
    vocabulary: int | None
    budget: float
    seed: int
    jobs: int
    vocab: int
    length: int
    train: int
    held_out: int
    d: int
    seconds: float

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the nets."""
        return tuple(100 * self.seed + i for i in range(MEMBERS))

    @property
    def widths(self) -> list[int]:
        """Widths of the scaling law."""
        return [int(share * self.d) for share in RELATIVE]

    def run_seconds(self, d: int, passes: float) -> float:
        """Expected seconds of one thread to train a net of width `d`."""
        return passes * self.train * token_seconds(self.vocab, d)

    @property
    def working(self) -> float:
        """Seconds of the budget for training; starting and the page take the rest."""
        return working_seconds(self.budget, 0)

    @property
    def unit(self) -> str:
        """What a token is."""
        return "character" if self.vocabulary is None else "token"

    def updates(self, passes: float) -> int:
        """Updates of the weights in a run."""
        return max(1, round(passes * ((self.train - 1) // CONTEXT) / BATCH))

    def to_json(self) -> dict[str, Any]:
        """Plain data; what plan.json holds."""
        return {"format": FORMAT, "version": __version__, "task": "language", **asdict(self)}


def parameters(vocab: int, d: int) -> int:
    """Parameters of the net of width `d`."""
    return 12 * DEPTH * d * d + (2 * vocab + CONTEXT + 2 * DEPTH + 1) * d


def token_seconds(vocab: int, d: int) -> float:
    """Seconds of one thread that a token takes in training."""
    return 6 * parameters(vocab, d) / SPEED + STEP / (BATCH * CONTEXT)


def make_text_plan(
    source: str,
    tokens: np.ndarray,
    vocab: int,
    *,
    start: int,
    vocabulary: int | None,
    budget: float,
    seed: int,
    jobs: int,
) -> TextPlan:
    """Choose text and net for the budget.

    Parameters
    ----------
    start : int
        Where held-out tokens begin.
    """
    held_out = min(MOST_HELD, len(tokens) - start)
    if start < FEWEST:
        raise UserError(
            f"data must have at least {FEWEST * 5 // 4:,} tokens to learn from a text; got "
            f"{len(tokens):,}."
        )
    working = working_seconds(budget, 0)
    for train in lengths_down(start, FEWEST):
        d = fitting_width(vocab, train)
        seconds = sum(expected_rounds(vocab, train, d, jobs).values())
        if seconds <= USED * working:
            break
    needed = expected_rounds(vocab, train, d, jobs)["usual recipe"]
    if needed > working:
        raise UserError(
            f"budget must be at least {needed + budget - working:.0f}s for the usual recipe on a "
            f"vocabulary of {vocab:,}; got {budget:g}s."
        )
    return TextPlan(
        source=source,
        fingerprint=fingerprint([np.asarray(tokens)]),
        vocabulary=vocabulary,
        budget=budget,
        seed=seed,
        jobs=jobs,
        vocab=vocab,
        length=len(tokens),
        train=train,
        held_out=held_out,
        d=d,
        seconds=seconds,
    )


def fitting_width(vocab: int, train: int) -> int:
    """The least width with `RATIO` parameters a token, or the largest there is."""
    return next((d for d in WIDTHS if parameters(vocab, d) >= RATIO * train), WIDTHS[-1])


def expected_rounds(vocab: int, train: int, d: int, jobs: int) -> dict[str, float]:
    """Wall-clock seconds of the rounds of an audit, whose cells the processes share.

    The tuned recipe is taken to read as often as any that the search may find.
    """
    one = train * token_seconds(vocab, d)

    def together(passes: Sequence[float], count: int, share: float = 1.0) -> float:
        return makespan([one * share * p for p in passes for _ in range(count)], jobs)

    few, some, many, most = PASSES
    steps = (few, some, some, some, some, many, many, many, most)  # of the search, one by one
    widths = [token_seconds(vocab, int(share * d)) * train for share in RELATIVE if share != 1]
    return {
        "usual recipe": together(PASSES[:3], CURVE_SEEDS) + together([some], 1),
        "search": sum(together([passes], SEARCH_SEEDS) for passes in steps),
        "members": together([most], MEMBERS - SEARCH_SEEDS),
        "students": together([some / (1 - SHARE)], CURVE_SEEDS, WRITING),
        "widths": makespan([most * w for w in widths for _ in range(CURVE_SEEDS)], jobs),
    }


def lengths_down(start: int, shortest: int) -> Iterator[int]:
    """Lengths of a text: the whole, then those of a ladder of sqrt(2), down to the shortest."""
    yield start
    power = 2 * np.log2(start / shortest)
    for k in range(int(np.ceil(power)) - 1, -1, -1):
        yield int(shortest * 2 ** (k / 2))


def recorded_plan(folder: Path) -> TextPlan | None:
    """The plan that the folder holds, if any.

    Raises
    ------
    UserError
        If it is of another kind of audit, or by another version.
    """
    path = folder / "plan.json"
    if not path.exists():
        return None
    try:
        raw = json.loads(path.read_text())
    except ValueError:
        raw = None
    ours = isinstance(raw, dict) and raw.get("task") == "language"
    known = set(TextPlan.__dataclass_fields__)
    if not ours or raw.get("version") != __version__ or not known <= set(raw):
        raise another_kind(folder)
    return TextPlan(**{name: raw[name] for name in known})


def followed(plan: TextPlan, folder: Path, fresh: bool) -> TextPlan:
    """The plan in the folder where it asks for the same, else `plan`, which is written there.

    The same text may have another name by now: it is called by the new one.

    Raises
    ------
    UserError
        If the folder holds another audit.
    """
    found = None if fresh else recorded_plan(folder)
    if found is None:
        return _written(plan, folder)
    for name in ("fingerprint", "vocabulary", "budget", "seed"):
        if getattr(found, name) != getattr(plan, name):
            shown = "" if name == "fingerprint" else f" {getattr(found, name)!r}"
            what = "other data" if name == "fingerprint" else f"{name}{shown}"
            raise UserError(
                f"out must not hold an audit of {what}; {str(folder)!r} does. Choose another "
                "--out, or --fresh to start over."
            )
    if found.source != plan.source:
        return _written(replace(found, source=plan.source), folder)
    return found


def _written(plan: TextPlan, folder: Path) -> TextPlan:
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "plan.json", json.dumps(plan.to_json(), indent=1) + "\n")
    return plan
