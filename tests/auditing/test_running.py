"""Whole audits: the contract of the report, figures against scikit-learn, no leaks, resuming."""

import json
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, r2_score
from tests.auditing.known_data import blobs
from tests.auditing.small_plan import audited, plan_ahead

from overparam.auditing import registry
from overparam.auditing.baselines import NAMES
from overparam.auditing.finished import KEPT
from overparam.auditing.net_cells import SplitKey, fit_and_held
from overparam.auditing.options import Options
from overparam.auditing.plan import read_plan, write_plan
from overparam.auditing.running import audit
from overparam.data.loading import load
from overparam.evidence.errors import UserError
from overparam.report.document import validate

FEW = {"width": 8, "epochs": 8}
AUDITS = ["table_audit", "number_audit", "image_audit"]


@pytest.mark.parametrize("name", AUDITS)
def test_the_report_keeps_its_contract(name, request):
    result = request.getfixturevalue(name)
    document = json.loads((result.folder / "report.json").read_text())
    validate(document)
    assert document == json.loads(json.dumps(result.report))
    assert result.failed == []
    assert [f["code"] for f in document["findings"]] == sorted(registry.FINDINGS)
    answered = {t["code"] for t in document["treatments"]}
    left_out = {entry.get("code") for entry in document["not_run"]}
    assert answered | left_out >= set(registry.TREATMENTS)
    assert answered.isdisjoint(left_out)
    outcome = {"holds": "issue", "inconclusive": "tip", "fails": "fine"}
    for found in document["findings"]:
        if found["outcome"] == "not_applicable":
            assert found["verdict"] is None
            assert found["headline"]
        elif found["id"] not in ("label-noise", "minority-collapse"):  # their pages say why
            assert found["outcome"] == outcome[found["verdict"]]
    by_id = {f["id"]: f for f in document["findings"]}
    assert len(by_id["learning-curve"]["forecast"]) == 3
    assert 0 <= by_id["label-noise"]["share"] <= 1
    drawn = {f["figure"] for f in document["findings"] if f["figure"]}
    drawn |= {name for f in document["findings"] for name in f.get("pictures", [])}
    assert set(document["figures"]) == {"baselines", "treatments", *drawn}
    for part in ("report.html", "rows.csv", "plan.json", "model/model.json"):
        assert (result.folder / part).is_file()


def test_calibration_does_not_apply_to_a_regression(number_audit):
    finding = number_audit.findings["calibration"]
    assert finding["outcome"] == "not_applicable"
    assert finding["headline"] == "A regression has no probabilities to calibrate."
    assert number_audit.report["metric"] == "r2"


def test_baselines_are_those_of_scikit_learn(table_audit, table_csv):
    dataset = load(str(table_csv), "kind")
    majority, logistic = [], []
    for i in range(3):
        split = SplitKey(0, i, 3).of(dataset)
        train, held = split.train, split.validation
        model = DummyClassifier().fit(train.flat, train.y)
        majority.append(accuracy_score(held.y, model.predict(held.flat)))
        fitted, tenth = fit_and_held(dataset, train.rows, 0)
        fit, check = (dataset.view(rows, train.rows) for rows in (fitted, tenth))
        losses = {}
        for c in (1.0, 0.1, 0.01, 10.0):
            p = LogisticRegression(C=c, max_iter=200, tol=1e-3).fit(fit.flat, fit.y)
            p = p.predict_proba(check.flat)[np.arange(len(check)), check.y]
            losses[c] = -np.log(p).mean()
        c = min(losses, key=losses.get)
        model = LogisticRegression(C=c, max_iter=200, tol=1e-3).fit(train.flat, train.y)
        logistic.append(accuracy_score(held.y, model.predict(held.flat)))
    reported = {b["name"]: b["validation"] for b in table_audit.report["baselines"]}
    assert reported["majority"] == pytest.approx(np.mean(majority))
    assert reported["logistic-regression"] == pytest.approx(np.mean(logistic))


def test_the_test_figure_is_that_of_scikit_learn(number_audit):
    X, _ = blobs(160, 4, distance=1.0)
    dataset = load(X, 10 + 5 * X[:, 0].astype(float))
    split = dataset.split(0)
    ridge = RidgeCV(np.logspace(-3, 4, 15)).fit(split.train.flat, split.train.y)
    r = number_audit.recommendation
    assert r["best_baseline"] == "ridge-regression"
    assert r["best_baseline_test"] == pytest.approx(
        r2_score(split.test.y, ridge.predict(split.test.flat))
    )


def small(folder, y_of_test=None, **options):
    """An audit of noisy blobs whose test labels may be changed; the split stays."""
    X, y = blobs(200, 4, distance=2.0)
    dataset = load(X, y)
    rows = dataset.split(0).test.rows
    train = np.setdiff1d(np.arange(200), rows)
    table = pl.DataFrame({f"x{i}": X[:, i] for i in range(4)} | {"y": y})
    test = table[rows]
    if y_of_test is not None:
        test = test.with_columns(y=pl.Series(y_of_test(y[rows])))
    table[train].write_csv(folder / "train.csv")
    test.write_csv(folder / "test.csv")
    out = folder / "out"
    where = str(folder / "train.csv"), "y"
    return audited(out, *where, test=str(folder / "test.csv"), net=FEW, refit=False, **options)


