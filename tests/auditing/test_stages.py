"""The stages: a part that fails or does not fit is said, and the rest goes on."""

from dataclasses import replace

import numpy as np
from tests.auditing.known_data import blobs

from overparam.auditing import registry
from overparam.auditing.stages import Run
from overparam.report.document import validate

FEW = {"width": 8, "epochs": 3}


def finished(context, tmp_path):
    registry.load_all()
    run = Run(context, tmp_path)
    return run, run.run()


def test_a_finding_that_raises_is_reported_and_the_others_go_on(
    make_context, tmp_path, monkeypatch
):
    registry.load_all()
    entry = registry.FINDINGS["OP002"]

    def broken(context):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setitem(registry.FINDINGS, "OP002", replace(entry, function=broken))
    _, result = finished(make_context(*blobs(120, 4, distance=2.0), net=FEW), tmp_path)
    assert result.failed == ["weight-decay: ZeroDivisionError: division by zero"]
    assert result.findings["weight-decay"]["outcome"] == "not_run"
    assert result.findings["seed-noise"]["outcome"] in ("issue", "tip", "fine")
    validate(result.report)


def test_a_budget_that_is_spent_leaves_parts_out_and_still_recommends(make_context, tmp_path):
    context = make_context(*blobs(120, 4, distance=2.0), net=FEW)
    context.ledger.total = 1e-3
    _, result = finished(context, tmp_path)
    outcomes = {f["id"]: f["outcome"] for f in result.report["findings"]}
    assert outcomes.pop("initialization") != "not_run"  # it trains nothing
    # What shapes rule out is told before any second is spent.
    ruled_out = {name for name, outcome in outcomes.items() if outcome == "not_applicable"}
    assert ruled_out <= {"rate-transfer", "data-diet"}
    assert {outcomes[name] for name in outcomes.keys() - ruled_out} == {"not_run"}
    assert all("budget" in entry["reason"] for entry in result.report["not_run"])
    assert result.recommendation["name"] in context.baselines
    assert result.failed == []
    validate(result.report)


def test_the_afterword_of_calibration_compares_the_mixup_twin(make_context, tmp_path):
    _, result = finished(make_context(*blobs(150, 4, distance=2.0), net=FEW), tmp_path)
    details = " ".join(result.findings["calibration"]["details"])
    assert "Mixup-trained twin" in details


def test_the_document_is_plain_json_whatever_the_figures(make_context, tmp_path):
    context = make_context(*blobs(120, 4, distance=2.0), net=FEW)
    _, result = finished(context, tmp_path)
    assert all(not isinstance(v, np.generic) for v in result.recommendation.values())
    assert (tmp_path / "report.json").exists()
    assert not list(tmp_path.glob(".*partial"))
