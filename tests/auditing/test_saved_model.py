"""What is loaded predicts what was saved, for every kind; strangers are refused."""

import functools
import json
import shutil

import numpy as np
import polars as pl
import pytest
import skops.io
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier
from tests.auditing.known_data import blobs, mixed_rows

from overparam.auditing.baselines import NAMES, fit_baseline, predict_view
from overparam.auditing.candidates import Build
from overparam.auditing.final_fits import Parts, fit_nets_on
from overparam.auditing.saved_model import load_model, save_model
from overparam.auditing.trusted_types import TRUSTED
from overparam.data.loading import load
from overparam.evidence.errors import UserError

FEW = {"width": 8, "epochs": 8}


def images():
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (80, 8, 8)).astype(np.uint8), np.arange(80) % 3


def sources():
    X, y = blobs(120, 4, classes=3, distance=3.0)
    return {
        "array": ((X, y), X, "perceptron"),
        "table": ((mixed_rows(), "kind"), mixed_rows().drop("kind"), "tabular"),
        "image": (images(), images()[0], "convolutional"),
        "number": ((X, 100 + X[:, 0].astype(float)), X, "tabular"),
    }


def rows_of(raw, dataset):
    """New data that are the labelled rows again."""
    return raw[dataset.row]


@pytest.mark.parametrize("kind", ["array", "table", "image", "number"])
@pytest.mark.parametrize("content", ["nets", "temperature", "blend", "baseline"])
def test_loaded_models_predict_what_they_predicted_before(make_context, tmp_path, kind, content):
    source, raw, net = sources()[kind]
    if kind == "number" and content == "temperature":
        pytest.skip("a regression has no temperature")
    context = make_context(load(*source), net={**FEW, "net": net, "width": 4})
    dataset, everything = context.dataset, np.arange(context.dataset.n)
    name = "logistic-regression" if dataset.classes else "ridge-regression"
    build = Build(
        None if content == "baseline" else context.recipe,
        0 if content == "baseline" else 3,
        temperature=content == "temperature",
        baseline=name if content in ("blend", "baseline") else None,
    )
    before, nets, baseline = [], {}, None
    if build.recipe is not None:
        nets = fit_nets_on(
            context, build, everything, everything, stage="reserve", label="x", members_a_cell=2
        )
        before.append(context.probabilities(nets.pop("logits")).mean(axis=0))
        assert len(nets["temperatures"]) == 3
    if build.baseline is not None:
        model, _ = fit_baseline(name, dataset.view(everything, everything), 0, 1.0)
        before.append(predict_view(model, dataset.view(everything, everything)))
        baseline = skops.io.dumps(model)
    save_model(tmp_path / "m", dataset, Parts(build, nets, baseline, everything), {"title": "t"})
    loaded = load_model(tmp_path / "m")
    expected = np.mean(before, axis=0)
    new = rows_of(raw, dataset)
    if dataset.classes:
        np.testing.assert_allclose(loaded.predict_proba(new), expected, atol=1e-5)
        names = np.asarray(dataset.classes)[loaded.predict_proba(new).argmax(axis=1)]
        np.testing.assert_array_equal(loaded.predict(new), names)
    else:
        np.testing.assert_allclose(loaded.predict(new), expected[:, 0], rtol=1e-5)
        with pytest.raises(UserError, match="predict_proba needs a classification model"):
            loaded.predict_proba(new)
    held = [path.read_bytes() for path in (tmp_path / "m").rglob("*") if path.is_file()]
    assert not any(content.startswith(b"\x80") or b"pickle" in content for content in held)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("columns", [3, 40, "mixed"])  # neighbours keep a tree of few columns only
