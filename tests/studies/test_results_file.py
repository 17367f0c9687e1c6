import json
import math

import numpy as np

from overparam.studies.results_file import plain, read_figures, read_results, write_results

RESULTS = {"schema_version": 1, "scale": "quick", "slug": "ü", "claims": [{"statistic": math.nan}]}


def test_results_come_back_with_null_for_what_is_not_finite(tmp_path):
    write_results(tmp_path, RESULTS, {"C1": {"mark": "line"}})
    assert read_results(tmp_path, "quick") == {**RESULTS, "claims": [{"statistic": None}]}
    assert read_figures(tmp_path, "quick") == {"C1": {"mark": "line"}}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["quick.figures.json", "quick.json"]


def test_what_cannot_be_read_counts_as_nothing(tmp_path):
    assert read_results(tmp_path, "quick") is None
    assert read_figures(tmp_path, "quick") == {}
    (tmp_path / "quick.json").write_text("{")
    assert read_results(tmp_path, "quick") is None
    (tmp_path / "quick.json").write_text(json.dumps({**RESULTS, "schema_version": 0}))
    assert read_results(tmp_path, "quick") is None


def test_tracebacks_of_an_earlier_run_do_not_stay(tmp_path):
    write_results(tmp_path, RESULTS, {}, "C1\nValueError\n")
    assert (tmp_path / "quick.errors.txt").read_text() == "C1\nValueError\n"
    write_results(tmp_path, RESULTS, {})
    assert not (tmp_path / "quick.errors.txt").exists()


def test_arrays_tuples_and_infinities_become_plain():
    given = {"a": np.array([1.0, np.inf]), 2: (np.float64(0.5), None, "x", True)}
    assert plain(given) == {"a": [1.0, None], "2": [0.5, None, "x", True]}
