"""Codes are unique, entries chosen by code or id, and unknown ones named."""

import pytest

from overparam.auditing import registry
from overparam.auditing.registry import FINDINGS, TREATMENTS, chosen, finding
from overparam.evidence.errors import UserError
from overparam.evidence.papers import PAPERS

registry.load_all()


def test_the_first_findings_have_their_codes():
    ids = {code: entry.id for code, entry in FINDINGS.items()}
    assert ids == {
        "OP001": "width",
        "OP002": "weight-decay",
        "OP003": "seed-noise",
        "OP004": "calibration",
        "OP005": "label-noise",
        "OP006": "learning-curve",
        "OP007": "initialization",
        "OP008": "rate-transfer",
        "OP009": "overtraining",
        "OP010": "minority-collapse",
        "OP011": "still-memorising",
        "OP012": "boundary-tilt",
        "OP013": "data-diet",
        "OP014": "averaging",
    }


def test_the_findings_of_a_text_have_their_codes():
    ids = {code: entry.id for code, entry in registry.TEXT_FINDINGS.items()}
    assert ids == {
        "OL001": "over-reading",
        "OL002": "weak-decay",
        "OL003": "below-counting",
        "OL004": "room-above",
        "OL005": "unread-text",
    }


def test_every_entry_says_what_it_is_and_names_a_known_paper():
    entries = [*FINDINGS.values(), *registry.TEXT_FINDINGS.values(), *TREATMENTS.values()]
    assert len({e.id for e in entries}) == len(entries)
    for entry in entries:
        assert entry.page
        assert entry.title
        assert entry.paper is None or entry.paper in PAPERS
        for value, reason in entry.thresholds.values():
            assert value > 0
            assert reason


def test_entries_are_chosen_by_code_or_id_and_left_out_by_either():
    assert [e.code for e in chosen(FINDINGS, only=["width", "OP003"])] == ["OP003", "OP001"]
    left = chosen(FINDINGS, ignore=["OP001", "calibration"])
    assert {e.code for e in left} == set(FINDINGS) - {"OP001", "OP004"}
    assert chosen(TREATMENTS, only=["OP001"]) == []


def test_an_unknown_code_is_named_with_its_neighbour():
    with pytest.raises(UserError, match="ignore must name codes such as OP001 or ids; got 'wdth'"):
        chosen(FINDINGS, ignore=["wdth"])
    with pytest.raises(UserError, match="Did you mean 'width'"):
        chosen(FINDINGS, only=["wdth"])


def test_a_code_is_given_once():
    with pytest.raises(ValueError, match="code OP001 is taken by width; got mine"):
        finding("OP001", "mine", title="Mine")(lambda context: None)


def test_suspected_labels_come_before_treatments_that_spend_the_share():
    first = [entry.code for entry in chosen(TREATMENTS)][:2]
    assert first == ["OT007", "OT009"]
