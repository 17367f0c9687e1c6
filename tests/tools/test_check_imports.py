import pytest

CLEAN = {
    "__init__": "def __getattr__(name):\n    return name\n",
    "room/__init__": '"""A room."""\nfrom overparam.room.idea import act\n__all__ = ["act"]\n',
    "room/idea": "from overparam.other.thing import make\n\ndef act():\n    return make()\n",
    "other/__init__": "from overparam.other import thing\n",
    "other/thing": "def make():\n    return 1\n",
}


@pytest.fixture
def check(tool, tmp_path):
    def run(changes):
        package = tmp_path / "overparam"
        for name, text in {**CLEAN, **changes}.items():
            path = package / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tool.problems(package)

    return run


def test_a_clean_package_is_silent(check):
    assert check({}) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"room/idea": "from overparam.other import make\n"},
            "overparam/room/idea.py:1: imports make from the room overparam.other",
        ),
        (
            {"room/idea": "\nimport overparam.other\n"},
            "idea.py:2: imports the room overparam.other",
        ),
        ({"room/idea": "from ..other import make\n"}, "imports make from the room overparam.other"),
        ({"room/idea": "def f():\n    from overparam.other import make\n"}, "idea.py:2: imports"),
        ({"room/__init__": "x = 1\n"}, "room/__init__.py:1: a room's __init__ is a table"),
        ({"room/act": "y = 1\n"}, "act is public here and also the name of the file act.py"),
        (
            {"room/utils": ""},
            "overparam/room/utils.py: a file is named after its idea, not 'utils'",
        ),
        ({"other/_base": ""}, "other/_base.py: a file is named after its idea"),
    ],
)
def test_each_fault_is_found_at_its_place(check, changes, text):
    (line,) = check(changes)
    assert text in line


def test_importing_a_file_from_a_room_is_fine(check):
    assert (
        check({"room/idea": "from overparam.other import thing\nfrom ..other.thing import make\n"})
        == []
    )


def test_the_exit_code_tells(tool, tmp_path, capsys):
    (tmp_path / "overparam").mkdir()
    assert tool.main([str(tmp_path / "overparam")]) == 0
    (tmp_path / "overparam" / "helpers.py").write_text("")
    assert tool.main([str(tmp_path / "overparam")]) == 1
    assert "helpers.py" in capsys.readouterr().err
