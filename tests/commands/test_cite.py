from overparam.evidence.papers import PAPERS


def test_cite_prints_reference_and_bibtex(overparam):
    code, out, err = overparam("cite", "more_is_better")
    paper = PAPERS["more-is-better"]
    assert (code, err) == (0, "")
    assert out == f"{paper.reference}\n\n{paper.bibtex}\n"


def test_an_unknown_paper_is_one_line_with_the_nearest_names(overparam):
    code, out, err = overparam("cite", "more-is-beter")
    assert (code, out) == (2, "")
    assert err == (
        "overparam: PAPER must be one of the 28 papers; got 'more-is-beter'. "
        "Did you mean more-is-better?\n"
    )
