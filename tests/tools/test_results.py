import json

import pytest

SLUG = "temperature-scaling-limits"


def part(name, verdict, **other):
    return {
        "name": name,
        "statistic": 1.23456,
        "n": 3,
        "interval": [1.0, 2.0],
        "region": "at least 0.5",
        "verdict": verdict,
        "exact": False,
        **other,
    }


def claim(id, verdict, parts, *, status="measured", error=None):
    return {
        "id": id,
        "sentence": f"Sentence of {id} | piped.",
        "verdict": verdict,
        "parts": parts,
        "status": status,
        "error": error,
    }


CLAIMS = [
    claim("C1", "holds", [part("", "holds", n=6)]),
    claim(
        "C2", "fails", [part("raw", "fails"), part("n", "holds", exact=True, interval=None, n=1)]
    ),
    claim("C3", None, [], status="not_run", error="not run: too long"),
    claim("C4", "inconclusive", [part("", "inconclusive", statistic=None, interval=[None, None])]),
]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "README.md").write_text("top\n<!-- papers:begin -->\n<!-- papers:end -->\nend\n")
    page = tmp_path / "docs" / "papers" / f"{SLUG}.md"
    page.parent.mkdir(parents=True)
    page.write_text("# TS\n<!-- claims:begin -->stale words<!-- claims:end -->\n")
    return tmp_path


def keep(root, scale, claims):
    path = root / "results" / SLUG / f"{scale}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"seeds": [0, 1, 2], "versions": {"torch": "2"}, "seconds": 100.0, "claims": claims}
    path.write_text(json.dumps(document))


def run(tool, root, *options):
    return tool.main([*options, "--root", str(root)])


def test_with_nothing_kept_there_is_nothing_to_write(tool, tmp_path):
    assert run(tool, tmp_path, "--check") == 0
    assert run(tool, tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_check_fails_until_the_pages_are_written_and_after_each_change(tool, root, capsys):
    keep(root, "quick", CLAIMS)
    assert run(tool, root, "--check") == 1
    named = capsys.readouterr().err
    assert all(name in named for name in ("RESULTS.md", "README.md", f"docs/papers/{SLUG}.md"))
    assert run(tool, root) == 0
    assert run(tool, root, "--check") == 0
    keep(root, "quick", CLAIMS[:1])
    assert run(tool, root, "--check") == 1


def test_text_outside_the_marks_stays(tool, root):
    keep(root, "quick", CLAIMS)
    run(tool, root)
    readme = (root / "README.md").read_text()
    assert readme.startswith("top\n<!-- papers:begin -->\n| paper |")
    assert readme.endswith("<!-- papers:end -->\nend\n")
    assert "stale words" not in (root / "docs" / "papers" / f"{SLUG}.md").read_text()


def test_every_part_has_its_row(tool, root):
    keep(root, "quick", CLAIMS)
    run(tool, root)
    page = (root / "RESULTS.md").read_text()
    for row in (
        "| C1 | Sentence of C1 \\| piped. | 1.235 | 1 to 2 | at least 0.5 | **holds** |",
        "| C2 | Sentence of C2 \\| piped. |  |  |  | **fails** |",
        "|  | n | 1.235 | exact | at least 0.5 | **holds** |",
        "| C3 | Sentence of C3 \\| piped. (not run: too long) |  |  |  | not run |",
        "| C4 | Sentence of C4 \\| piped. | – | – to – | at least 0.5 | **inconclusive** |",
        "Quick scale, 3 to 6 seeds, 1.7 min of computing; torch 2.",
    ):
        assert row in page
    assert "3 claims measured: 1 holds, 1 fails, 1 inconclusive." in page


def test_a_claim_counts_at_the_largest_scale_at_which_it_was_measured(tool, root):
    keep(root, "quick", CLAIMS)
    keep(root, "full", [claim("C2", "holds", [part("", "holds")]), CLAIMS[2]])
    run(tool, root)
    assert "[2 hold, 1 inconclusive](RESULTS.md#temperature" in (root / "README.md").read_text()


def test_a_paper_without_a_study_says_so(tool, root, monkeypatch):
    monkeypatch.setattr(tool, "studied", lambda: [SLUG])
    run(tool, root)
    readme = (root / "README.md").read_text()
    assert readme.count("no study yet") == 27
    assert readme.count("not measured yet") == 1
