"""The cells of ensembles and students."""

import numpy as np
import pytest
import torch

from overparam.evidence import cells
from overparam.nets.tiny_gpt import TinyGPT
from overparam.studies import infinite_compute_cells as measured
from overparam.studies.infinite_compute_members import models
from overparam.training.language_model import LanguageModel
from overparam.training.logit_ensemble import LogitEnsemble

TEXT = {"source": "python-topics", "characters": 2048, "valid": 1024}
RECIPE = {"d": 32, "weight_decay": 1.0, "epochs": 1, "learning_rate": 3e-3}


@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_every_subset_has_the_loss_of_its_ensemble(average):
    nets = [TinyGPT(96, 32, seed=s).eval() for s in range(3)]
    for net in nets:
        torch.nn.init.normal_(net.head.weight, std=0.5)  # far from equal predictions
    tokens = np.random.default_rng(0).integers(0, 96, 5000)
    found = measured.subset_losses(nets, tokens)[average]
    x, y = LanguageModel(96).windows(tokens)
    for i in range(1, 8):
        chosen = [net for m, net in enumerate(nets) if i >> m & 1]
        assert found[i - 1] == pytest.approx(LogitEnsemble(chosen, average).loss(x, y), rel=1e-5)


def test_ensembles_read_their_models_back_and_averages_are_not_worse(tmp_path):
    with cells.settings(store=tmp_path, backend="sequential", progress=False):
        alone = models([0, 1], [RECIPE], **TEXT)
        with cells.metered() as meter:
            found = measured.ensemble_losses((0, 1), **RECIPE, **TEXT)
    assert (meter.cells, meter.computed) == (2, 0)
    np.testing.assert_allclose(found["loss"][:2], alone["loss"], rtol=1e-5)
    np.testing.assert_allclose(found["elsewhere"][:2], alone["elsewhere"], rtol=1e-5)
    np.testing.assert_allclose(found["loss_of_probabilities"][:2], alone["loss"], rtol=1e-5)
    assert found["counted"][0] > found["counted"][1] > found["counted"][2] > 2
    assert found["loss"][2] <= alone["loss"].mean()
    assert found["loss_of_probabilities"][2] <= alone["loss"].mean()


def test_a_student_reads_four_windows_for_each_real_one(tmp_path, monkeypatch):
    seen = {}

    def caught(teacher, factory, train, share, **recipe):
        student = distill(teacher, factory, train, share, **recipe)
        seen.update(members=len(teacher.ensemble_), steps=student.ensemble_.history.steps)
        return student

    distill = measured.distill
    monkeypatch.setattr(measured, "distill", caught)
    with cells.settings(store=tmp_path, backend="sequential", progress=False):
        found = measured.student(
            teacher_seeds=(0, 1), teacher_decay=1.0, teacher_epochs=1, d=32, weight_decay=1.0,
            epochs=1, seed=3, share=0.75, learning_rate=3e-3, **TEXT,
        )  # fmt: skip
    assert seen == {"members": 2, "steps": round(31 / 16 / 0.25)}
    assert found["steps"] == seen["steps"]
    assert "weights" not in found
    assert 2 < found["loss"] < 5
