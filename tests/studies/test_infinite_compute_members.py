"""The cells of trained models: texts, scores, weights that come back."""

import numpy as np
import pytest

from overparam.data import text
from overparam.evidence import cells
from overparam.studies import infinite_compute_members as measured
from overparam.training.language_model import LanguageModel
from overparam.training.logit_ensemble import LogitEnsemble

TEXT = {"source": "python-topics", "characters": 2048, "valid": 1024}
RECIPE = {"d": 32, "weight_decay": 1.0, "epochs": 1, "learning_rate": 3e-3}


def test_a_model_is_scored_on_text_that_it_has_not_read():
    train, held_out = measured.parts(*TEXT.values())
    tokens, _ = text.load("python-topics")
    np.testing.assert_array_equal(train, tokens[:2048])
    start = 4 * len(tokens) // 5
    np.testing.assert_array_equal(held_out, tokens[start : start + 1024])
    other = measured.elsewhere("python-topics")
    assert "def " in text.decode(other[:5000], text.ALPHABET)
    np.testing.assert_array_equal(measured.elsewhere("gcide"), tokens)


def test_weights_come_back_as_the_model_that_was_trained():
    found = measured.trained_model(seed=5, **RECIPE, **TEXT)
    net = measured.restored(found["weights"], 32)
    train, held_out = measured.parts(*TEXT.values())
    by_hand = LanguageModel(96, 32, seeds=[5], weight_decay=1.0, epochs=1).fit(train)
    assert found["loss"] == by_hand.member_losses(held_out)[0]
    assert found["loss"] == pytest.approx(-by_hand.score(held_out), rel=1e-6)
    assert found["train_loss"] == by_hand.member_losses(train)[0]
    x, _ = by_hand.windows(held_out)
    np.testing.assert_allclose(
        net(x[:3]).detach(), by_hand.ensemble_.predict_logits(x[:3])[0], atol=1e-6
    )
    assert found["steps"] == 2


def test_models_are_trained_once_and_read_back(tmp_path):
    with cells.settings(store=tmp_path, backend="sequential", progress=False):
        table = measured.models([0, 1], [RECIPE], **TEXT)
        with cells.metered() as meter:
            nets = measured.members([1, 0], **RECIPE, **TEXT)
    assert (meter.cells, meter.computed) == (2, 0)
    assert table["seed"].to_list() == [0, 1]
    assert "weights" not in table.columns
    _, held_out = measured.parts(*TEXT.values())
    x, y = LanguageModel(96).windows(held_out)
    losses = [LogitEnsemble(net).loss(x, y) for net in nets]
    assert losses == pytest.approx(table["loss"].to_list()[::-1], rel=1e-5)
