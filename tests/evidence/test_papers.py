import re
from datetime import date

import pytest

from overparam.evidence.papers import PAPERS


def test_there_are_28_papers_each_once():
    assert len(PAPERS) == 28
    assert len({paper.arxiv for paper in PAPERS.values()}) == 28
    assert all(slug == paper.slug for slug, paper in PAPERS.items())


@pytest.mark.parametrize("paper", PAPERS.values(), ids=list(PAPERS))
def test_the_arxiv_number_carries_the_month_of_the_date(paper):
    day = date.fromisoformat(paper.date)
    assert re.fullmatch(r"\d{4}\.\d{4,5}", paper.arxiv)
    assert paper.arxiv[:4] == f"{day:%y%m}"
    assert 1 <= paper.authors <= 7


def test_a_reference_is_one_line_with_title_number_and_date():
    reference = PAPERS["temperature-scaling-limits"].reference
    assert reference == (
        "On the Limitations of Temperature Scaling for Distributions with Overlaps. "
        "arXiv:2306.00740, 1 June 2023."
    )
    assert "Memorization? A Short" in PAPERS["long-tail-memorization"].reference


def test_bibtex_braces_balance_and_the_key_is_the_slug():
    for paper in PAPERS.values():
        assert paper.bibtex.startswith(f"@misc{{{paper.slug},\n")
        assert paper.bibtex.count("{") == paper.bibtex.count("}")
        assert f"eprint = {{{paper.arxiv}}}" in paper.bibtex


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        PAPERS["new"] = PAPERS["guidance"]  # type: ignore[index]
