"""The audit of a text, from the file to a model that writes."""

import json

import numpy as np
import polars as pl
import pytest
from tests.auditing.planted_text import planted

import overparam
from overparam.auditing import registry
from overparam.auditing.comparison import crossed
from overparam.auditing.context import StageFailed
from overparam.auditing.finished import KEPT
from overparam.auditing.text_audit import TextRun
from overparam.auditing.text_offers import ensemble_gains
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
    outcomes = {name: f["outcome"] for name, f in result.findings.items()}
    assert outcomes.pop("unread-text") == "not_applicable"  # time enough for all of it
    assert set(outcomes) == {"over-reading", "weak-decay", "below-counting", "room-above"}
    assert set(outcomes.values()) <= {"issue", "tip", "fine"}
    assert list(result.treatments) == ["tuned-weight-decay", "ensemble", "student"]
    names = [b["name"] for b in result.report["baselines"]]
    assert names == ["counts-1", "counts-2", "counts-3", "counts-5", "usual-recipe"]
    split = result.report["data"]["split"]
    assert split["validation"] == pytest.approx(split["test"], abs=CONTEXT)
    assert "members" in result.figures
    single = {t["id"]: t["difference"] for t in result.report["treatments"]}
    assert single["ensemble"] >= single["tuned-weight-decay"] - 1e-6  # by convexity


@pytest.mark.slow
def test_the_model_scores_and_writes(result, book):
    model = result.model
    assert model.task == "language"
    text = book.read_text()
    measured = result.recommendation["test"]
    assert -model.score(text) < np.log(len(model.alphabet))
    with pytest.raises(UserError, match=r"characters that the model knows.*300 others of"):
        model.score(text + "#" * 300)
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
    for lines in (2, 1):  # recalled whole, then through the cells
        said = []
        again = overparam.audit(
            book, task="language", budget=1e5, out=result.folder, jobs=1, backend="sequential",
            progress=False, say=said.append,
        )  # fmt: skip
        assert json.loads(before) == again.report
        assert len(said) == lines
        (result.folder / KEPT).unlink(missing_ok=True)
    with pytest.raises(UserError, match="out must not hold an audit of budget 100000"):
        overparam.audit(book, task="language", budget=50, out=result.folder, progress=False)


@pytest.mark.slow
def test_predict_writes_the_surprise_of_every_window(result, book, tmp_path):
    out = tmp_path / "p.csv"
    assert run(["predict", str(result.folder / "model"), str(book), "--out", str(out)]) == 0
    assert pl.read_csv(out)["nats"].len() == len(book.read_text()) // CONTEXT


@pytest.mark.slow
def test_a_folder_of_another_kind_is_left_as_it_is(result, book, tmp_path):
    table = tmp_path / "t.csv"
    rng = np.random.default_rng(0)
    pl.DataFrame({"a": rng.normal(size=80), "b": np.arange(80) % 2}).write_csv(table)
    with pytest.raises(UserError, match="out holds an audit of another kind"):
        overparam.audit(table, "b", out=result.folder, progress=False)
    (tmp_path / "plan.json").write_text('{"format": 1}')
    with pytest.raises(UserError, match="out holds an audit of another kind"):
        overparam.audit(book, task="language", out=tmp_path, progress=False)
    with pytest.raises(UserError, match="source must be gcide"):  # and nothing is lost by --fresh
        overparam.audit("mistyped.txt", task="language", out=result.folder, fresh=True)
    assert result.model.info["title"] == result.recommendation["title"]


def test_a_text_that_is_too_short_leaves_no_folder(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("a few words")
    with pytest.raises(UserError, match="data must have at least 2,560 tokens"):
        overparam.audit(path, task="language", out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_the_gain_of_an_ensemble_scatters_as_over_new_seeds():
    """Members of loss 1 + luck, of which the ensemble has the mean: the interval must cover 0."""
    covered = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rows = rng.normal(0, 0.1, 300)
        base = 1 + rng.normal(0, 0.04, (4, 1)) + rows
        own = 1 + rng.normal(0, 0.04, 4)
        subsets = np.stack(
            [np.mean([own[m] for m in range(4) if i >> m & 1]) + rows for i in range(1, 16)]
        )
        low, high = crossed(ensemble_gains(base, subsets)).interval()
        covered.append(low <= 0 <= high)
    assert 0.9 < np.mean(covered) < 0.99
    np.testing.assert_allclose(
        ensemble_gains(base, subsets).mean(axis=0), base.mean(axis=0) - subsets[-1]
    )


def test_what_a_text_does_not_have_is_refused(book, capsys):
    with pytest.raises(UserError, match=r"target makes no sense for a text .* got 'price'"):
        overparam.audit(book, "price", task="language")
    with pytest.raises(UserError, match=r"refit makes no sense for a text .* got False"):
        overparam.audit(book, task="language", refit=False)
    with pytest.raises(UserError, match="X must be the path of a text"):
        overparam.audit(np.zeros((3, 3)), task="language")
    with pytest.raises(UserError, match="vocabulary needs task='language'"):
        overparam.audit(np.zeros((60, 3)), np.arange(60) % 2, vocabulary=300)
    assert run(["audit", "no-such.txt", "--task", "language"]) == 2
    told = capsys.readouterr().err
    assert "source must be gcide, python-topics or a text file" in told
    assert "Traceback" not in told


def test_nets_of_more_text_that_failed_are_not_trained_once_more(tmp_path, monkeypatch):
    registry.load_all()
    trials = planted(lambda d, decay, passes: 2.5, whole=50_000)
    tried = []

    def no_room(*how):
        tried.append(how)
        raise StageFailed("more of the text: no room")

    monkeypatch.setattr(trials, "_longer", no_room)
    audit = TextRun(trials, "".join(map(chr, range(65, 95))), tmp_path, print)
    entry = audit._finding(registry.TEXT_FINDINGS["OL005"])
    assert entry["outcome"] == "not_run"
    assert [offer.name for offer in audit._read_further()] == ["more-text-counted"]
    assert len(tried) == len(audit.failed) == 1
