import numpy as np
import polars as pl
import pytest

from overparam.training.run_history import SCHEMA, LogSpaced, RunHistory


def two_members():
    history = RunHistory()
    history.add(0, {"accuracy": [0.5, 0.4]}, split="test", rows=50, epoch=0.0)
    at_10 = {"accuracy": [0.7, np.nan], "loss": [1.0, 2.0]}
    history.add(10, at_10, split="test", rows=50, epoch=1.0)
    history.add(10, {"norm": 3.0}, layer="body")
    return history


def test_a_curve_has_a_row_a_member_and_gaps_where_nothing_was_recorded():
    curve = two_members().curve("accuracy", "test")
    np.testing.assert_array_equal(curve.steps, [0, 10])
    np.testing.assert_array_equal(curve.members, [0, 1])
    np.testing.assert_array_equal(curve.values, [[0.5, 0.7], [0.4, np.nan]])
    assert curve.rows == 50
    assert two_members().curve("norm", layer="body").rows is None


def test_the_table_is_tidy_and_ordered_by_step():
    table = two_members().table
    assert dict(table.schema) == dict(SCHEMA)
    assert table.height == 6
    assert table["step"].is_sorted()
    only = table.filter(quantity="loss", member=1).row(0, named=True)
    assert only == {
        "step": 10,
        "epoch": 1.0,
        "member": 1,
        "split": "test",
        "layer": "",
        "quantity": "loss",
        "value": 2.0,
        "rows": 50,
    }


def test_an_empty_history_is_an_empty_table():
    assert RunHistory().table.height == 0
    assert dict(RunHistory().table.schema) == dict(SCHEMA)
    assert RunHistory().last_step is None


def test_what_a_resumed_run_records_again_replaces_the_old():
    history = two_members()
    history.add(10, {"accuracy": 0.9}, split="test")
    assert history.curve("accuracy", "test").values[0, 1] == 0.9
    assert len(history) == 6
    more = RunHistory()
    more.add(20, {"accuracy": [0.8, 0.8]}, split="test", rows=50)
    history.extend(more)
    assert history.curve("accuracy", "test").steps.tolist() == [0, 10, 20]
    assert history.last_step == 20


def test_a_saved_history_comes_back_and_goes_on(tmp_path):
    two_members().save(tmp_path / "run.parquet")
    back = RunHistory.load(tmp_path / "run.parquet")
    assert back.table.equals(two_members().table)
    back.add(20, {"accuracy": [0.1, 0.2]}, split="test")
    assert back.curve("accuracy", "test").steps.tolist() == [0, 10, 20]


def test_members_are_named_where_only_some_record():
    history = RunHistory()
    history.add(1, {"loss": np.array([0.3, 0.7])}, split="train", members=np.array([3, 7]))
    curve = history.curve("loss", "train")
    np.testing.assert_array_equal(curve.members, [3, 7])
    np.testing.assert_array_equal(curve.values[:, 0], [0.3, 0.7])


@pytest.mark.parametrize("per_decade", [1, 3, 10, 40])
def test_log_spaced_steps_hold_every_power_of_ten_and_thin_out(per_decade):
    at = LogSpaced(per_decade)
    steps = [step for step in range(100_001) if step in at]
    assert {0, 1, 10, 100, 1000, 10_000, 100_000} <= set(steps)
    late = [step for step in steps if 10_000 <= step < 100_000]
    assert len(late) == per_decade
    ratios = np.diff(np.log10([*late, 100_000]))
    np.testing.assert_allclose(ratios, 1 / per_decade, atol=1e-4)
    assert 777 not in LogSpaced(1)
    assert 777 in LogSpaced(1, last=777)


def test_mistakes_are_named(tmp_path):
    history = two_members()
    with pytest.raises(ValueError, match=r"step must be >= 0; got -1"):
        history.add(-1, {"loss": 1.0})
    with pytest.raises(ValueError, match=r"loss must have one value for each of 2 members"):
        history.add(1, {"loss": [1.0, 2.0, 3.0]}, members=[0, 1])
    with pytest.raises(ValueError, match=r"got \('loss', 'train', ''\). Recorded: .*'accuracy'"):
        history.curve("loss", "train")
    with pytest.raises(ValueError, match="per_decade must be an integer >= 1; got 0"):
        LogSpaced(0)
    with pytest.raises(ValueError, match=r"table must have the columns .* name member, rows"):
        RunHistory.from_table(history.table.drop("member", "rows"))
    (tmp_path / "text").write_text("no table")
    with pytest.raises(ValueError, match=r"path must be a history written by save; got .*text"):
        RunHistory.load(tmp_path / "text")
    pl.DataFrame({"step": [1]}).write_parquet(tmp_path / "other")
    with pytest.raises(ValueError, match=r"path must be a history written by save; got .*other"):
        RunHistory.load(tmp_path / "other")
