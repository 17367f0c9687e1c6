"""What a study claims, read from its source: a list of all studies then imports none of them."""

from __future__ import annotations

import ast
from pathlib import Path

from overparam.studies.study import sentence


def claims_of(path: Path) -> dict[str, str]:
    """Sentences of a study's claims by id, in their order.

    Parameters
    ----------
    path : Path
        The study's file. Claims are its functions decorated with ``@study.claim("C1", ...)``.
    """
    found = {}
    for node in ast.parse(path.read_bytes(), filename=str(path)).body:
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if (id := _claim_id(decorator)) is not None:
                    found[id] = sentence(ast.get_docstring(node) or "")
    return found


def _claim_id(decorator: ast.expr) -> str | None:
    """C1 of ``study.claim("C1", ...)``."""
    if not (isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute)):
        return None
    if decorator.func.attr != "claim" or not decorator.args:
        return None
    id = decorator.args[0]
    return id.value if isinstance(id, ast.Constant) and isinstance(id.value, str) else None
