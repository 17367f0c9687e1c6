"""The page on wrong labels runs."""

import doctest
from pathlib import Path


def test_the_example_runs():
    page = Path(__file__).parents[2] / "docs" / "label-quality.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried > 8
    assert failed == 0
