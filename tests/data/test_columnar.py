import polars as pl
import pytest

from overparam.data.columnar import read_columnar
from overparam.evidence.errors import UserError

FRAME = pl.DataFrame({"a": [1, None], "s": ["x", "y"], "d": pl.Series([1, 2]).cast(pl.Date)})


@pytest.mark.parametrize(
    ("ending", "write"),
    [
        ("parquet", pl.DataFrame.write_parquet),
        ("arrow", pl.DataFrame.write_ipc),
        ("feather", pl.DataFrame.write_ipc),
        ("arrow", pl.DataFrame.write_ipc_stream),
    ],
)
def test_what_was_written_is_read(tmp_path, ending, write):
    path = tmp_path / f"houses.{ending}"
    write(FRAME, path)
    source = read_columnar(path)
    assert source.features.equals(FRAME)
    assert (source.name, source.origin) == ("houses", path.name)


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_other_content_is_named(tmp_path, ending):
    path = tmp_path / f"houses.{ending}"
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(
        UserError, match=rf"^houses\.{ending} must be a readable {ending} file; got: "
    ):
        read_columnar(path)
