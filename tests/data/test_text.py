"""Texts as tokens: the embedded ones, files, memory maps, splits."""

import hashlib

import numpy as np
import pytest

from overparam.data import text
from overparam.data.words import GCIDE
from overparam.evidence.errors import UserError

needs_gcide = pytest.mark.skipif(not GCIDE.exists(), reason="apt-get install dict-gcide")
SHA_256 = "42610ab80bd74aeeb8a559f58c48f3cc8c27ee66db70ffa4aaaeab761ced377e"  # 0.48.5+nmu2


@pytest.mark.slow
@needs_gcide
def test_the_dictionary_is_the_published_one(tmp_path):
    tokens, alphabet = text.load("gcide")
    written = text.decode(tokens, alphabet)
    assert len(tokens) == 23_303_677
    assert written.count("\n") + 1 == 77_031
    assert hashlib.sha256(written.encode()).hexdigest() == SHA_256
    train, valid = text.split(tokens, 24_576)
    assert written[5_000_000:5_000_040] == text.decode(valid[:40], alphabet)
    assert len(valid) == 65_536
    for start in range(0, 2048, 64):  # entries are not repeated
        assert text.decode(valid[start : start + 64], alphabet) not in written[:24_576]
    mapped, _ = text.load("gcide", tmp_path)
    assert isinstance(mapped, np.memmap)
    assert mapped.dtype == np.uint8
    np.testing.assert_array_equal(mapped[: len(train)], train)


def test_a_missing_dictionary_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setattr(text, "GCIDE", tmp_path / "none")
    with pytest.raises(UserError, match="got 'gcide': apt-get install dict-gcide"):
        text.load("gcide")


def test_python_topics_needs_nothing():
    tokens, alphabet = text.load("python-topics")
    assert alphabet == text.ALPHABET
    assert len(alphabet) == 96
    assert tokens.dtype == np.int64
    assert 0 <= tokens.min() < tokens.max() < 96
    assert 300_000 < len(tokens) < 1_000_000
    train, valid = text.split(tokens, 24_576)
    assert len(valid) == 65_536
    assert valid[0] == tokens[4 * len(tokens) // 5]
    assert not np.shares_memory(train, valid)


@pytest.mark.parametrize(
    ("train", "valid", "message"),
    [
        (801, 65_536, r"train must be in 1 .. 800, where held-out tokens begin; got 801"),
        (0, 65_536, "train must be in 1 .. 800"),
        (10, 0, "valid must be an integer >= 1; got 0"),
    ],
)
def test_parts_that_overlap_are_refused(train, valid, message):
    with pytest.raises(ValueError, match=message):
        text.split(np.arange(1000), train, valid)


def test_a_file_is_its_characters_and_back(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("Grüße,\nεὕρηκα!\n" * 50)
    tokens, alphabet = text.load(path)
    assert alphabet == "".join(sorted(set(path.read_text())))
    assert text.decode(tokens, alphabet) == path.read_text()


def test_a_mapped_file_holds_the_same_tokens_is_found_again_and_made_anew(tmp_path, monkeypatch):
    path, folder = tmp_path / "own.txt", tmp_path / "cache"
    path.write_text("one line\nand another\n" * 100)
    monkeypatch.setattr(text, "_CHUNK", 64)  # many pieces
    tokens, alphabet = text.load(path)
    mapped, again = text.load(path, folder)
    assert isinstance(mapped, np.memmap)
    assert (mapped.dtype, again) == (np.uint8, alphabet)
    np.testing.assert_array_equal(mapped, tokens)
    with monkeypatch.context() as patched:
        patched.setattr(text, "_pieces", None)  # nothing is read twice
        np.testing.assert_array_equal(text.load(path, folder)[0], tokens)
    path.write_text("another text\n")
    assert text.decode(*text.load(path, folder)) == "another text\n"


def test_rare_characters_of_a_large_alphabet_become_one(tmp_path):
    path = tmp_path / "own.txt"
    frequent, rare = "".join(map(chr, range(1000, 1255))) * 2, "".join(map(chr, range(5000, 5050)))
    path.write_text(frequent + rare)
    tokens, alphabet = text.load(path)
    assert len(alphabet) == 256
    assert text.decode(tokens, alphabet) == frequent + text.REPLACEMENT * len(rare)
    assert text.load(path, tmp_path)[0].dtype == np.uint8


def test_more_tokens_get_a_larger_type():
    assert [text._smallest(n) for n in (256, 257, 40_000)] == [np.uint8, np.int16, np.int32]


def test_bad_texts_are_named(tmp_path):
    with pytest.raises(UserError, match="source must be gcide, python-topics or a text file; got"):
        text.load(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(UserError, match="source must be a text with a character; got an empty one"):
        text.load(tmp_path / "empty.txt")
    with pytest.raises(ValueError, match="text must be of characters of the alphabet; got 'é'"):
        text.encode("café", text.ALPHABET)
