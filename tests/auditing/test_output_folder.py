"""The folder of an audit, asked for and by default, and what a fresh start removes."""

from pathlib import Path

import pytest

from overparam.auditing.output_folder import another_kind, empty, output_folder, refuse_file
from overparam.evidence.errors import UserError


def test_the_folder_is_the_one_asked_for_or_named_after_the_data():
    assert output_folder("there", "digits") == Path("there")
    assert output_folder(None, "digits") == Path("overparam-digits")


def test_a_file_is_refused_by_name(tmp_path):
    (tmp_path / "report").write_text("mine")
    with pytest.raises(UserError, match=r"out must be a folder; got the file '.*report'\."):
        refuse_file(tmp_path / "report")
    refuse_file(tmp_path)
    refuse_file(tmp_path / "new")


def test_a_fresh_start_removes_cells_and_model_and_nothing_of_the_users(tmp_path):
    for part in (".cells", "model", "mine"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "a").write_text("a")
    empty(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "a").exists()
    empty(tmp_path / "missing")


def test_a_plan_of_another_kind_says_what_to_do(tmp_path):
    assert "--fresh to start over" in str(another_kind(tmp_path))
