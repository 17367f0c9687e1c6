import pytest
from tests.report.chromium import opened

from overparam.report import figures
from overparam.report.study_page import study_html

RESULTS = {
    "schema_version": "1.0",
    "slug": "temperature-scaling-limits",
    "title": "On the limits of temperature scaling <i>",
    "scale": "quick",
    "seeds": [0, 1, 2],
    "versions": {"torch": "2.13.0"},
    "seconds": 93.2,
    "claims": [
        {
            "id": "C1",
            "sentence": "No temperature calibrates an interpolating net.",
            "verdict": "holds",
            "figure": "C1",
            "seconds": 12.1,
            "parts": [
                {
                    "name": "gap",
                    "statistic": {"value": 0.113, "label": "calibration error", "n": 3},
                    "interval": {"low": 0.09, "high": 0.13},
                    "region": "at least 0.05",
                    "verdict": "holds",
                    "exact": False,
                    "note": "",
                },
                {
                    "name": "bound",
                    "statistic": 1.5,
                    "interval": None,
                    "region": "at least 1",
                    "verdict": "holds",
                    "exact": True,
                },
            ],
            "table": [{"seed": 0, "error": 0.1}],
        },
        {"id": "C2", "sentence": "Mixup does.", "verdict": "inconclusive", "error": "x < 3 [b]"},
        {"id": "C3", "sentence": "A smoke run.", "verdict": None},
    ],
}


@pytest.mark.browser
def test_every_claim_and_its_picture_are_shown(tmp_path):
    chart = figures.curve([{"a": 1, "b": 2}, {"a": 2, "b": 3}], "a", "b")
    told, content = opened(study_html(RESULTS, {"C1": chart}), tmp_path)
    assert told["errors"] == []
    assert told["rendered"] == "1"
    for shown in ("0.113", "0.09 to 0.13", "exact", "at least 0.05", "no verdict", "x &lt; 3"):
        assert shown in content
    assert "<i>" not in content[content.index("<main>") : content.index("</main>")]
