"""The audit as a fragment for notebooks: compact, without scripts, styled only inside itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from overparam.report import theme
from overparam.report.audit_page import view
from overparam.report.page import environment, picture, template_file

_SCOPE = ".overparam-audit"


def audit_fragment(document: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Verdict, test figure and findings as HTML for `_repr_html_`.

    Pictures are SVG; there is no script and nothing is loaded. Every style rule starts with the
    fragment's own class, so that the notebook around it keeps its looks.

    Parameters
    ----------
    document, figures
        As for `audit_page.audit_html`.
    """
    named = {finding.get("figure") for finding in document.get("findings", ())} | {"treatments"}
    pictures = {name: picture(name, spec) for name, spec in figures.items() if name in named}
    style = theme.css_variables(_SCOPE) + template_file("fragment.css")
    context = {**view(document, figures), "figures": pictures, "style": Markup(style)}
    return environment().get_template("fragment.html.j2").render(context)
