from pathlib import Path

import numpy as np
import pytest
from tests.report.sample_audit import classification, regression

from overparam.report import document

DOCS = Path(__file__).parents[2] / "docs" / "report-json.md"


@pytest.mark.parametrize("sample", [classification, regression])
def test_the_samples_keep_the_contract(sample):
    document.validate(sample()[0])


def broken(change):
    made, _ = classification()
    change(made)
    return document.problems(made)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.pop("seed"), "the document must have 'seed'"),
        (
            lambda d: d["findings"][2].update(outcome="bad"),
            'findings[2].outcome must be one of "issue", "tip", "fine", "not_applicable", '
            "\"not_run\"; got 'bad'.",
        ),
        (
            lambda d: d["treatments"][0].update(difference="big"),
            "treatments[0].difference must be number or null; got 'big'.",
        ),
        (lambda d: d["recommendation"].update(interval=[0.9]), "recommendation.interval must"),
        (
            lambda d: d["recommendation"].update(interval=[0.9, 0.8]),
            "recommendation.interval must have its low end first; got [0.9, 0.8].",
        ),
        (
            lambda d: d["recommendation"].update(test=float("nan")),
            "recommendation.test must be a finite number or null; got nan.",
        ),
        (
            lambda d: d["findings"][0].update(figure="lost"),
            "findings[0].figure must be a key of figures; got 'lost'.",
        ),
        (
            lambda d: d["findings"].append(d["findings"][0]),
            "findings must have distinct ids; got 'width' 2 times.",
        ),
        (lambda d: d.update(schema_version="2.0"), "schema_version must satisfy pattern"),
        (lambda d: d.update(seed=np.int64(0)), "the document must hold JSON values only"),
    ],
)
def test_a_problem_is_named_with_its_place(change, told):
    found = broken(change)
    assert len(found) == 1
    assert told in found[0]


def test_validate_raises_with_every_problem():
    made, _ = regression()
    del made["seed"], made["versions"]
    with pytest.raises(ValueError, match=r"breaks its contract: the document must have.*versions"):
        document.validate(made)


def test_tuples_are_arrays():
    made, _ = regression()
    made["recommendation"]["interval"] = (0.3, 0.5)
    assert document.problems(made) == []


def test_the_version_is_one_that_the_schema_accepts():
    made, _ = regression()
    made["schema_version"] = document.SCHEMA_VERSION
    assert document.problems(made) == []


def test_the_documentation_has_every_key_of_the_schema():
    assert document.markdown() in DOCS.read_text("utf-8")
