"""``overparam cite``: how to cite a paper."""

from __future__ import annotations


def cite(paper: str, /) -> int:
    """Print the reference of a paper and its BibTeX entry.

    Parameters
    ----------
    paper
        Name of the paper; 'overparam reproduce' lists them.
    """
    from overparam.evidence.papers import PAPERS
    from overparam.studies.discovery import known_slug

    found = PAPERS[known_slug(paper)]
    print(found.reference)
    print()
    print(found.bibtex)
    return 0
