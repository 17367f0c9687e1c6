"""What every study's tests ask of real runs: evidence at smoke scale, a hint for missing data."""

from overparam.evidence import cells
from overparam.evidence.scale import QUICK, SMOKE
from overparam.studies.reproducing import reproduce


def check_smoke(study, folder, ids):
    """All claims of a study are measured, with table and figure and without a verdict."""
    with cells.settings(store=folder / "cells", backend="sequential", progress=False):
        results = reproduce(study, SMOKE, out=folder)
    assert [entry["id"] for entry in results["claims"]] == ids
    for entry in results["claims"]:
        assert entry["status"] == "measured", entry["error"]
        assert entry["verdict"] is None
        assert entry["table"]
        assert entry["figure"]
    assert (folder / "smoke.html").stat().st_size > 10_000


def check_missing_fashion_mnist(study, folder, claim):
    """A claim without its data is inconclusive and says how to install them."""
    with cells.settings(store=folder, backend="sequential", progress=False):
        results = reproduce(study, QUICK, claims=[claim])
    (entry,) = results["claims"]
    assert entry["verdict"] == "inconclusive"
    assert "apt-get install dataset-fashion-mnist" in entry["error"]
