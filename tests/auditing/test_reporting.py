"""A report is written again when its content or its pictures change, and only then."""

import pytest
from tests.report.sample_audit import classification

from overparam.auditing.reporting import write_report


def test_the_page_follows_the_document_and_its_pictures(tmp_path):
    document, figures = classification()
    write_report(tmp_path, document, figures)
    page = tmp_path / "report.html"
    first = page.stat().st_mtime_ns
    write_report(tmp_path, document, figures)
    assert page.stat().st_mtime_ns == first
    name = next(iter(figures))
    changed = {**figures, name: {**figures[name], "description": "another picture"}}
    write_report(tmp_path, document, changed)
    assert "another picture" in page.read_text()


def test_a_report_that_breaks_its_contract_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"report\.json breaks its contract"):
        write_report(tmp_path, {}, {})
    assert not (tmp_path / "report.html").exists()
