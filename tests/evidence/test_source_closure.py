import importlib
import os

import pytest

from overparam.evidence import source_closure
from overparam.evidence.intervals import t_interval


def edit(package, module, text):
    """Change a file and import everything anew, as the next process would."""
    path = package.write(module, text)
    stamp = os.stat(path).st_mtime_ns + 1_000_000_000  # some file systems count whole seconds
    os.utime(path, ns=(stamp, stamp))
    for name in ("constants", "method", "cells"):
        importlib.reload(package.load(name))
    return source_closure.digest(package.load().square)


def test_the_closure_follows_imports_inside_the_package_only(package):
    found = source_closure.files(package.load().square)
    assert {file.name for file in found} == {"cells.py", "method.py", "constants.py"}
    ours = source_closure.files(source_closure.digest)
    assert {file.name for file in ours} == {"source_closure.py"}


def test_a_room_is_not_followed_when_a_file_is_imported():
    found = {file.name for file in source_closure.files(source_closure.digest)}
    assert "__init__.py" not in found


def test_a_changed_function_two_imports_away_changes_the_digest(package):
    before = source_closure.digest(package.load().square)
    assert edit(package, "constants", "FACTOR = 2\n") != before
    assert edit(package, "constants", "FACTOR = 1\n") == before


def test_comments_docstrings_and_formatting_do_not_count(package):
    before = source_closure.digest(package.load().square)
    same = '"""Now with a docstring."""\n\n# and a comment\nFACTOR = (\n    1\n)\n'
    assert edit(package, "constants", same) == before


def test_a_string_that_is_not_a_docstring_counts(package):
    before = edit(package, "constants", "FACTOR = 1\nWORD = 'a'\n")
    assert edit(package, "constants", "FACTOR = 1\nWORD = 'b'\n") != before


@pytest.mark.parametrize(
    "line",
    [
        "from .constants import FACTOR",
        "from . import constants; FACTOR = constants.FACTOR",
        "import {name}.constants; FACTOR = {name}.constants.FACTOR",
        "def late():\n    from {name}.constants import FACTOR\n    return FACTOR",
    ],
)
def test_every_form_of_import_is_seen(package, line):
    package.write("method", f"{line}\n\ndef scaled(k):\n    return k\n")
    found = source_closure.files(package.load().square)
    assert "constants.py" in {file.name for file in found}


def test_a_name_from_a_package_brings_in_its_table_of_contents(package):
    package.write("__init__", "from {name}.constants import FACTOR\n")
    package.write("method", "from {name} import FACTOR\n\ndef scaled(k):\n    return k\n")
    found = {file.name for file in source_closure.files(package.load().square)}
    assert {"__init__.py", "constants.py"} < found


def test_a_file_changed_after_it_was_imported_is_refused(package):
    before = source_closure.changes()
    source_closure.digest(package.load().square)
    path = package.write("constants", "FACTOR = 3\n")
    os.utime(path, ns=(0, 0))
    with pytest.raises(RuntimeError, match=r"constants.py changed after it was imported"):
        source_closure.digest(package.load().square)
    importlib.reload(package.load("constants"))
    source_closure.digest(package.load().square)
    assert source_closure.changes() == before + 1


def nested():
    return lambda k: k


@pytest.mark.parametrize("function", [nested(), print, "text".upper, 3])
def test_what_another_process_could_not_find_is_refused(function):
    with pytest.raises(TypeError, match="function must stand at the top level of a file; got"):
        source_closure.digest(function)


def test_the_name_tells_module_and_function():
    assert source_closure.name(t_interval) == "overparam.evidence.intervals:t_interval"
