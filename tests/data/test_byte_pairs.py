"""Byte pairs: every text comes back, fewer tokens than characters, the missing extra is named."""

import sys

import numpy as np
import pytest

from overparam.data import text
from overparam.data.byte_pairs import BytePairs
from overparam.evidence.errors import UserError


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UserError, match=r"pip install 'overparam\[text\]'"):
        BytePairs.learn(["some text"], 300)


def test_a_vocabulary_below_the_bytes_is_refused():
    with pytest.raises(ValueError, match="vocabulary must be an integer >= 257; got 256"):
        BytePairs.learn(["some text"], 256)


def test_texts_come_back_shorter_and_vocabularies_are_kept(tmp_path):
    pytest.importorskip("tokenizers", reason="pip install 'overparam[text]'")
    path = tmp_path / "own.txt"
    path.write_text("the cat sat on the mat, the rat sat on the cat\n" * 40)
    tokens, pairs = text.load(path, vocabulary=300)
    assert 257 <= len(pairs) <= 300
    assert len(tokens) < len(path.read_text()) / 2
    assert text.decode(tokens, pairs) == path.read_text()
    assert pairs.decode(pairs.encode("çà et là\n")) == "çà et là\n"  # bytes: nothing is unknown
    mapped, kept = text.load(path, tmp_path / "cache", vocabulary=300)
    np.testing.assert_array_equal(mapped, tokens)
    again, kept = text.load(path, tmp_path / "cache", vocabulary=300)
    assert kept.to_json() == pairs.to_json()
    assert kept[int(again[0])] == pairs[int(tokens[0])]
