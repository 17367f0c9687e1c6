"""The result of an audit, as Python sees it."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from overparam.report.notebook import audit_fragment
from overparam.report.terminal import audit_summary

if TYPE_CHECKING:
    from overparam.auditing.recipes import ModuleFactory
    from overparam.auditing.saved_model import SavedModel
    from overparam.auditing.text_model import SavedLanguageModel


class Audit:
    """A finished audit: its report, its rows and its model.

    Attributes
    ----------
    report : dict
        What report.json holds; see docs/report-json.md.
    folder : Path
        Where report.html, report.json, rows.csv and model/ lie.
    figures : dict
        Vega-Lite specifications by id.
    failed : list of str
        Parts that ended in an exception, a sentence each; empty if all went well.
    """

    def __init__(
        self,
        report: Mapping[str, Any],
        folder: Path,
        figures: Mapping[str, dict[str, Any]],
        failed: list[str],
        own: ModuleFactory | None = None,
    ) -> None:
        self.report = dict(report)
        self.folder = folder
        self.figures = dict(figures)
        self.failed = failed
        self._own = own

    @property
    def recommendation(self) -> dict[str, Any]:
        """The recommended model, how it did on the test rows, and against what."""
        return self.report["recommendation"]

    @property
    def findings(self) -> dict[str, dict[str, Any]]:
        """Findings by id."""
        return {entry["id"]: entry for entry in self.report["findings"]}

    @property
    def treatments(self) -> dict[str, dict[str, Any]]:
        """Treatments by id."""
        return {entry["id"]: entry for entry in self.report["treatments"]}

    @property
    def rows(self) -> pl.DataFrame:
        """rows.csv: split, label, prediction and label quality of every row."""
        text = {"label": pl.String, "predicted": pl.String}
        return pl.read_csv(self.folder / "rows.csv", schema_overrides=text)

    @property
    def model(self) -> SavedModel | SavedLanguageModel:
        """The recommended model, ready to predict."""
        from overparam.auditing.saved_model import load_model  # with torch and scikit-learn

        return load_model(self.folder / "model", self._own)

    def open(self) -> None:
        """Show the report in the browser."""
        webbrowser.open((self.folder / "report.html").resolve().as_uri())

    def __repr__(self) -> str:
        return str(audit_summary(self.report))

    def _repr_html_(self) -> str:
        return audit_fragment(self.report, self.figures)
