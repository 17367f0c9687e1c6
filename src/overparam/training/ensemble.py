"""M networks of one architecture, trained as one batched program."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from overparam.nets.seeding import seeded
from overparam.training.callbacks import Callback
from overparam.training.execution_plan import PLANS, Plan, choose_plan, own_randomness, partition
from overparam.training.gradient_programs import build_program, rows_at_once
from overparam.training.history import History
from overparam.training.lockstep import BatchTransform, LockstepGroup, Recipe
from overparam.training.losses import resolve_loss
from overparam.training.member_generators import stream_seed
from overparam.training.minibatches import MinibatchStream
from overparam.training.optimizers import (
    Decayed,
    HyperParameters,
    check_decay,
    resolve_optimizer,
)
from overparam.training.schedules import Schedule, resolve_schedule
from overparam.training.stacked_state import StackedState
from overparam.training.training_data import (
    Examples,
    as_counts,
    as_features,
    as_numbers,
    as_targets,
    as_weights,
)

ModuleFactory = Callable[[int, int, int], nn.Module]


class Ensemble:
    """M members of one architecture, each with its own seed and hyper-parameters.

    A member's initial weights, minibatches and dropout masks depend on its own seed only: it is
    the same network whoever its neighbours are (bit for bit under `plan="loop"`, to rounding
    under `plan="stacked"`, where they share matrix products).

    Parameters
    ----------
    module_factory : callable
        `module_factory(n_features, n_outputs, seed) -> nn.Module`. It is called with PyTorch's
        CPU stream started at the seed, so a factory that ignores the seed works too.
    seeds : sequence of int
        One seed >= 0 a member.
    n_features, n_outputs : int
        Handed to the factory; `n_outputs` is the number of classes, or of numbers to predict. (Of
        a text model: tokens in a row, and tokens in the vocabulary.)
    plan : {"auto", "stacked", "loop"}
        All members in one program, or one after the other; see `training.execution_plan`.
    device : torch.device or str, optional
        Where to train; None is the CPU.
    dtype : torch.dtype
        Of parameters and features. A module with an attribute `takes_tokens = True` gets its
        features as the integers that they are.

    Attributes
    ----------
    history : History
        Of the last `fit`.
    diverged : ndarray of shape (M,), bool
        Members whose loss became NaN or infinite; their weights stay as they were then.

    Raises
    ------
    ValueError
        If there is no seed, a seed is negative, or members differ in architecture.

    Examples
    --------
    >>> from overparam.nets.mlp import MLP
    >>> X = np.random.default_rng(0).normal(size=(64, 3))
    >>> ensemble = Ensemble(lambda d, k, seed: MLP(d, k, (8,), seed=seed), range(4), 3, 2)
    >>> ensemble.fit(X, (X[:, 0] > 0).astype(int), learning_rate=0.01, epochs=3).loss.shape
    (4, 3)
    >>> ensemble.predict_logits(X).shape
    (4, 64, 2)
    """

    def __init__(
        self,
        module_factory: ModuleFactory,
        seeds: Sequence[int],
        n_features: int,
        n_outputs: int,
        *,
        plan: Plan = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.seeds = tuple(int(seed) for seed in seeds)
        if not self.seeds or min(self.seeds) < 0:
            raise ValueError(f"seeds must be one integer >= 0 a member; got {list(self.seeds)}.")
        if plan not in PLANS:
            raise ValueError(f"plan must be one of {list(PLANS)}; got {plan!r}.")
        self.n_features, self.n_outputs = n_features, n_outputs
        self.plan = plan
        self.device = torch.device("cpu" if device is None else device)
        self.dtype = dtype
        self._factory = module_factory
        self._example = self._build(self.seeds[0])
        self._tokens = bool(getattr(self._example, "takes_tokens", False))
        modules = (self._build(seed) for seed in self.seeds)
        self._state = StackedState.from_modules(modules, self.device, dtype)
        self.diverged = np.zeros(len(self.seeds), dtype=bool)
        self._history: History | None = None
        self._shape: torch.Size | None = None

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def history(self) -> History:
        """Curves of the last `fit`."""
        if self._history is None:
            raise AttributeError("history exists after fit; call fit(X, y, ...) first.")
        return self._history

    @property
    def state(self) -> StackedState:
        """The members' weights, stacked (live)."""
        return self._state

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        loss: str | Callable[[Tensor, Tensor], Tensor] = "cross_entropy",
        optimizer: str = "adamw",
        learning_rate: float | Sequence[float] = 1e-3,
        weight_decay: float | Sequence[float] = 0.0,
        momentum: float | Sequence[float] = 0.9,
        label_smoothing: float | Sequence[float] = 0.0,
        rate_factors: Mapping[str, float] | None = None,
        decay_factors: Mapping[str, float] | None = None,
        betas: tuple[float, float] = (0.9, 0.999),
        decayed: Decayed = "all",
        batch_transform: BatchTransform | None = None,
        batch_size: int = 128,
        epochs: int | None = None,
        steps: int | None = None,
        steps_per_epoch: int | None = None,
        schedule: str | Schedule = "constant",
        weights: Any = None,
        targets: Any = None,
        minibatches: str = "independent",
        validation: Sequence[Any] | None = None,
        patience: int | None = None,
        callbacks: Sequence[Callback] = (),
        threads: int = 1,
        progress: Callable[[float], None] | None = None,
    ) -> History:
        """Train every member, from the weights that it has now.

        Parameters
        ----------
        X : array of shape (n, ...)
            Features, finite; tokens (n, T) for a module that takes them.
        y : array of shape (n,) or (n, k)
            Integer labels, soft targets (n, k), or numbers; of tokens also one label each (n, T),
            or soft targets (n, T, k). Ignored where `targets` is given.
        loss : {"cross_entropy", "squared", "huber"} or callable
            A callable maps logits (M, B, k) and targets to values (M, B).
        optimizer : {"adamw", "adam", "sgd", "nesterov"}
        learning_rate, weight_decay, momentum, label_smoothing : float or sequence of M floats
            Momentum is for SGD only; smoothing for cross-entropy only.
        rate_factors : mapping of str to float, optional
            Factor >= 0 on every member's learning rate for a parameter, by its name in the module
            (such as `nets.parametrization.maximal_update_factors_` gives); what is not named keeps
            its rate. As in the parameter groups of `torch.optim`, AdamW's decay is scaled too.
        decay_factors : mapping of str to float, optional
            Factor >= 0 on every member's weight decay for a parameter, by its name likewise.
        betas : (float, float)
            Decay rates of Adam's two averages.
        decayed : {"all", "matrices"}
            Which parameters weight decay acts on: "matrices" leaves out biases and gains.
        batch_transform : callable, optional
            `(x, targets, generators) -> (x, targets)` on each minibatch: x (M, B, ...), targets
            (M, B, k) (labels arrive one-hot), and one CPU generator a member, to draw from it
            alone what concerns that member. The place of Mixup.
        batch_size : int
            A member with fewer rows takes all of them.
        epochs, steps : int
            Give one. An epoch is `steps_per_epoch` updates for every member, whatever its weights.
        steps_per_epoch : int, optional
            Updates between two entries of the history; ceil(n / batch_size) by default.
        schedule : {"constant", "cosine", "warmup", "warmup_cosine"} or callable
            Factor on the learning rates by (step, total steps).
        weights : array of shape (M, n) or (n,), optional
            Example weights >= 0, scaled to mean 1 over a member's rows of positive weight. Rows
            of weight 0 are never drawn. Compare subsets at equal `steps`.
        targets : array of shape (M, n) or (M, n, k), optional
            Targets of each member, in place of `y`.
        minibatches : {"independent", "shared"}
            Each member's by its own seed, or the first member's for all.
        validation : (X, y) or (X, y, weights), optional
            Held-out rows; y may have a leading member axis, weights (M, n_validation) tell members
            apart.
        patience : int, optional
            Stop a member after so many epochs without a lower validation loss and keep its best
            weights.
        callbacks : sequence of Callback
        threads : int
            PyTorch's threads during the run. One is the fastest for networks of this size; use
            processes to fill more cores.
        progress : callable, optional
            Called with the share of the work done, in [0, 1].

        Returns
        -------
        History

        Raises
        ------
        ValueError
            If an argument is outside what is accepted; the text names it.
        """
        as_counts(
            batch_size=batch_size,
            epochs=epochs,
            steps=steps,
            steps_per_epoch=steps_per_epoch,
            patience=patience,
            threads=threads,
        )
        if (epochs is None) == (steps is None):
            raise ValueError(f"epochs or steps must be given, one of them; got {epochs}, {steps}.")
        if patience is not None and validation is None:
            raise ValueError("patience must come with validation=(X, y); got no validation data.")
        train = self._examples(X, y if targets is None else targets, weights, loss, "")
        self._shape = train.x.shape[1:]
        if decayed not in ("all", "matrices"):
            raise ValueError(f"decayed must be 'all' or 'matrices'; got {decayed!r}.")
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be two numbers in [0, 1); got {betas!r}.")
        held_out = None
        if validation is not None:
            rows, labels, shares = (*validation, None)[:3]
            held_out = self._examples(rows, labels, shares, loss, "validation ")
        if batch_transform is not None and train.targets.labels:
            coded = train.targets.one_hot(self.n_outputs, self.dtype)
            train = replace(train, targets=coded)
        length = steps_per_epoch or math.ceil(len(train.x) / batch_size)
        smoothing = as_numbers(label_smoothing, "label_smoothing", len(self), 0.0, 1.0)
        recipe = Recipe(
            loss=resolve_loss(loss),
            optimizer=resolve_optimizer(optimizer),
            numbers=HyperParameters(
                as_numbers(learning_rate, "learning_rate", len(self), 0.0, math.inf),
                as_numbers(weight_decay, "weight_decay", len(self), 0.0, math.inf),
                as_numbers(momentum, "momentum", len(self), 0.0, 1.0),
            ),
            rate_factors=self._factors(rate_factors or {}, "rate_factors"),
            decay_factors=self._factors(decay_factors or {}, "decay_factors"),
            smoothing=torch.tensor(smoothing, device=self.device, dtype=self.dtype)
            if any(smoothing)
            else None,
            schedule=resolve_schedule(schedule),
            steps=steps if steps is not None else (epochs or 0) * length,
            steps_per_epoch=length,
            patience=patience,
            batch_transform=batch_transform,
            callbacks=tuple(callbacks),
            betas=betas,
            decayed=decayed,
        )
        largest = max(
            recipe.rate_factors.get(name, 1.0) * recipe.decay_factors.get(name, 1.0)
            for name in self._state.parameters
        )
        numbers = recipe.numbers
        check_decay(optimizer, numbers.learning_rate, numbers.weight_decay, largest)
        supports = self._supports(train, minibatches)
        start = time.perf_counter()
        with _threads(threads):
            history = self._train(
                train, held_out, recipe, supports, minibatches == "shared", batch_size, progress
            )
        history.seconds = time.perf_counter() - start
        self._history = history
        return history

    def predict_logits(self, X: Any, block: int | None = None) -> np.ndarray:
        """Logits of every member, in evaluation mode.

        Parameters
        ----------
        X : array of shape (n, ...)
        block : int, optional
            Rows at once; by default as many as fit some tens of megabytes a layer.

        Returns
        -------
        ndarray of shape (M, n, k)
            With the best weights where early stopping was used. (M, n, T, k) where the module has
            logits at each of T tokens.
        """
        shape = None if self._tokens else self._shape
        x = as_features(X, "X", self.device, self.dtype, shape, tokens=self._tokens)
        groups = [list(range(len(self)))]
        if self._plan(1) == "loop":
            groups = [[i] for i in groups[0]]
        out: np.ndarray | None = None
        for rows in groups:
            state = self._state if len(rows) == len(self) else self._state.take(rows)
            program = build_program(self._module(rows), state, None)
            size = block or rows_at_once(state, x)
            for first in range(0, len(x), size):
                part = x[first : first + size]
                stacked = part.expand(len(rows), *([-1] * part.dim()))
                logits = program.logits(stacked).cpu().numpy()
                if out is None:
                    out = np.empty((len(self), len(x), *logits.shape[2:]), logits.dtype)
                out[rows, first : first + size] = logits
        assert out is not None
        return out

    def member(self, i: int) -> nn.Module:
        """Member `i` as an ordinary module in evaluation mode, with its own copy of the weights."""
        module = self._build(self.seeds[i])
        self._state.load_into(module, i)
        return module.eval()

    def _build(self, seed: int) -> nn.Module:
        with seeded(seed):
            module = self._factory(self.n_features, self.n_outputs, seed)
        return module.to(self.device, self.dtype)

    def _plan(self, batch_size: int) -> Literal["stacked", "loop"]:
        if self._tokens and self._shape is not None:
            batch_size *= self._shape.numel()  # every token passes through every matrix
        return choose_plan(self.plan, self._example, len(self), batch_size, self.device)

    def _module(self, members: list[int]) -> nn.Module:
        """A module for a program: of one member its own, for it may hold more than tensors."""
        return self._build(self.seeds[members[0]]) if len(members) == 1 else self._example

    def _examples(self, X: Any, y: Any, weights: Any, loss: Any, prefix: str) -> Examples:
        shape = self._shape if prefix else None
        tokens = self._tokens
        x = as_features(X, f"{prefix}X", self.device, self.dtype, shape, tokens=tokens)
        n, members = len(x), len(self)
        places = tuple(x.shape[1:]) if tokens else ()
        named = (f"{prefix}y", n, members, self.n_outputs, loss, self.device, self.dtype)
        return Examples(
            x,
            as_targets(y, *named, places),
            as_weights(weights, f"{prefix}weights", n, members, self.device, self.dtype),
        )

    def _factors(self, factors: Mapping[str, float], name: str) -> dict[str, float]:
        unknown = sorted(set(factors) - set(self._state.parameters))
        if unknown:
            raise ValueError(f"{name} must name trainable parameters of the module; got {unknown}.")
        wrong = {n: f for n, f in factors.items() if not 0 <= f < math.inf}
        if wrong:
            raise ValueError(f"{name} must be finite numbers >= 0; got {wrong}.")
        return {parameter: float(factor) for parameter, factor in factors.items()}

    def _supports(self, train: Examples, minibatches: str) -> list[Tensor]:
        if minibatches not in ("independent", "shared"):
            raise ValueError(f"minibatches must be 'independent' or 'shared'; got {minibatches!r}.")
        if train.weights is None:
            return [torch.arange(len(train.x))] * len(self)
        positive = (train.weights > 0).cpu()
        if minibatches == "shared" and (positive != positive[0]).any():
            raise ValueError(
                "minibatches must be 'independent' where weights are 0 on other rows for one "
                "member than for another; got 'shared'."
            )
        return [row.nonzero().flatten() for row in positive]

    def _train(
        self,
        train: Examples,
        held_out: Examples | None,
        recipe: Recipe,
        supports: list[Tensor],
        shared: bool,
        batch_size: int,
        progress: Callable[[float], None] | None,
    ) -> History:
        epochs = math.ceil(recipe.steps / recipe.steps_per_epoch)
        history = History.empty(len(self), epochs, recipe.steps, recipe.steps_per_epoch)
        sizes = [min(batch_size, len(support)) for support in supports]
        groups = partition(self._plan(max(sizes)), sizes)
        self.diverged = np.zeros(len(self), dtype=bool)
        for number, members in enumerate(groups):
            seeds = [self.seeds[i] for i in members]
            module = self._module(members)
            streamed = members[:1] if shared else members
            streams = [
                MinibatchStream(self.seeds[0 if shared else i], supports[i]) for i in streamed
            ]
            group = LockstepGroup(
                module=module,
                ensemble=self._state,
                history=history,
                members=members,
                seeds=seeds,
                streams=streams,
                batch_size=sizes[members[0]],
                train=train,
                validation=held_out,
                recipe=recipe,
            )

            def tick(epoch: int, number: int = number) -> None:
                if progress is not None:
                    progress((number + epoch / epochs) / len(groups))

            with _own_stream(module, seeds[0], self.device):
                group.run(tick)
            self.diverged[group.diverged] = True
        self.diverged |= ~self._state.finite().cpu().numpy()
        return history


@contextmanager
def _own_stream(module: nn.Module, seed: int, device: torch.device) -> Iterator[None]:
    """A module with its own randomness (plan "loop") draws from its member's stream."""
    if not own_randomness(module):
        yield
        return
    start = stream_seed(seed, "module")
    with seeded(start), torch.random.fork_rng([device] if device.type == "cuda" else []):
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(start)
        yield


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
