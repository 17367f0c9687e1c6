"""A saved model of a text says and writes the same after it was read."""

import numpy as np
import pytest

import overparam
from overparam.auditing.text_cells import together
from overparam.auditing.text_model import save_language_model, window_losses
from overparam.data import text
from overparam.nets.tiny_gpt import TinyGPT
from overparam.training.ngrams import NGrams

PASSAGE = "The quick brown fox jumps over the lazy dog, and then it sleeps. " * 4
TOKENS = text.encode(PASSAGE, text.ALPHABET)


def nets():
    return together([TinyGPT(96, 32, seed=s) for s in range(2)], TOKENS)


def counts():
    return NGrams(96, 3).fit(TOKENS)


@pytest.mark.parametrize("made", [nets, counts], ids=["nets", "counts"])
def test_it_comes_back_as_it_was(made, tmp_path):
    model = made()
    save_language_model(tmp_path, model, text.ALPHABET, {"title": "mine", "context": 64})
    read = overparam.load_model(tmp_path)
    assert read.info["title"] == "mine"
    wanted = window_losses(model, TOKENS, 64)
    np.testing.assert_allclose(read.predictions_of(PASSAGE)["nats"], wanted, rtol=1e-6)
    assert read.score(PASSAGE) == pytest.approx(-wanted.mean(), rel=1e-6)
    drawn = model.sample(2, 20, 5)
    assert read.sample(2, 20, seed=5) == [text.decode(row, text.ALPHABET) for row in drawn]


def test_byte_pairs_come_back_too(tmp_path):
    pytest.importorskip("tokenizers")
    path = tmp_path / "book.txt"
    path.write_text(PASSAGE * 4)
    tokens, pairs = text.load(path, vocabulary=280)
    save_language_model(
        tmp_path, NGrams(280, 2).fit(tokens), pairs, {"title": "pairs", "context": 64}
    )
    read = overparam.load_model(tmp_path)
    assert "".join(read.predictions(path)["text"]) == text.decode(
        tokens[: len(tokens) // 64 * 64], pairs
    )
