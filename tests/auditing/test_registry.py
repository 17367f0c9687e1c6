"""What registers is found by code or id; unknown names are refused with the nearest."""

import pytest

from overparam.auditing import registry
from overparam.evidence.errors import UserError
from overparam.evidence.papers import PAPERS


@pytest.fixture(autouse=True)
def _loaded():
    registry.load_all()


def test_the_first_findings_keep_their_codes():
    codes = {code: entry.id for code, entry in registry.FINDINGS.items()}
    assert codes == {
        "OP001": "width",
        "OP002": "weight-decay",
        "OP003": "seed-noise",
        "OP004": "calibration",
        "OP005": "label-noise",
        "OP006": "learning-curve",
    }


def test_ids_are_unique_and_papers_are_known():
    entries = [*registry.FINDINGS.values(), *registry.TREATMENTS.values()]
    assert len({e.id for e in entries}) == len(entries)
    assert {e.paper for e in entries if e.paper} <= set(PAPERS)


def test_only_and_ignore_take_codes_and_ids():
    def codes(**filters):
        return {e.code for e in registry.chosen(registry.FINDINGS, **filters)}

    assert codes(only=["OP001", "label-noise"]) == {"OP001", "OP005"}
    assert codes(ignore=["width"]) == set(registry.FINDINGS) - {"OP001"}
    assert codes(only=["mixup"]) == set()


def test_what_tells_most_for_its_time_runs_first():
    order = [e.code for e in registry.chosen(registry.FINDINGS)]
    assert order[0] == "OP003"
    assert order[-1] == "OP001"


@pytest.mark.parametrize("argument", ["only", "ignore"])
def test_an_unknown_name_is_refused_with_the_nearest(argument):
    with pytest.raises(UserError, match=f"{argument} must name codes .* got 'widht'. Did you mean"):
        registry.chosen(registry.FINDINGS, **{argument: ["widht"]})


def test_a_code_is_given_once():
    with pytest.raises(ValueError, match="code OP001 is taken by width; got another"):

        @registry.finding("OP001", "another", title="Another?")
        def another(context):
            """Another."""
