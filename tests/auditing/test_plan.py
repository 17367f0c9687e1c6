"""plan.json: written in one step, read back the same, refused where it is another audit's."""

import json

import pytest
from tests.auditing.known_data import blobs
from tests.auditing.small_plan import small_plan

from overparam.auditing.options import Options
from overparam.auditing.plan import check_same, read_plan, write_plan
from overparam.data.loading import load
from overparam.evidence.errors import UserError


@pytest.fixture(scope="module")
def dataset():
    return load(*blobs(100, 3, distance=2.0))


def test_a_plan_is_read_back_as_it_was_written(dataset, tmp_path):
    options = Options(only=("OP001",), drop=("x",), model="m:f")
    plan = small_plan(dataset, metric="accuracy", options=options)
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]


def test_a_plan_of_another_version_or_none_at_all_is_not_followed(dataset, tmp_path):
    path = tmp_path / "plan.json"
    assert read_plan(path) is None
    write_plan(small_plan(dataset, metric="accuracy"), path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": "0.0.1"}))
    assert read_plan(path) is None
    path.write_text("{half of")
    assert read_plan(path) is None


def test_other_data_in_the_folder_is_refused(dataset):
    plan = small_plan(dataset, metric="accuracy")
    other = load(*blobs(100, 3, distance=2.5))
    with pytest.raises(UserError, match="audit of other data; DIR does"):
        check_same(plan, other, plan.options, "DIR")


def test_other_options_are_named(dataset):
    plan = small_plan(dataset, metric="accuracy", options=Options(budget=60.0))
    with pytest.raises(UserError, match=r"in DIR budget was .* and seed was 0, now 3"):
        check_same(plan, dataset, Options(budget=90.0, seed=3), "DIR")
    check_same(plan, dataset, Options(budget=60.0), "DIR")