def test_nothing_is_chosen_on_the_test_rows(tmp_path_factory):
    ours = small(tmp_path_factory.mktemp("ours"))
    other = small(tmp_path_factory.mktemp("other"), lambda y: np.roll(1 - y, 3))
    assert ours.recommendation["test"] != other.recommendation["test"]
    for key in ("name", "validation", "setting", "best_baseline", "runner_up"):
        assert ours.recommendation[key] == other.recommendation[key]
    for part, figures in (
        ("baselines", ("name", "validation", "interval", "note")),
        ("findings", ("id", "statistic", "interval", "headline")),
        ("treatments", ("id", "difference", "interval", "note")),
    ):
        for mine, theirs in zip(ours.report[part], other.report[part], strict=True):
            assert [mine[f] for f in figures] == [theirs[f] for f in figures]


def without_times(document):
    """A report less what differs from run to run."""
    text = json.loads(json.dumps(document))

    def strip(value):
        if isinstance(value, dict):
            times = ("seconds", "used", "shares", "cost")
            return {k: strip(v) for k, v in value.items() if k not in times}
        return [strip(v) for v in value] if isinstance(value, list) else value

    return strip(text)


def test_a_second_run_gives_the_same_report_from_the_cells(tmp_path):
    X, y = blobs(120, 4, distance=3.0)
    # Boosting is stopped by the clock: with time enough two computations of it are the same.
    ample = dict.fromkeys(NAMES["classification"], 60.0)
    only = ("OP003", "OT003")
    first = audited(tmp_path / "a", X, y, net=FEW, only=only, baseline_seconds=ample)
    cells = sorted(p.name for p in (tmp_path / "a" / ".cells").rglob("*") if p.is_file())
    options = {"only": only, "out": tmp_path / "a", "progress": False}
    (tmp_path / "a" / KEPT).unlink()  # else the finished audit is recalled whole
    second = audit(X, y, backend="sequential", jobs=1, **options)
    assert second.report == first.report  # also the times: those of the cells are charged again
    assert cells == sorted(p.name for p in (tmp_path / "a" / ".cells").rglob("*") if p.is_file())
    # The same plan elsewhere: everything is computed anew, and is the same but for times.
    (tmp_path / "b").mkdir()
    shutil.copy(tmp_path / "a" / "plan.json", tmp_path / "b")
    third = audit(X, y, backend="sequential", jobs=1, **{**options, "out": tmp_path / "b"})
    assert without_times(third.report) == without_times(first.report)


def test_another_option_or_other_data_in_the_same_folder_is_named(tmp_path):
    X, y = blobs(120, 4, distance=3.0)
    audited(tmp_path, X, y, net=FEW, only=("OP003",))
    same = {"out": tmp_path, "only": ("OP003",), "progress": False}
    with pytest.raises(UserError, match=r"seed was 0, now 1 and refit was True, now False"):
        audit(X, y, **same, seed=1, refit=False)
    with pytest.raises(UserError, match="out must not hold the audit of other data"):
        audit(X + 1, y, **same)


def factory(n_features, n_outputs, seed):
    """A user's own architecture: linear."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(n_features, n_outputs))


@pytest.mark.parametrize("model", [factory, f"{__name__}:factory"])
def test_a_model_of_ones_own_is_audited_beside_the_others(tmp_path, model):
    X, y = blobs(120, 4, distance=3.0)
    name = f"{__name__}:factory"
    dataset = load(X, y)

    options = Options(target=dataset.target, model=name, only=("OP003", "OT003"))
    plan = plan_ahead(tmp_path, dataset, options, net=FEW)
    seconds = plan.seconds | {"your_model": plan.seconds["one_net"]}
    own = plan.baseline.but(net=name)
    write_plan(replace(plan, own=own, seconds=seconds), tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json").own.net == name
    result = audit(
        X,
        y,
        model=model,
        only=("OP003", "OT003"),
        out=tmp_path,
        backend="sequential",
        jobs=1,
        progress=False,
    )
    assert result.failed == []
    assert result.treatments["your-model"]["title"] == f"your model, {name}"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"only": ("OP01",)}, "only must name codes such as OP001 or ids; got 'OP01'. Did you"),
        ({"ignore": "OP001"}, "ignore must be a sequence of codes; got 'OP001'"),
        ({"seed": -1}, "seed must be an integer >= 0 and below"),
        ({"jobs": 0}, "jobs must be an integer >= 1; got 0"),
        ({"budget": "soon"}, "budget must be a time such as 90s, 5m or 1h30m; got 'soon'"),
        ({"metric": "r2"}, "metric must be one of accuracy"),
    ],
)
def test_mistakes_are_named_before_anything_is_written(tmp_path, options, text):
    X, y = blobs(60, 2, distance=3.0)
    with pytest.raises(UserError, match=text):
        audit(X, y, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder_for_the_report(tmp_path):
    X, y = blobs(60, 2, distance=3.0)
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="out must be a folder; got the file"):
        audit(X, y, out=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("no_such_module:f", "model must be importable; got 'no_such_module:f'"),
        (lambda d, k, seed: None, "must be a function at the top level of an importable file"),
    ],
)
def test_a_model_that_cannot_be_had_is_told_before_anything_is_trained(tmp_path, model, message):
    with pytest.raises(UserError, match=message):
        audit(*blobs(120, 4, distance=3.0), model=model, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_few_groups_are_a_mistake_that_can_be_mended(tmp_path):
    X, y = blobs(120, 3, distance=3.0)
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "ward": np.arange(120) % 3, "y": y})
    with pytest.raises(UserError, match="group must"):
        audit(frame, "y", group="ward", out=tmp_path / "out")
