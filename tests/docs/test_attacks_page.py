"""The page on attacks runs."""

import doctest
from pathlib import Path


def test_the_examples_run():
    page = Path(__file__).parents[2] / "docs" / "attacks.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried > 10
    assert failed == 0
