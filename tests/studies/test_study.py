import pytest

from overparam.studies.study import Study


def test_the_docstring_is_the_sentence_and_the_order_is_kept():
    study = Study("more-is-better")

    @study.claim("C2", minutes={"quick": 1})
    def second(scale):
        """Wider is
        not worse.

        How it is measured.
        """

    @study.claim("C1")
    def first(scale):
        """Deeper is worse."""

    assert list(study.claims) == ["C2", "C1"]
    assert study.claims["C2"].sentence == "Wider is not worse."
    assert study.claims["C2"].minutes == {"quick": 1}
    assert study.claims["C1"].measure is first
    assert study.paper.arxiv == "2311.14646"


def test_a_wrong_study_is_refused_where_it_is_written():
    with pytest.raises(ValueError, match="paper must be the slug of one of the papers; got 'x'"):
        Study("x")
    study = Study("guidance")
    with pytest.raises(ValueError, match="id must be C and a number, such as C1; got 'claim 1'"):
        study.claim("claim 1")
    with pytest.raises(ValueError, match=r"minutes must be by scale .*; got {'fast'}"):
        study.claim("C1", minutes={"fast": 1})
    with pytest.raises(ValueError, match="C1 must have a docstring"):
        study.claim("C1")(lambda scale: None)

    def once(scale):
        """Once."""

    study.claim("C1")(once)
    with pytest.raises(ValueError, match="id must be new in guidance; got 'C1' twice"):
        study.claim("C1")


def test_claims_cannot_be_changed_from_outside():
    with pytest.raises(TypeError):
        Study("guidance").claims["C1"] = None
