"""What a text's audit trains, once each, and what of its budget is left."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from overparam.auditing import text_cells as cells
from overparam.auditing.budget import makespan
from overparam.auditing.charges import Charges
from overparam.auditing.context import StageFailed
from overparam.auditing.text_model import window_losses
from overparam.auditing.text_plan import (
    CONTEXT,
    CURVE_SEEDS,
    DECAYS,
    FEWEST_PASSES,
    MEMBERS,
    MORE,
    PACED,
    PASSES,
    SEARCH_SEEDS,
    SHARE,
    USUAL,
    WRITING,
    TextPlan,
    lengths_down,
)
from overparam.evidence.cells import CellFailure, call_many
from overparam.nets.tiny_gpt import TinyGPT
from overparam.search.coordinate_descent import LocalOptimum, locally_optimal
from overparam.training.ngrams import NGrams

ORDERS = (1, 2, 3, 5)
MOST_COUNTED = 2**21  # tokens: two seconds
START: dict[str, Any] = {"decay": 1.0, "passes": 16}  # of the search


class Recipe(NamedTuple):
    """A width, a weight decay, and how often the text is read."""

    d: int
    decay: float
    passes: int


class Longer(NamedTuple):
    """Models of the usual recipe that read more of the text."""

    tokens: int
    passes: int
    models: list[dict[str, Any]]


@dataclass
class Trials:
    """Models of one text, trained when they are asked for.

    Parameters
    ----------
    plan : TextPlan
    text : ndarray (n,)
        All tokens before the held-out ones; nets learn from the first `plan.train` of them.
    choosing, judging, test : ndarray (n,)
        Whole windows of tokens to choose recipes by, to compare models by, and to score the
        recommended one once.
    charges : Charges
        What rounds cost, kept for a second run.
    """

    plan: TextPlan
    text: np.ndarray
    choosing: np.ndarray
    judging: np.ndarray
    test: np.ndarray
    charges: Charges
    spent: float = 0.0
    expected: float = 0.0  # seconds that the plan gave the trainings done so far,
    trained: float = 0.0  # and what they took
    skipped: list[Recipe] = field(default_factory=list)
    _models: dict[tuple[Recipe, int], dict[str, Any]] = field(default_factory=dict)
    _subsets: dict[Recipe, np.ndarray] = field(default_factory=dict)

    def models(
        self, recipes: Iterable[Recipe], count: int, label: str
    ) -> list[list[dict[str, Any]]]:
        """Models of the first `count` seeds of each recipe, as `cells.text_model` gives them."""
        wanted = list(recipes)
        seeds = self.plan.seeds[:count]
        asked = [(r, s) for r in wanted for s in seeds if (r, s) not in self._models]
        arguments = [self._arguments(recipe, seed) for recipe, seed in asked]
        before = self.spent
        found = self._run(cells.text_model, arguments, label)
        if asked:
            planned = [self.plan.run_seconds(r.d, r.passes) for r, _ in asked]
            self.expected += makespan(planned, self.plan.jobs)
            self.trained += self.spent - before
        self._models.update(zip(asked, found, strict=True))
        return [[self._models[r, s] for s in seeds] for r in wanted]

    @cached_property
    def train(self) -> np.ndarray:
        """Tokens that all nets but the `longer` ones learn from."""
        return np.array(self.text[: self.plan.train])

    @cached_property
    def counted(self) -> dict[int, NGrams]:
        """Models that count, by order: a run of so many tokens is the longest that they know."""
        return self._counts(self.train)

    @cached_property
    def counted_losses(self) -> dict[int, np.ndarray]:
        """Losses (windows,) of `counted` on the judging windows."""
        return {o: window_losses(m, self.judging, CONTEXT) for o, m in self.counted.items()}

    @cached_property
    def best_order(self) -> int:
        """The order of the counts that are best on the choosing windows."""
        return self._best_order(self.counted)

    @cached_property
    def counted_longer(self) -> tuple[int, int, NGrams] | None:
        """Tokens counted, order and model of the best counts of the text.

        None where the nets read most of what can be counted.
        """
        tokens = min(len(self.text), MOST_COUNTED)
        if tokens < MORE * self.plan.train:
            return None
        models = self._counts(np.array(self.text[:tokens]))
        order = self._best_order(models)
        return tokens, order, models[order]

    @cached_property
    def usual_runs(self) -> dict[int, list[dict[str, Any]]]:
        """Models of the usual recipe by the number of passes: more of these while more are better.

        The baseline may read the text as often as what it is held against.
        """
        recipes = [Recipe(self.plan.d, USUAL, p) for p in PASSES]
        found = self.models(recipes[:3], CURVE_SEEDS, "usual recipe")
        runs = {r.passes: models for r, models in zip(recipes, found, strict=False)}
        if self._best(runs) == PASSES[2]:
            cost = self._rounds(self.plan.run_seconds(self.plan.d, PASSES[3]), CURVE_SEEDS)
            if self.affords(cost, self._after_search()):
                runs[PASSES[3]] = self.models(recipes[3:], CURVE_SEEDS, "usual recipe")[0]
        return runs

    @cached_property
    def usual(self) -> Recipe:
        """The usual weight decay with its best number of passes."""
        return Recipe(self.plan.d, USUAL, self._best(self.usual_runs))

    @cached_property
    def search(self) -> LocalOptimum:
        """A recipe that no neighbour on the grid beats, by the loss on the choosing windows."""
        start = Recipe(self.plan.d, **START)
        self.models([start], SEARCH_SEEDS, "search for the recipe")  # whatever is left of the time

        def evaluate(at: dict[str, Any]) -> float:
            recipe = Recipe(self.plan.d, at["decay"], at["passes"])
            known = (recipe, self.plan.seeds[SEARCH_SEEDS - 1]) in self._models
            if not known and not self.affords(self._search_cost(recipe), self._after_search()):
                self.skipped.append(recipe)
                return math.inf
            [models] = self.models([recipe], SEARCH_SEEDS, "search for the recipe")
            return float(self.chosen_by(models).mean())

        return locally_optimal(evaluate, START, {"decay": DECAYS, "passes": PASSES})

    @cached_property
    def tuned(self) -> Recipe:
        """What the search found, or the usual recipe where that is better."""
        at = self.search.configuration
        found = Recipe(self.plan.d, at["decay"], at["passes"])
        usual = self.chosen_by(self.models([self.usual], SEARCH_SEEDS, "usual recipe")[0]).mean()
        return self.usual if usual <= self.search.value else found

    def members(self, recipe: Recipe) -> list[dict[str, Any]]:
        """All seeds' models of a recipe of the plan's width."""
        return self.models([recipe], MEMBERS, "members")[0]

    def of_subsets(self, recipe: Recipe) -> np.ndarray:
        """Losses (2^M - 1, windows) on the judging windows of ensembles of all members' subsets."""
        if recipe not in self._subsets:
            weights = np.stack([model["weights"] for model in self.members(recipe)])
            arguments = {"held": self.judging, "vocab": self.plan.vocab, "d": recipe.d}
            [found] = self._run(cells.subsets, [{**arguments, "weights": weights}], "ensembles")
            self._subsets[recipe] = np.asarray(found["losses"])
        return self._subsets[recipe]

    @property
    def student_recipe(self) -> Recipe:
        """A student reads four times as much: fewer passes, the next smaller decay."""
        tuned = self.tuned
        decay = max((d for d in DECAYS if d < tuned.decay), default=tuned.decay)
        return Recipe(tuned.d, decay, int(np.clip(tuned.passes // 2, PASSES[0], PASSES[1])))

    @property
    def student_seconds(self) -> float:
        """Expected seconds of one thread of one student, its teachers' writing included."""
        return WRITING * self.plan.run_seconds(
            self.plan.d, self.student_recipe.passes / (1 - SHARE)
        )

    @cached_property
    def students(self) -> list[dict[str, Any]] | None:
        """Students of the tuned members; None where the budget does not reach."""
        if not self.affords(self._rounds(self.student_seconds, CURVE_SEEDS)):
            return None
        teachers = np.stack([model["weights"] for model in self.members(self.tuned)])
        recipe = self.student_recipe
        arguments = [
            {**self._arguments(recipe, seed), "teachers": teachers}
            for seed in self.plan.seeds[:CURVE_SEEDS]
        ]
        return self._run(cells.student, arguments, "students")

    @cached_property
    def by_width(self) -> dict[int, np.ndarray] | None:
        """Judged losses (seeds, windows) of the tuned recipe by width; None if unaffordable."""
        recipes = [self.tuned._replace(d=d) for d in self.plan.widths]
        costs = [
            self.plan.run_seconds(r.d, r.passes)
            for r in recipes
            if r.d != self.plan.d
            for _ in range(CURVE_SEEDS)
        ]
        if not self.affords(makespan(costs, self.plan.jobs)):
            return None
        found = self.models(recipes, CURVE_SEEDS, "widths")
        return {r.d: self.judged(models) for r, models in zip(recipes, found, strict=True)}

    @property
    def unread(self) -> bool:
        """Whether the nets leave much of the text unread."""
        return len(self.text) >= MORE * self.plan.train

    @cached_property
    def longer(self) -> Longer | None:
        """Nets of the usual recipe on as much of the text as the rest of the budget reads.

        At least `FEWEST_PASSES` times, at most 16 times at first; then twice as often while that is
        better by the choosing windows and fits. None where twice the text does not fit.
        """
        found = None
        for tokens in lengths_down(len(self.text), self.plan.train):
            fit = int(self._left_for_longer / self._longer_seconds(tokens, 1))
            if tokens < MORE * self.plan.train:
                break
            if fit >= FEWEST_PASSES:
                found = self._longer(tokens, min(fit, PASSES[1]))
                break
        while found is not None and 2 * found.passes <= PASSES[-1]:
            tokens, twice = found.tokens, 2 * found.passes
            if self._longer_seconds(tokens, twice) > self._left_for_longer:
                break
            more = self._longer(tokens, twice)
            if self.chosen_by(more.models).mean() >= self.chosen_by(found.models).mean():
                break
            found = more
        return found

    @property
    def _left_for_longer(self) -> float:
        return PACED * (self.plan.working - self.spent)

    def _longer_seconds(self, tokens: int, passes: int) -> float:
        """Wall-clock seconds to expect, at the pace of what was trained so far."""
        pace = self.trained / self.expected if self.expected else 1.0
        one = self.plan.run_seconds(self.plan.d, passes) * tokens / self.plan.train
        return pace * self._rounds(one, SEARCH_SEEDS)

    def _longer(self, tokens: int, passes: int) -> Longer:
        recipe, text = Recipe(self.plan.d, USUAL, passes), np.array(self.text[:tokens])
        arguments = [
            {**self._arguments(recipe, seed), "train": text}
            for seed in self.plan.seeds[:SEARCH_SEEDS]
        ]
        models = self._run(cells.text_model, arguments, "more of the text")
        return Longer(tokens, passes, models)

    def nets(self, models: Sequence[dict[str, Any]]) -> list[TinyGPT]:
        """Their networks."""
        return [cells.restored(m["weights"], self.plan.vocab, self.plan.d) for m in models]

    def affords(self, seconds: float, kept: float = 0.0) -> bool:
        """Whether so many seconds fit, with `kept` for what comes after."""
        return seconds <= self.plan.working - self.spent - kept

    def chosen_by(self, models: Sequence[dict[str, Any]]) -> np.ndarray:
        """Losses (seeds, windows) on the choosing windows."""
        return np.stack([m["losses"][: len(self.choosing) // CONTEXT] for m in models])

    def judged(self, models: Sequence[dict[str, Any]]) -> np.ndarray:
        """Losses (seeds, windows) on the judging windows."""
        return np.stack([m["losses"][len(self.choosing) // CONTEXT :] for m in models])

    def _arguments(self, recipe: Recipe, seed: int) -> dict[str, Any]:
        """Of the cell of one net."""
        return {
            "train": self.train,
            "held": np.concatenate([self.choosing, self.judging]),
            "vocab": self.plan.vocab,
            "d": recipe.d,
            "weight_decay": recipe.decay,
            "passes": recipe.passes,
            "seed": seed,
        }

    def _counts(self, text: np.ndarray) -> dict[int, NGrams]:
        vocab = self.plan.vocab
        orders = [order for order in ORDERS if vocab**order < 2**63]
        return {order: NGrams(vocab, order).fit(text) for order in orders}

    def _best_order(self, models: Mapping[int, NGrams]) -> int:
        found = {o: window_losses(m, self.choosing, CONTEXT).mean() for o, m in models.items()}
        return min(found, key=lambda order: float(found[order]))

    def _best(self, runs: Mapping[int, Sequence[dict[str, Any]]]) -> int:
        return min(runs, key=lambda passes: float(self.chosen_by(runs[passes]).mean()))

    def _search_cost(self, recipe: Recipe) -> float:
        return self._rounds(self.plan.run_seconds(recipe.d, recipe.passes), SEARCH_SEEDS)

    def _after_search(self) -> float:
        """Seconds for the rest of the members; students and widths may be left out."""
        return self._rounds(self.plan.run_seconds(self.plan.d, PASSES[2]), MEMBERS - SEARCH_SEEDS)

    def _rounds(self, one: float, count: int) -> float:
        return makespan([one] * count, self.plan.jobs)

    def _run(self, function: Any, arguments: list[dict[str, Any]], label: str) -> list[Any]:
        if not arguments:
            return []
        start = perf_counter()
        results = call_many(function, arguments, label=label)
        for result in results:
            if isinstance(result, CellFailure):
                raise StageFailed(f"{label}: {result.error}")
        took = makespan([r.seconds for r in results], self.plan.jobs)  # type: ignore[union-attr]
        self.spent += self.charges.settle(label, max(perf_counter() - start, took))
        return [dict(r.value) for r in results]  # type: ignore[union-attr]
