"""The audit of a text, from the file to a model that writes."""

import json

import numpy as np
import polars as pl
import pytest

import overparam
from overparam.auditing.text_plan import CONTEXT
from overparam.cli import run
from overparam.evidence.errors import UserError
from overparam.report.document import validate


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """Sentences of few words: short, so that nets of this text take a second."""
    rng = np.random.default_rng(0)
    words = ["the", "cat", "dog", "sees", "hears", "a", "small", "old", "bird", "and"]
    text = "".join(f"{' '.join(rng.choice(words, 6))}.\n" for _ in range(96))
    path = tmp_path_factory.mktemp("book") / "book.txt"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def result(book):
    """One audit that the tests below read."""
    out = book.parent / "out"
    return overparam.audit(
        book, task="language", budget=1e5, out=out, jobs=1, backend="sequential", progress=False
    )


@pytest.mark.slow
def test_it_answers_every_question(result):
    validate(result.report)
    assert set(result.findings) == {"over-reading", "weak-decay", "below-counting", "room-above"}
    assert all(f["outcome"] in ("issue", "tip", "fine") for f in result.findings.values())
    assert list(result.treatments) == ["tuned-weight-decay", "ensemble", "student"]
    names = [b["name"] for b in result.report["baselines"]]
    assert names == ["counts-1", "counts-2", "counts-3", "counts-5", "usual-recipe"]
    split = result.report["data"]["split"]
    assert split["validation"] == pytest.approx(split["test"], abs=CONTEXT)
    assert "members" in result.figures
    single = {t["id"]: t["difference"] for t in result.report["treatments"]}
    assert single["ensemble"] >= single["tuned-weight-decay"]  # by convexity


@pytest.mark.slow
def test_the_model_scores_and_writes(result, book):
    model = result.model
    assert model.task == "language"
    text = book.read_text()
    measured = result.recommendation["test"]
    assert -model.score(text) < np.log(len(model.alphabet))
    assert -model.score(text) == pytest.approx(measured, abs=0.5)
    table = model.predictions(book)
    assert table.columns == ["window", "text", "nats"]
    assert "".join(table["text"]) == text[: len(text) // CONTEXT * CONTEXT]
    assert table["nats"].mean() == pytest.approx(-model.score(text))
    written = model.sample(2, 40, seed=3)
    assert [len(t) for t in written] == [40, 40]
    assert written == model.sample(2, 40, seed=3)
    with pytest.raises(UserError, match="length must be at most 64 tokens"):
        model.sample(1, 65)
    with pytest.raises(UserError, match="data must have more than 64 tokens"):
        model.score("too short")


@pytest.mark.slow
def test_a_second_run_finds_everything_and_says_the_same(result, book):
    before = (result.folder / "report.json").read_text()
    again = overparam.audit(
        book, task="language", budget=1e5, out=result.folder, jobs=1, backend="sequential",
        progress=False,
    )  # fmt: skip
    assert json.loads(before) == again.report
    with pytest.raises(UserError, match="out must not hold an audit of budget 100000"):
        overparam.audit(book, task="language", budget=50, out=result.folder, progress=False)


@pytest.mark.slow
def test_predict_writes_the_surprise_of_every_window(result, book, tmp_path):
    out = tmp_path / "p.csv"
    assert run(["predict", str(result.folder / "model"), str(book), "--out", str(out)]) == 0
    assert pl.read_csv(out)["nats"].len() == len(book.read_text()) // CONTEXT


def test_what_a_text_does_not_have_is_refused(book, capsys):
    with pytest.raises(UserError, match=r"target makes no sense for a text .* got 'price'"):
        overparam.audit(book, "price", task="language")
    with pytest.raises(UserError, match="X must be the path of a text"):
        overparam.audit(np.zeros((3, 3)), task="language")
    with pytest.raises(UserError, match="vocabulary needs task='language'"):
        overparam.audit(np.zeros((60, 3)), np.arange(60) % 2, vocabulary=300)
    assert run(["audit", "no-such.txt", "--task", "language"]) == 2
    told = capsys.readouterr().err
    assert "source must be gcide, python-topics or a text file" in told
    assert "Traceback" not in told
