import re

from tests.report.sample_audit import INJECTION, classification, regression

from overparam.report.notebook import audit_fragment


def test_the_fragment_has_pictures_but_no_script_and_styles_only_itself():
    text = audit_fragment(*classification())
    assert "<script" not in text
    assert INJECTION not in text
    assert text.count("<svg") == 6
    assert "92.4 %" in text
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    selectors = re.findall(r"(?:^|\})\s*([^{}@]+)\{", style)
    assert selectors
    for selector in selectors:
        assert all(part.strip().startswith(".overparam-audit") for part in selector.split(","))


def test_a_document_with_required_keys_only_is_enough():
    assert "ridge regression is recommended" in audit_fragment(*regression())
