import subprocess
import sys
from types import SimpleNamespace

import pytest

from overparam.evidence.errors import UserError
from overparam.evidence.papers import PAPERS
from overparam.studies import discovery
from overparam.studies.study import Study


@pytest.fixture
def two_modules(monkeypatch):
    names = ["more_is_better", "study", "discovery"]
    found = [SimpleNamespace(name=name) for name in names]
    monkeypatch.setattr(discovery.pkgutil, "iter_modules", lambda path: found)


def test_only_modules_named_after_a_paper_are_studies(two_modules):
    assert discovery.studied() == ["more-is-better"]


def test_every_study_can_be_loaded_and_bears_its_modules_name():
    for slug in discovery.studied():
        study = discovery.load_study(slug)
        assert isinstance(study, Study)
        assert study.slug == slug
        assert study.claims
        # What the list says without importing the study is what the study says.
        assert discovery.claims(slug) == {c.id: c.sentence for c in study.claims.values()}
        assert list(discovery.claims(slug)) == list(study.claims)


def test_a_paper_without_a_study_says_so(two_modules):
    with pytest.raises(UserError, match="PAPER must have a study; guidance has none yet"):
        discovery.load_study("guidance")


@pytest.mark.parametrize("given", ["more-is-better", "more_is_better", " More-Is-Better "])
def test_spellings_of_a_slug(given):
    assert discovery.known_slug(given) == "more-is-better"


@pytest.mark.parametrize(
    ("given", "nearest"), [("more-is-beter", "more-is-better"), ("kan", "kan-assessment")]
)
def test_an_unknown_paper_gets_the_nearest_names(given, nearest):
    with pytest.raises(UserError, match=f"got '{given}'. Did you mean .*{nearest}"):
        discovery.known_slug(given)
    with pytest.raises(UserError, match="'overparam reproduce' lists them"):
        discovery.known_slug("qqqqqq")


def test_looking_which_papers_are_studied_imports_no_study():
    script = (
        "import sys; from overparam.studies.discovery import studied; studied(); "
        "print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout == "False\n"
    assert len(PAPERS) == 28
