import subprocess
import sys

import numpy as np
import polars as pl

from overparam.data.fingerprint import fingerprint

FRAME = 'pl.DataFrame({"a": [1.0, None], "s": ["x", None], "b": [True, None]})'


def test_every_kind_of_change_changes_it():
    frame = pl.DataFrame({"a": [1.0, 2.0], "s": ["ab", "c"]})
    variants = [
        [frame],
        [frame.rename({"a": "z"})],
        [frame.with_columns(a=pl.Series([1.0, 3.0]))],
        [frame.with_columns(a=pl.Series([1.0, None]))],
        [frame.with_columns(a=pl.Series([1.0, 0.0]))],
        [frame.with_columns(s=pl.Series(["a", "bc"]))],
        [frame.with_columns(s=pl.Series(["ab", None]))],
        [frame.with_columns(s=pl.Series(["ab", ""]))],
        [frame.reverse()],
        [frame, 1],
        [np.zeros(2)],
        [np.zeros((2, 1))],
        [np.zeros(2, np.float32)],
        [{"a": 1}],
        [{"a": 2}],
    ]
    assert len({fingerprint(v) for v in variants}) == len(variants)


def test_chunks_and_what_lies_under_missing_values_do_not_matter():
    whole = pl.DataFrame({"a": [1.0, 2.0, 3.0], "s": ["x", "y", "z"]})
    pieces = pl.concat([whole[:1], whole[1:]], rechunk=False)
    assert fingerprint([pieces]) == fingerprint([whole])
    made = whole.with_columns(a=pl.when(pl.col("a") > 1).then("a"))
    read = whole.with_columns(a=pl.Series([None, 2.0, 3.0]))
    assert fingerprint([made]) == fingerprint([read])


def test_another_process_agrees():
    code = f"""
import polars as pl
from overparam.data.fingerprint import fingerprint
print(fingerprint([{FRAME}, {{"b": 1, "a": 2}}]))"""
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == fingerprint([eval(FRAME), {"a": 2, "b": 1}])
