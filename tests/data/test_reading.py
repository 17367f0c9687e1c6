import gzip

import polars as pl
import pytest
from PIL import Image

from overparam.data.loading import load
from overparam.data.reading import read
from overparam.evidence.errors import UserError

FRAME = pl.DataFrame({"a": [1.5, 2.5], "y": ["p", "q"]})
CSV = b"a,y\n1.5,p\n2.5,q\n"


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.csv", lambda path: path.write_bytes(CSV)),
        ("x.CSV", lambda path: path.write_bytes(CSV)),
        ("x.tsv", lambda path: path.write_bytes(CSV.replace(b",", b"\t"))),
        ("x.csv.gz", lambda path: path.write_bytes(gzip.compress(CSV))),
        ("x.parquet", FRAME.write_parquet),
        ("x.feather", FRAME.write_ipc),
        ("x.arrow", FRAME.write_ipc),
    ],
)
def test_the_ending_chooses_the_reader(tmp_path, name, write):
    write(tmp_path / name)
    source = read(tmp_path / name, None)
    assert source.features.equals(FRAME)
    assert (source.name, source.origin) == ("x", name)


def test_no_such_file_is_named_with_what_there_is(tmp_path):
    text = r"nothing\.csv must be an existing file .* \(digits, .*\); got no such file\.$"
    with pytest.raises(UserError, match=text):
        load(tmp_path / "nothing.csv")


def test_other_endings_are_named(tmp_path):
    (tmp_path / "houses.docx").write_text("x")
    with pytest.raises(UserError, match=r"^houses\.docx must end in \.csv, .*; got \.docx\.$"):
        load(tmp_path / "houses.docx")


def test_underscores_are_accepted_in_names():
    assert load("breast_cancer").fingerprint == load("breast-cancer").fingerprint


def test_an_existing_path_wins_over_a_name_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind in ("a", "b"):
        (tmp_path / "digits" / kind).mkdir(parents=True)
        for i in range(30):
            Image.new("L", (4, 4), i).save(tmp_path / "digits" / kind / f"{i}.png")
    data = load("digits")
    assert data.shape == (4, 4)
    assert "'digits' is also an embedded set; the path here was taken" in data.notes
    assert data.names[data.row[0]] == "a/0.png"


def test_what_is_loaded_already_is_not_loaded_again():
    with pytest.raises(TypeError, match="got a Dataset, which is loaded already"):
        load(load("iris"))
