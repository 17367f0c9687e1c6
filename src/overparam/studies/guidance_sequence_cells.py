"""What C5 trains: a recurrent network that copies, a transformer that counts, guided and not.

The targets of one seed share initial weights and strings; the guide has a seed of its own and
learnt the same task from other strings. Strings of 5 to 10 symbols are compared by all their hidden
states, flattened over places; strings of bits by those at the last bit, where the answer is due.
One rate a task for all conditions: the best of 3e-4, 1e-3 and 3e-3 for a target without a guide, by
600 steps of one seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from overparam.evidence.cells import call, settings
from overparam.studies.guidance_nets import guide_seed
from overparam.studies.guidance_sequence_nets import Places, SequenceGPT, SequenceRNN
from overparam.studies.guidance_sequence_tasks import TASKS, accuracy
from overparam.studies.guidance_sequence_training import restored, train, weights_of

WIDTH, DEPTH = 64, 2
RATES = {"copy": 1e-3, "parity": 3e-3}  # of targets
GUIDE_RATE = 3e-3
GUIDES = {"copy": "transformer", "parity": "recurrent"}
TEST_SEED = 10**6  # strings that nobody trains on


def network(task: str, kind: str, seed: int) -> nn.Module:
    """A "recurrent" network or a "transformer" of a task, of two layers of 64."""
    about = TASKS[task]
    places: Places = "last" if task == "parity" else "all"
    if kind == "recurrent":
        return SequenceRNN(about.vocab, WIDTH, DEPTH, places, about.blank, seed)
    return SequenceGPT(about.vocab, WIDTH, DEPTH, about.context, places, about.blank, seed)


def fitted(
    net: nn.Module,
    task: str,
    seed: int,
    batch: int,
    steps: int,
    rate: float,
    guide: nn.Module | None = None,
    alpha: float = 1.0,
) -> nn.Module:
    """The network after `steps` minibatches of strings that are drawn by the seed."""
    strings = torch.Generator().manual_seed(seed)
    return train(
        net, lambda: TASKS[task].draw(batch, strings), steps, rate, guide, DEPTH, alpha=alpha
    )


def tested(net: nn.Module, task: str, seed: int, test: int) -> float:
    """Accuracy on `test` new strings, of the tokens that count."""
    strings = TASKS[task].draw(test, torch.Generator().manual_seed(TEST_SEED + seed))
    with torch.no_grad():
        return accuracy(net(strings.x), strings)


def sequence_guide(task: str, seed: int, batch: int, steps: int, test: int) -> dict[str, Any]:
    """A guide that has learnt the task: its accuracy and weights."""
    seed = guide_seed(seed)
    net = fitted(network(task, GUIDES[task], seed), task, seed, batch, steps, GUIDE_RATE)
    return {"accuracy": tested(net, task, seed, test), "weights": weights_of(net)}


def guide_of(
    task: str, condition: str, seed: int, batch: int, steps: int, test: int
) -> nn.Module | None:
    """The guide of a condition: none, an untrained one, or that of `sequence_guide`, read back."""
    if condition == "none":
        return None
    net = network(task, GUIDES[task], guide_seed(seed)).eval()
    if condition == "untrained":
        return net
    with settings(progress=False):
        found = call(sequence_guide, task=task, seed=seed, batch=batch, steps=steps, test=test)
    return restored(net, np.asarray(found.value["weights"]))


def sequence_target(
    task: str, condition: str, seed: int, batch: int, steps: int, guide_steps: int, test: int
) -> dict[str, float]:
    """C5: accuracy of a target, "none", "untrained" or "trained" being its guide."""
    kind = "recurrent" if GUIDES[task] == "transformer" else "transformer"
    guide = guide_of(task, condition, seed, batch, guide_steps, test)
    net = fitted(network(task, kind, seed), task, seed, batch, steps, RATES[task], guide)
    return {"accuracy": tested(net, task, seed, test)}
