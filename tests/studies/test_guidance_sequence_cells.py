"""Guided and plain sequence models differ by the guide alone; figures are what they say."""

import numpy as np
import pytest
import torch
from torch import nn

from overparam.evidence import cells as store
from overparam.studies import guidance_sequence_cells as cells
from overparam.studies import guidance_text_cells as texts
from overparam.studies.guidance_sequence_tasks import TASKS
from overparam.studies.guidance_sequence_training import restored, weights_of

SIZES = {"seed": 0, "batch": 8, "test": 50}
TEXT = {"source": "python-topics", "characters": 2_048, "valid": 1_024}
TASK_NAMES = ["copy", "parity"]


@pytest.fixture(autouse=True)
def own_store(tmp_path):
    with store.settings(store=tmp_path, backend="sequential", progress=False):
        yield


def target(task, seed=0):
    return cells.network(task, "recurrent" if task == "copy" else "transformer", seed)


def untrained(task):
    return cells.guide_of(task, "untrained", 0, 8, 3, 50)


@pytest.mark.parametrize("task", TASK_NAMES)
def test_alpha_0_is_plain_training(task):
    plain, guided, silent = (target(task) for _ in range(3))
    assert np.array_equal(weights_of(plain), weights_of(guided))  # twins start alike
    start = weights_of(plain).copy()
    cells.fitted(plain, task, 0, 8, 5, 1e-3)
    cells.fitted(silent, task, 0, 8, 5, 1e-3, untrained(task), alpha=0.0)
    cells.fitted(guided, task, 0, 8, 5, 1e-3, untrained(task))
    assert weights_of(silent) == pytest.approx(weights_of(plain), abs=1e-6)
    assert not np.array_equal(weights_of(guided), weights_of(plain))
    assert not np.array_equal(weights_of(plain), start)


@pytest.mark.parametrize("task", TASK_NAMES)
def test_a_guide_stays_as_it_is_and_keeps_no_hooks(task):
    guide, net = untrained(task), target(task)
    before = weights_of(guide).copy()
    cells.fitted(net, task, 0, 8, 3, 1e-3, guide)
    assert np.array_equal(weights_of(guide), before)
    for each in (guide, net):
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in each.modules())


def test_the_term_pulls_states_together():
    """Without a task, by alignment alone, the distance of a fixed minibatch falls."""
    from overparam.diagnostics.similarity import linear_cka
    from overparam.training.layer_outputs import LayerOutputs

    guide, strings = untrained("copy"), TASKS["copy"].draw(32, torch.Generator().manual_seed(1))

    def apart(net):
        seen = []
        for each in (guide, net):
            outputs = LayerOutputs(each, ["states.1"])
            with torch.no_grad():
                each(strings.x)
            seen.append(outputs.outputs()["states.1"].detach())
            outputs.close()
        return 1 - float(linear_cka(*seen))

    plain, guided = target("copy"), target("copy")
    cells.fitted(plain, "copy", 0, 32, 60, 3e-3)
    cells.fitted(guided, "copy", 0, 32, 60, 3e-3, guide)
    assert apart(guided) < 0.7 * apart(plain)


@pytest.mark.parametrize("task", TASK_NAMES)
def test_the_trained_guide_is_the_one_that_was_measured(task):
    found = cells.sequence_guide(task, steps=3, **SIZES)
    guide = cells.guide_of(task, "trained", 0, 8, 3, 50)
    # Two trainings may differ by rounding: products depend on where arrays lie in memory.
    assert weights_of(guide) == pytest.approx(found["weights"], abs=1e-5)
    measured = cells.tested(guide, task, cells.guide_seed(0), 50)
    assert measured == pytest.approx(found["accuracy"], abs=0.02)
    assert np.abs(weights_of(untrained(task)) - found["weights"]).max() > 1e-3
    assert cells.guide_of(task, "none", 0, 8, 3, 50) is None


@pytest.mark.parametrize("task", TASK_NAMES)
def test_conditions_differ_and_repeat(task):
    sizes = SIZES | {"steps": 20, "guide_steps": 3, "test": 400}
    found = [
        cells.sequence_target(task, condition, **sizes)["accuracy"]
        for condition in ("none", "none", "untrained", "trained")
    ]
    assert found[0] == pytest.approx(found[1], abs=0.02)
    assert len(set(found[1:])) > 1
    assert all(0 <= value <= 1 for value in found)


@pytest.mark.slow
def test_a_recurrent_guide_learns_parity():
    assert cells.sequence_guide("parity", 0, 64, 900, 1000)["accuracy"] > 0.99


def test_text_parts_do_not_overlap():
    whole = texts.text.load("python-topics")[0]
    train_part, choosing, judging = texts.parts(**TEXT)
    assert (len(train_part), len(choosing), len(judging)) == (2048, 1024, 1024)
    start = texts.text.held_out_start(len(whole), 2048)
    assert np.array_equal(choosing, whole[start : start + 1024])
    assert np.array_equal(judging, whole[start + 1024 : start + 2048])
    assert start >= 2048


def test_windows_are_the_text_and_the_next_characters():
    tokens = torch.arange(65 + 64 * 3)
    x, y, counted = texts.windows(tokens, 4, 0)()
    assert torch.equal(y, x + 1)
    assert sorted(x[:, 0].tolist()) == [0, 64, 128, 192]
    assert counted.all()
    assert counted.shape == (4, 64)


def test_nats_of_a_uniform_guess():
    class Uniform(nn.Module):
        def forward(self, x):
            return torch.zeros(*x.shape, texts.VOCABULARY)

    tokens = texts.parts(**TEXT)[2]
    assert texts.nats(Uniform(), tokens) == pytest.approx(np.log(96), rel=1e-6)


def test_text_targets_and_their_guide():
    sizes = TEXT | {"batch": 8}
    guide = texts.text_guide(seed=0, steps=5, **sizes)
    assert guide["nats"] < np.log(96)
    net = restored(texts.transformer(0), guide["weights"])
    assert texts.nats(net, texts.parts(**TEXT)[2]) == pytest.approx(guide["nats"], rel=1e-6)
    found = [
        texts.text_target(condition, 1e-2, 0, steps=5, guide_steps=5, **sizes)
        for condition in ("none", "untrained", "trained")
    ]
    assert len({f["nats"] for f in found}) == 3
    assert all(f["choosing"] != f["nats"] for f in found)
