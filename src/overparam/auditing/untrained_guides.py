"""Untrained convolutional nets that guide the members of an ensemble through their first steps.

Their place in the representations is the prior of their architecture: neighbouring pixels belong
together (arXiv 2410.20035). They are left behind after training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from overparam.auditing.recipes import Recipe, module_factory
from overparam.data.dataset import View
from overparam.training.frozen_guide import FrozenGuide
from overparam.training.guided_members import GuidedMembers

CHANNELS = 16  # of the first layer; the next has twice as many


def untrained_guides(
    recipe: Recipe,
    view: View,
    X: np.ndarray,
    example: torch.nn.Module,
    seeds: Sequence[int],
    n_outputs: int,
) -> GuidedMembers:
    """A guide for each seed, of the rows of `view`, which members read as X (n, d).

    `example` is a module of the members' architecture. The guides run on every minibatch: over a
    few hundred steps that is no more than running them once on all rows.
    """
    convolutional = Recipe("convolutional", CHANNELS, recipe.rows, recipe.epochs, recipe.batch_size)
    factory = module_factory(convolutional, view.preprocessor, None)
    size = int(np.prod(view.X.shape[1:]))
    guides = [FrozenGuide(factory(size, n_outputs, seed).eval(), cache=None) for seed in seeds]
    return GuidedMembers(
        example,
        X,
        guides,
        guide_inputs=torch.as_tensor(np.ascontiguousarray(view.X)),
        steps=[recipe.guided_steps] * len(seeds),
    )
