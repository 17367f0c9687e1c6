"""A finished audit is recalled while nothing has changed, and made anew as soon as anything has."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.auditing.known_data import blobs
from tests.auditing.small_plan import audited

from overparam.auditing import finished, registry
from overparam.auditing.finished import KEPT, question_of, recalled
from overparam.auditing.options import Options
from overparam.auditing.running import audit
from overparam.data.loading import load

ROOT = Path(__file__).resolve().parents[2]
ONLY = ("OP003",)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished audit of a file: its folder, its source, and what it returned."""
    folder = tmp_path_factory.mktemp("finished")
    X, y = blobs(120, 4, distance=3.0)
    np.savez(folder / "blobs.npz", X=X, y=y)
    source = str(folder / "blobs.npz")
    net = {"width": 8, "epochs": 4}
    return folder / "out", source, audited(folder / "out", source, net=net, only=ONLY)


@pytest.fixture
def copied(done, tmp_path):
    """The same, in a folder that a test may change."""
    shutil.copytree(done[0], tmp_path / "out")
    return tmp_path / "out", done[1]


def again(folder, source, **options):
    """The audit once more, and what it said."""
    said = []
    common = {"backend": "sequential", "jobs": 1, "progress": False, "say": said.append}
    return audit(source, out=folder, only=ONLY, **common, **options), said


def test_it_is_recalled_without_torch_and_scikit_learn(done):
    folder, source, first = done
    code = (
        "import sys, json; import overparam; said = [];"
        f"found = overparam.audit({source!r}, out={str(folder)!r}, only={ONLY!r}, "
        "say=said.append, progress=False);"
        "heavy = {'torch', 'sklearn', 'skrub', 'skops', 'matplotlib', 'pandas'} & set(sys.modules);"
        "print(json.dumps([found.report, found.figures, found.failed, said, sorted(heavy)]))"
    )
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    report, figures, failed, said, heavy = json.loads(shown.stdout)
    assert report == first.report
    assert figures == json.loads(json.dumps(first.figures))
    assert failed == []
    assert said[0].startswith("blobs: 120 labelled rows")
    assert said[1].startswith("finished before, and nothing has changed")
    assert heavy == []


def test_the_way_through_the_cells_gives_the_same(copied, done):
    folder, source = copied
    (folder / KEPT).unlink()
    result, said = again(folder, source)
    assert len(said) == 1
    assert result.report == done[2].report
    assert (folder / KEPT).exists()
    assert len(again(folder, source)[1]) == 2


@pytest.mark.parametrize("part", ["rows.csv", "report.html", "model/model.json"])
@pytest.mark.parametrize("change", ["lost", "edited"])
def test_what_is_lost_or_edited_is_written_again(copied, done, part, change):
    folder, source = copied
    path = folder / part
    path.unlink() if change == "lost" else path.write_text("mine")
    result, said = again(folder, source)
    assert len(said) == 1
    assert path.read_bytes() == (done[0] / part).read_bytes()
    assert result.report == done[2].report


def test_a_file_beside_it_that_is_not_ours_does_not_matter(copied):
    folder, source = copied
    (folder / "notes.txt").write_text("mine")
    assert len(again(folder, source)[1]) == 2


def test_fresh_forgets_it(copied, monkeypatch):
    folder, source = copied
    asked = []
    monkeypatch.setattr("overparam.auditing.running.recalled", lambda *a: asked.append(a))
    monkeypatch.setattr("overparam.auditing.following.follow", lambda *a, **k: k["fresh"])
    assert again(folder, source, fresh=True)[0] is True
    assert asked == []


def test_a_damaged_memory_is_none(copied):
    folder, _ = copied
    question = json.loads((folder / KEPT).read_text())["question"]
    assert recalled(folder, question, None) is not None
    assert recalled(folder, "another", None) is None
    kept = json.loads((folder / KEPT).read_text())
    short = json.dumps({"question": kept["question"], "files": kept["files"]})
    for text in ("", "{}", '{"question": ', "[]", "null", short):
        (folder / KEPT).write_text(text)
        assert recalled(folder, question, None) is None
    assert recalled(folder / "nowhere", question, None) is None
    assert recalled(folder / "plan.json", question, None) is None


def test_what_failed_is_tried_again(tmp_path, monkeypatch):
    registry.load_all()
    entry = registry.FINDINGS["OP003"]

    def broken(context):
        raise ZeroDivisionError("division by zero")

    X, y = blobs(120, 4, distance=3.0)
    with monkeypatch.context() as patch:
        patch.setitem(registry.FINDINGS, "OP003", replace(entry, function=broken))
        first = audited(tmp_path, X, y, net={"width": 8, "epochs": 4}, only=ONLY)
    assert len(first.failed) == 1
    assert not (tmp_path / KEPT).exists()
    second = audit(X, y, out=tmp_path, only=ONLY, backend="sequential", jobs=1, progress=False)
    assert second.failed == []
    assert second.findings["seed-noise"]["outcome"] != "not_run"
    assert (tmp_path / KEPT).exists()


def test_cells_that_failed_leave_nothing_to_recall(tmp_path, monkeypatch):
    """Where a refit fails, the audit is whole without it; another run tries it again."""
    X, y = blobs(120, 4, distance=3.0)

    monkeypatch.setattr("overparam.auditing.stages.refitted", _refit_that_fails)
    first = audited(tmp_path, X, y, net={"width": 8, "epochs": 4}, only=ONLY)
    assert first.failed == []
    assert any(part["id"] == "refit" for part in first.report["not_run"])
    assert not (tmp_path / KEPT).exists()


def _refit_that_fails(context, build):
    arguments = [{"text": "no room"}]
    context.cells("reserve", raising, arguments, label="refit")


def raising(text):
    """A cell that fails."""
    raise MemoryError(text)


def test_the_question_is_the_data_the_options_and_the_code(tmp_path, monkeypatch):
    X, y = blobs(60, 2, distance=3.0)
    dataset, options = load(X, y), Options(only=ONLY)
    question = question_of(options, dataset)
    assert question == question_of(Options(only=ONLY), load(X, y))
    others = [
        (replace(options, seed=1), dataset),
        (options, load(X + 1e-6, y)),
        (options, replace(dataset, notes=("rows 3 and 5 were left out",))),
        (options, replace(dataset, names=tuple(f"{i}.png" for i in range(60)))),
    ]
    assert question not in {question_of(*other) for other in others}
    # One letter of the code, or of a template, is another question.
    shutil.copytree(finished.PACKAGE, tmp_path / "overparam")
    monkeypatch.setattr(finished, "PACKAGE", tmp_path / "overparam")
    assert question_of(options, dataset) == question
    for name in ("auditing/stages.py", "report/templates/audit.html.j2"):
        path = tmp_path / "overparam" / name
        before = path.read_text()
        path.write_text(before + "\n")
        assert question_of(options, dataset) != question
        path.write_text(before)
    half = tmp_path / "overparam" / "__pycache__" / "version.cpython-312.pyc.14063"
    half.parent.mkdir(exist_ok=True)
    half.write_text("another process writes this")
    assert question_of(options, dataset) == question
    monkeypatch.setattr(finished, "versions", lambda: {"torch": "0"})
    assert question_of(options, dataset) != question
