"""Plain data in; HTML, JSON, terminal text and pictures out."""

from overparam.report import figures
from overparam.report.audit_page import audit_html
from overparam.report.document import SCHEMA_VERSION, problems, validate
from overparam.report.notebook import audit_fragment
from overparam.report.rendering import png, svg
from overparam.report.study_page import study_html
from overparam.report.terminal import audit_summary, claims_table

__all__ = [
    "SCHEMA_VERSION",
    "audit_fragment",
    "audit_html",
    "audit_summary",
    "claims_table",
    "figures",
    "png",
    "problems",
    "study_html",
    "svg",
    "validate",
]
