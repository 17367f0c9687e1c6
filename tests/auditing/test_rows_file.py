"""rows.csv: a line for each row of the input, in its order."""

import numpy as np
import polars as pl
from tests.auditing.known_data import blobs, mixed_rows

from overparam.auditing.label_quality import OutOfFold
from overparam.auditing.rows_file import rows_table, write_rows
from overparam.data.loading import load

COLUMNS = ["row", "split", "label", "predicted", "label_quality", "suspected"]


def test_every_row_of_the_input_has_its_line(table_audit):
    rows = table_audit.rows
    given = mixed_rows()
    assert rows.columns == COLUMNS
    assert rows["row"].to_list() == list(range(len(given)))
    assert rows["label"].to_list() == given["kind"].to_list()
    unlabelled = given["kind"].is_null()
    assert set(rows.filter(unlabelled)["split"]) == {"unlabelled"}
    assert rows.filter(unlabelled)["predicted"].is_null().all()
    labelled = rows.filter(~unlabelled)
    assert set(labelled["split"]) == {"train", "validation", "test"}
    assert set(labelled["predicted"]) <= {"cat", "dog"}
    assert labelled["label_quality"].is_between(0, 1).all()
    assert set(rows["suspected"]) <= {0, 1}
    data = table_audit.report["data"]["split"]
    assert {n: labelled["split"].to_list().count(n) for n in data} == data


def test_regression_rows_carry_numbers_and_the_rank_of_the_residual(number_audit):
    rows = number_audit.rows.cast({"label": pl.Float64, "predicted": pl.Float64})
    residual = (rows["label"] - rows["predicted"]).abs().to_numpy()
    order = np.argsort(residual)
    quality = rows["label_quality"].to_numpy()[order]
    assert quality[0] == 1
    assert quality[-1] == 0
    assert (np.diff(quality) <= 0).all()


def test_dropped_classes_and_separate_test_rows(tmp_path):
    X, y = blobs(100, 2, distance=3.0)
    label = np.where(y == 1, "b", "a").astype(object)
    label[[3, 50]] = "rare"
    frame = pl.DataFrame({"x": X[:, 0], "z": X[:, 1], "y": label.tolist()})
    test = frame[:20].with_columns(y=pl.Series(["a", "b", "a", None] * 5))
    dataset = load(frame, "y", test=test, rare="drop")
    found = OutOfFold(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    write_rows(tmp_path, dataset, dataset.split(0), found)
    rows = pl.read_csv(tmp_path / "rows.csv")
    assert len(rows) == 100
    assert rows.filter(pl.col("row").is_in([3, 50]))["split"].to_list() == ["dropped"] * 2
    assert "test" not in rows["split"].to_list()
    assert rows["predicted"][:3].to_list() == ["a", "b", None]
    other = pl.read_csv(tmp_path / "rows-test.csv")
    assert other["row"].to_list() == list(range(20))
    assert other["split"].to_list() == ["test", "test", "test", "dropped"] * 5
    assert other["label"].to_list() == ["a", "b", "a", None] * 5
    own = load(*blobs(60, 2, distance=3.0))
    write_rows(tmp_path, own, own.split(0), None)  # as after --fresh, without a test set
    assert not (tmp_path / "rows-test.csv").exists()
    assert len(pl.read_csv(tmp_path / "rows.csv")) == 60


def test_rows_that_time_leaves_out_are_unused():
    X, y = blobs(100, 2, distance=3.0)
    X[99] = X[0]  # an equal row in the test part: the training part must not hold it
    frame = pl.DataFrame({"x": X[:, 0], "z": X[:, 1], "when": range(100), "y": y})
    dataset = load(frame, "y", time="when")
    table = rows_table(dataset, dataset.split(0), None)
    assert table["split"][0] == "unused"
    assert table["label"][0] == str(y[0])


def test_files_carry_their_names(tmp_path):
    from PIL import Image

    for i in range(60):
        folder = tmp_path / ("dark" if i % 2 else "light")
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), 200 * (i % 2) + i % 50, np.uint8)).save(folder / f"{i}.png")
    dataset = load(str(tmp_path))
    table = rows_table(dataset, dataset.split(0), None)
    assert table.columns == [*COLUMNS, "name"]
    assert all(
        name.startswith(label) for name, label in zip(table["name"], table["label"], strict=True)
    )