def test_every_baseline_holds_only_trusted_types(task, columns):
    if columns == "mixed":
        target = "kind" if task == "classification" else "weight"
        dataset = load(mixed_rows().drop_nulls(), target)
    else:
        X, y = blobs(150, columns, distance=2.0)
        dataset = load(X, y if task == "classification" else X[:, 0].astype(float))
    view = dataset.view(np.arange(dataset.n), np.arange(dataset.n))
    for name in NAMES[task]:
        model, _ = fit_baseline(name, view, 0, 0.2)
        dumped = skops.io.dumps(model)
        unknown = set(skops.io.get_untrusted_types(data=dumped)) - set(TRUSTED)
        assert not unknown, name
        again = skops.io.loads(dumped, trusted=list(TRUSTED))
        np.testing.assert_array_equal(predict_view(again, view), predict_view(model, view))


def test_a_trusted_partial_lets_no_other_function_in():
    hidden = FunctionTransformer(functools.partial(shutil.rmtree, "x"))
    found = skops.io.get_untrusted_types(data=skops.io.dumps(hidden))
    assert set(found) - set(TRUSTED) == {"shutil.rmtree"}


def test_a_stranger_among_the_types_is_refused_by_name(tmp_path, table_audit):
    folder = tmp_path / "model"
    shutil.copytree(table_audit.folder / "model", folder)
    info = json.loads((folder / "model.json").read_text())
    info["build"] = Build(baseline="majority").as_dict()
    (folder / "model.json").write_text(json.dumps(info))
    tree = DecisionTreeClassifier(criterion="gini").fit([[0], [1]], [0, 1])
    tree.helper = np.random.default_rng(0).bit_generator  # of no type that overparam saves
    tree.function = shutil.rmtree
    skops.io.dump(tree, folder / "baseline.skops")
    with pytest.raises(UserError, match=r"only types that overparam saves.*shutil\.rmtree"):
        load_model(folder)


def test_other_versions_and_formats_are_one_clear_line(tmp_path, table_audit):
    folder = tmp_path / "model"
    shutil.copytree(table_audit.folder / "model", folder)
    path = folder / "model.json"
    info = json.loads(path.read_text())
    old = {**info, "versions": {**info["versions"], "scikit-learn": "0.9.1"}}
    path.write_text(json.dumps(old))
    with pytest.raises(UserError, match=r"must be read with scikit-learn 0\.9\.1, which wrote it"):
        load_model(folder)
    path.write_text(json.dumps({**info, "format": 99}))
    with pytest.raises(UserError, match="model must have format 1; got 99"):
        load_model(folder)
    with pytest.raises(UserError, match=r"a folder written by an audit, with model\.json; got"):
        load_model(tmp_path)


@pytest.fixture(scope="module")
def pets(table_audit):
    return table_audit.model


def test_a_target_column_and_strange_columns_are_ignored(pets):
    rows = mixed_rows()
    more = rows.with_columns(noise=pl.lit(3)).select("noise", "kind", "colour", "age", "weight")
    np.testing.assert_array_equal(pets.predict_proba(more), pets.predict_proba(rows.drop("kind")))


def test_a_category_never_seen_counts_as_unknown(pets):
    rows = mixed_rows()[:4].with_columns(colour=pl.lit("purple"))
    p = pets.predict_proba(rows)
    assert p.shape == (4, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_a_missing_column_is_named(pets):
    with pytest.raises(UserError, match="age"):
        pets.predict(mixed_rows().drop("age"))


def test_values_that_are_missing_are_predicted_too(pets):
    rows = mixed_rows()[:5].with_columns(weight=pl.lit(None, pl.Float64))
    assert set(pets.predict(rows)) <= {"cat", "dog"}
    assert len(pets.predict(rows[:0])) == 0


def test_predictions_are_a_table_in_the_order_of_the_rows(pets, number_audit):
    table = pets.predictions(mixed_rows())
    assert table.columns == ["row", "prediction", "p_cat", "p_dog"]
    assert table["row"].to_list() == list(range(180))
    likely = np.where(table["p_dog"].to_numpy() > 0.5, "dog", "cat")
    assert table["prediction"].to_list() == likely.tolist()
    X, _ = blobs(160, 4, distance=1.0)
    numbers = number_audit.model.predictions(X)
    assert numbers.columns == ["row", "prediction"]
    np.testing.assert_allclose(numbers["prediction"], 10 + 5 * X[:, 0], atol=0.5)
