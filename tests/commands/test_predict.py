"""`overparam predict`: a line for each row, or one line that says why not."""

import polars as pl
import pytest
from tests.auditing.known_data import mixed_rows
from tests.auditing.small_plan import audited


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pets")
    mixed_rows().write_csv(folder / "pets.csv")
    net = {"net": "tabular", "width": 8, "epochs": 3}
    only = ("OT006",)
    audited(folder / "out", str(folder / "pets.csv"), "kind", net=net, only=only, replicas=2)
    return folder / "out" / "model"


def test_a_line_for_each_row_in_order(overparam, model):
    mixed_rows().write_csv(overparam.folder / "new.csv")  # the target column is in it
    words = ("predict", str(model), "new.csv", "--out", "deep/p.csv")
    assert overparam(*words) == (0, "180 predictions: deep/p.csv\n", "")
    table = pl.read_csv(overparam.folder / "deep" / "p.csv")
    assert table.columns == ["row", "prediction", "p_cat", "p_dog"]
    assert table["row"].to_list() == list(range(180))
    assert (table["p_cat"] + table["p_dog"]).is_close(1.0, abs_tol=1e-6).all()


def test_a_missing_column_is_one_line_and_exit_code_2(overparam, model):
    mixed_rows().drop("weight").write_csv(overparam.folder / "new.csv")
    code, out, err = overparam("predict", str(model), "new.csv", "--out", "p.csv")
    assert (code, out) == (2, "")
    assert "weight" in err
    assert len(err.splitlines()) == 1
    assert not (overparam.folder / "p.csv").exists()


def test_what_is_no_model_is_named(overparam):
    code, _, err = overparam("predict", ".", "new.csv", "--out", "p.csv")
    assert code == 2
    assert err == (
        "overparam: model must be a folder written by an audit, with model.json; got '.'.\n"
    )
