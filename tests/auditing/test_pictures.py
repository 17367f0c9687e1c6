"""Pictures of the tables."""

from overparam.auditing.metric import METRICS
from overparam.auditing.pictures import table_pictures
from overparam.report.rendering import svg

BASELINE = {"title": "majority class", "validation": 0.5, "interval": [0.4, 0.6]}


def treatment(title, difference, verdict):
    interval = [difference - 0.01, difference + 0.01]
    return {"title": title, "difference": difference, "interval": interval, "verdict": verdict}


def test_treatments_are_drawn_best_first_with_their_verdict():
    entries = [treatment("Mixup", -0.05, "hurts"), treatment("ensemble", 0.04, "helps")]
    pictures = table_pictures(METRICS["accuracy"], {"baselines": [], "treatments": entries})
    assert list(pictures) == ["treatments"]
    figure, words = pictures["treatments"]
    drawn = svg(figure)
    assert drawn.index("ensemble") < drawn.index("Mixup")
    assert "hurts" in drawn
    assert "corrected for their number" in words["caption"]


def test_baselines_are_drawn_with_their_metric():
    pictures = table_pictures(METRICS["r2"], {"baselines": [BASELINE], "treatments": []})
    drawn = svg(pictures["baselines"][0])
    assert "majority class" in drawn
    assert "R² on validation rows" in drawn


def test_empty_tables_have_no_picture():
    assert table_pictures(METRICS["r2"], {"baselines": [], "treatments": []}) == {}
