"""The result of an audit in Python."""

import numpy as np
import polars as pl


def test_a_finished_audit_answers_by_name(table_audit):
    assert set(table_audit.findings) >= {"width", "label-noise", "calibration"}
    assert table_audit.findings["width"]["code"] == "OP001"
    assert table_audit.recommendation == table_audit.report["recommendation"]
    assert set(table_audit.treatments) == {t["id"] for t in table_audit.report["treatments"]}


def test_rows_and_model_are_read_from_the_folder(table_audit, table_csv):
    rows = table_audit.rows
    frame = pl.read_csv(table_csv)
    assert len(rows) == len(frame)
    assert set(table_audit.model.predict(frame)) <= set(table_audit.model.classes)


def test_it_shows_itself_in_text_and_in_a_notebook(number_audit):
    text = repr(number_audit)
    assert number_audit.report["verdict_line"][:30] in text.replace("\n", " ")
    assert len(text.splitlines()) <= 25
    page = number_audit._repr_html_()
    assert "<script" not in page
    assert np.char.find(page, "</") > 0
