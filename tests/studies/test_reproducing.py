import json
from pathlib import Path

import pytest
from tests.studies import tiny_study

from overparam.evidence import cells
from overparam.evidence.errors import UserError
from overparam.evidence.intervals import t_statistic
from overparam.evidence.regions import at_most
from overparam.evidence.scale import FULL, LONG, QUICK, SMOKE
from overparam.evidence.verdict import Evidence
from overparam.studies.reproducing import estimate, plan, reproduce


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_LOG", str(tmp_path / "log"))
    with cells.settings(store=tmp_path / "cells", backend="sequential", progress=False):
        yield


def verdicts(results):
    return {entry["id"]: entry["verdict"] for entry in results["claims"]}


def test_an_effect_holds_and_its_reverse_fails(monkeypatch):
    assert verdicts(reproduce(tiny_study.study, QUICK)) == {
        "C1": "holds",
        "C2": "inconclusive",
        "C3": "holds",
    }
    monkeypatch.setattr(tiny_study, "SIGN", -1.0)
    assert verdicts(reproduce(tiny_study.study, QUICK, claims=["C1"])) == {"C1": "fails"}


def test_smoke_runs_everything_and_gives_no_verdict():
    results = reproduce(tiny_study.study, SMOKE)
    assert verdicts(results) == {"C1": None, "C2": None, "C3": None}
    assert [p["verdict"] for entry in results["claims"] for p in entry["parts"]] == [None] * 4
    assert all(entry["status"] == "measured" for entry in results["claims"])


def test_an_entry_carries_what_the_page_and_the_tables_need():
    results = reproduce(tiny_study.study, QUICK)
    assert (results["slug"], results["title"], results["scale"]) == (
        "tiny-means",
        "Means Move",
        "quick",
    )
    assert results["seeds"] == [0, 1, 2]
    assert {"overparam", "torch", "numpy", "scipy", "scikit-learn"} == results["versions"].keys()
    first, second, _ = results["claims"]
    assert first["sentence"] == (
        "The sample mean rises by at least 0.5 when the distribution moves by 1."
    )
    assert first["figure"] == "C1"
    assert len(first["table"]) == 6
    (part,) = first["parts"]
    assert part["interval"][0] < part["statistic"] < part["interval"][1]
    assert (part["region"], part["verdict"], part["exact"]) == ("at least 0.5", "holds", False)
    assert [(p["name"], p["verdict"]) for p in second["parts"]] == [
        ("spread", "inconclusive"),
        ("three", "holds"),
    ]
    assert second["table"][-1] == {"part": "three", "n": 3}


def test_a_failing_cell_makes_its_claim_inconclusive_and_others_go_on(monkeypatch, tmp_path):
    monkeypatch.setenv("TINY_BREAK", "cell1")
    results = reproduce(tiny_study.study, QUICK, claims=["C1"], out=tmp_path / "out")
    (entry,) = results["claims"]
    assert (entry["verdict"], entry["status"]) == ("inconclusive", "failed")
    assert "sample_means(" in entry["error"]
    assert "shift=1.0" in entry["error"]
    assert entry["error"].endswith("ValueError: the sample is broken")
    assert "in sample_means" in (tmp_path / "out" / "quick.errors.txt").read_text()
    monkeypatch.setattr(tiny_study, "BREAK", "claim")
    monkeypatch.delenv("TINY_BREAK")
    entries = reproduce(tiny_study.study, QUICK)["claims"]
    assert [e["status"] for e in entries] == ["measured", "measured", "failed"]
    assert entries[2]["error"] == "KeyError: 'no such column'"


def test_results_are_written_claim_by_claim(tmp_path):
    seen = []

    def after(entry):
        written = json.loads((tmp_path / "quick.json").read_text())
        seen.append([e["id"] for e in written["claims"]])

    reproduce(tiny_study.study, QUICK, out=tmp_path, after=after)
    assert seen == [["C1"], ["C1", "C2"], ["C1", "C2", "C3"]]


def test_an_interrupt_keeps_the_claims_that_are_done(tmp_path):
    def stop(entry):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce(tiny_study.study, QUICK, out=tmp_path, after=stop)
    assert [e["id"] for e in json.loads((tmp_path / "quick.json").read_text())["claims"]] == ["C1"]
    assert (tmp_path / "quick.html").exists()


def test_one_claim_leaves_the_others_as_they_were(tmp_path, monkeypatch):
    reproduce(tiny_study.study, QUICK, out=tmp_path)
    monkeypatch.setattr(tiny_study, "SIGN", -1.0)
    results = reproduce(tiny_study.study, QUICK, claims=["c1"], out=tmp_path)
    assert verdicts(results) == {"C1": "fails", "C2": "inconclusive", "C3": "holds"}
    assert json.loads((tmp_path / "quick.figures.json").read_text()).keys() == {"C1"}
    assert verdicts(reproduce(tiny_study.study, SMOKE, claims=["C1"], out=tmp_path)) == {"C1": None}


def test_a_second_run_computes_nothing_and_tells_the_first_ones_seconds(tmp_path):
    first = reproduce(tiny_study.study, QUICK)
    log = Path(tmp_path / "log").read_text()
    second = reproduce(tiny_study.study, QUICK)
    assert Path(tmp_path / "log").read_text() == log
    assert first == second


def test_full_scale_leaves_out_what_takes_too_long(tmp_path):
    results = reproduce(tiny_study.study, FULL, out=tmp_path)
    entry = results["claims"][2]
    assert (entry["verdict"], entry["status"]) == (None, "not_run")
    assert entry["error"] == ("not run: takes 11 minutes, more than 10; --scale long does")
    assert plan(tiny_study.study, LONG)[2].not_run is None


def test_the_papers_budget_is_spent_in_order(monkeypatch):
    monkeypatch.setattr("overparam.studies.reproducing.MINUTES_A_PAPER", 0.1)
    reasons = [each.not_run for each in plan(tiny_study.study, FULL)]
    assert reasons[0] == "not run: the paper's 0.1 minutes are spent; --scale long does"


def test_the_estimate_is_one_line():
    assert estimate(plan(tiny_study.study, QUICK), QUICK) == (
        "3 claims at quick scale: about 0.1 minutes on two cores and 2 without an estimate"
    )
    assert estimate(plan(tiny_study.study, SMOKE, ["C1"]), SMOKE) == (
        "1 claim at smoke scale: seconds, without verdicts"
    )


def test_an_unknown_claim_is_named():
    with pytest.raises(UserError, match="--claim must be one of C1, C2, C3; got 'C9'"):
        plan(tiny_study.study, QUICK, ["C9"])


def test_an_interval_over_too_few_seeds_is_no_evidence(monkeypatch):
    study = tiny_study.Study("guidance")

    @study.claim("C1")
    def thin(scale):
        """Two seeds are enough."""
        table, _ = tiny_study.rises(scale)
        return Evidence(table, t_statistic([0.1, 0.2], "rise"), at_most(1.0))

    (entry,) = reproduce(study, QUICK)["claims"]
    assert entry["error"] == (
        "ValueError: C1 must rest on at least 3 values at quick scale; got 2."
    )
