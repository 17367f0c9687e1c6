"""The pages of findings and treatments say what the code does."""

from overparam.auditing import registry
from tools import finding_pages


def test_a_section_states_title_docstring_thresholds_and_paper():
    registry.load_all()
    text = finding_pages.section(registry.FINDINGS["OP004"])
    assert "**Can its confidence be trusted?** (`calibration`)" in text
    assert "What to do: scale by the temperature" in text
    assert "| margin | 0.01 |" in text
    assert "arXiv 2306.00740" in text


def test_every_registered_entry_says_how_it_works():
    registry.load_all()
    for entry in registry.FINDINGS.values():
        for part in ("How:", "Why:", "What to do:"):
            assert part in entry.page, (entry.code, part)
    assert all(entry.page for entry in registry.TREATMENTS.values())


def test_pages_in_the_repository_are_those_of_the_code(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["finding_pages.py", "--check"])
    assert finding_pages.main() == 0, capsys.readouterr().out


def test_a_stale_page_is_named(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["finding_pages.py", "--check"])
    monkeypatch.setattr(finding_pages, "ROOT", tmp_path)
    assert finding_pages.main() == 1
    assert "docs/findings.md differs from the code" in capsys.readouterr().out
