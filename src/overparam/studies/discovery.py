"""Which papers have a study, and where."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from pathlib import Path

from overparam.evidence.errors import UserError
from overparam.evidence.papers import PAPERS
from overparam.studies.claim_list import claims_of
from overparam.studies.study import Study


def studied() -> list[str]:
    """Return the slugs of the papers that have a study, without importing any."""
    found = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    return [slug for slug in PAPERS if _module(slug) in found]


def claims(slug: str) -> dict[str, str]:
    """Return the sentences of a paper's claims by id, without importing its study."""
    return claims_of(Path(__file__).with_name(f"{_module(slug)}.py"))


def load_study(slug: str) -> Study:
    """Return the study of a paper.

    Parameters
    ----------
    slug : str
        The paper's name; underscores are accepted.

    Raises
    ------
    UserError
        If there is no such paper (the nearest names are shown), or no study of it.
    """
    slug = known_slug(slug)
    if slug not in studied():
        raise UserError(
            f"PAPER must have a study; {slug} has none yet. 'overparam reproduce' lists all."
        )
    return importlib.import_module(f"overparam.studies.{_module(slug)}").study


def known_slug(slug: str) -> str:
    """Return the slug as the table of papers spells it, or raise `UserError`."""
    wanted = slug.strip().lower().replace("_", "-")
    if wanted in PAPERS:
        return wanted
    near = difflib.get_close_matches(wanted, PAPERS, n=3, cutoff=0.5)
    near += [each for each in PAPERS if wanted in each and each not in near]
    hint = f"Did you mean {' or '.join(near[:3])}?" if near else "'overparam reproduce' lists them."
    raise UserError(f"PAPER must be one of the {len(PAPERS)} papers; got {slug!r}. {hint}")


def _module(slug: str) -> str:
    return slug.replace("-", "_")
