import re
from html.parser import HTMLParser

import pytest
from tests.report.chromium import opened
from tests.report.sample_audit import INJECTION, classification, regression

from overparam.report import page
from overparam.report.audit_page import audit_html, strip


class Elements(HTMLParser):
    """Every element that stands in the page, with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.fixture(scope="module")
def sample():
    document, figures = classification()
    return document, figures, audit_html(document, figures)


@pytest.mark.browser
def test_every_figure_is_drawn_in_a_browser_without_an_error(sample, tmp_path):
    _, figures, text = sample
    told, content = opened(text, tmp_path)
    assert told["errors"] == []
    assert int(told["rendered"]) == int(told["figures"]) == len(figures)
    assert content.count('class="marks"') >= 2 * len(figures)  # the still and the live picture
    assert 'hacked="' not in content


@pytest.mark.browser
@pytest.mark.parametrize("width", [500, 1280])  # headless Chromium opens no narrower window
def test_the_page_does_not_scroll_sideways(sample, tmp_path, width):
    measure = """<script>addEventListener("load", () => setTimeout(() => {
        const root = document.documentElement;
        root.dataset.wide = root.scrollWidth; root.dataset.window = innerWidth;
    }, 1500))</script>"""
    before, end, after = sample[2].rpartition("</body>")
    text = before + measure + end + after
    told, _ = opened(text, tmp_path, f"--window-size={width},900")
    assert told["errors"] == []
    assert int(told["wide"]) <= int(told["window"])


@pytest.mark.browser
def test_a_broken_chart_is_told_and_the_others_are_drawn(sample, tmp_path):
    document, figures, _ = sample
    broken = {**figures, "decay": {**figures["decay"], "layer": "nonsense"}}
    told, _ = opened(audit_html(document, broken), tmp_path)
    assert int(told["rendered"]) == len(figures) - 1
    assert any(message.startswith("decay") for message in told["errors"])


@pytest.mark.browser
def test_pages_without_figures_open_too(tmp_path):
    told, content = opened(audit_html(*regression()), tmp_path)
    assert told["errors"] == []
    assert "0.453" in content


def test_the_page_is_small_and_loads_nothing(sample):
    _, _, text = sample
    assert len(text.encode()) < 3_000_000
    for tag, attributes in Elements(text).found:
        for name in ("src", "href", "action", "poster", "srcset", "xlink:href"):
            address = attributes.get(name) or ""
            link = tag == "a" and address.startswith("https://arxiv.org/abs/")
            assert link or not re.match(r"\s*(https?:)?//", address), (tag, address)
    assert "default-src 'none'" in text
    assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", text)


def test_the_script_knows_no_address_but_names_of_xml():
    addresses = set(re.findall(r"https?://[\w./-]+", page.rendering.script()))
    assert all(address.startswith("http://www.w3.org/") for address in addresses)


def test_names_cannot_become_markup(sample):
    _, _, text = sample
    assert INJECTION not in text
    assert "<script>window" not in text
    assert "<b>bold" not in text
    assert not any(tag == "img" for tag, _ in Elements(text).found)


def test_the_verdict_is_first_and_what_was_not_looked_at_is_named(sample):
    document, _, text = sample
    body = text[text.index("<main>") :]
    places = [body.index(f'id="{name}"') for name in ("verdict", "glance", "findings", "not-run")]
    assert places == sorted(places)
    assert body.index("2.1 points better") < body.index("92.4 %</p>")
    for item in document["not_run"]:
        assert item["reason"] in body
    assert "not applicable" in body[: body.index('id="findings"')]


def test_figures_on_the_page_are_those_of_the_document(sample):
    _, _, text = sample
    for shown in ("92.4 %", "91.8 to 93.0 %", "90.3 %", "+2.1 points", "38,892", "3.1 %"):
        assert shown in text


def test_a_chart_too_large_for_the_page_stays_a_picture(sample, monkeypatch):
    document, figures, text = sample
    monkeypatch.setattr(page, "MOST_BYTES", len(text.encode()) - 100)
    smaller = audit_html(document, figures)
    assert len(smaller.encode()) < len(text.encode())
    assert smaller.count('class="still"><svg') == len(figures)


def test_bars_of_the_recommendation_stand_where_its_figures_are():
    recommended, baseline = strip(
        {
            "test": 0.9,
            "interval": [0.85, 0.95],
            "best_baseline": "b",
            "best_baseline_test": 0.85,
        }
    )
    assert baseline["at"] == recommended["from"] < recommended["at"] < recommended["to"] < 100
    assert recommended["at"] == pytest.approx(50)
    assert strip({"test": 0.9, "best_baseline": None, "best_baseline_test": None}) == []
