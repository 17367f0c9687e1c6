import pytest

from overparam.data.words import read_words
from overparam.evidence.errors import UserError


def test_words_are_runs_of_letters_in_lower_case(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("The cat's 2 mats:\nTHE end, beyond")
    assert read_words(str(path), 24).tolist() == ["the", "cat", "s", "mats", "the", "en"]


def test_the_standard_librarys_text_is_always_there():
    words = read_words("python-topics", 50_000)
    assert 5_000 < len(words) < 12_000
    assert (words == "the").mean() > 0.02


def test_a_text_that_is_not_there_is_named():
    with pytest.raises(UserError, match=r"source must be gcide, .* got 'nowhere'"):
        read_words("nowhere", 10)
