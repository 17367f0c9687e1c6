import io

import pytest
from rich.console import Console
from tests.report.sample_audit import classification, regression
from tests.report.test_study_page import RESULTS

from overparam.report.terminal import audit_summary, claims_table


def printed(what, **options):
    stream = io.StringIO()
    Console(file=stream, width=100, **options).print(what)
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 80, 140])
def test_a_summary_has_at_most_25_lines_of_the_given_width(width):
    document, _ = classification()
    document["findings"] = document["findings"] * 6
    text = audit_summary(document, folder="./overparam-x", width=width).plain
    lines = text.splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= width
    assert "more in the report" in text
    assert lines[-1] == "./overparam-x/report.html"


def test_a_summary_says_the_verdict_first_and_what_was_left_out():
    document, _ = classification()
    text = audit_summary(document, width=100).plain
    assert text.startswith("Use the ensemble of 8")
    for shown in ("92.4 % (91.8 to 93.0 %)", "gradient boosting: 90.3 %", "+2.1 points", "not run"):
        assert shown in text
    assert "left out" in text


def test_required_keys_are_enough():
    text = audit_summary(regression()[0], width=80).plain
    assert "R² 0.453 (0.310 to 0.560)" in text


def test_control_characters_of_names_do_not_reach_the_terminal():
    document, _ = classification()
    document["findings"][0]["headline"] = "red \x1b[31m and\nnext"
    text = audit_summary(document, width=100).plain
    assert "\x1b" not in text
    assert "red  [31m and next" in text


def test_styles_are_dropped_without_a_terminal_and_colours_by_no_color(monkeypatch):
    document, _ = classification()
    assert "\x1b" not in printed(audit_summary(document))
    assert "\x1b[1;31m" in printed(audit_summary(document), force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31m" not in printed(audit_summary(document), force_terminal=True)


def test_the_table_has_every_claim_and_part():
    text = printed(claims_table(RESULTS))
    for shown in ("C1", "gap", "0.113", "0.09 to 0.13", "at least 0.05", "exact", "no verdict"):
        assert shown in text
    assert "failed: x < 3 [b]" in text
