import gzip

import polars as pl
import pytest

from overparam.data import delimited
from overparam.data.delimited import read_delimited
from overparam.evidence.errors import UserError

ROWS = "".join(f"{i},{i / 4},word {i}\n" for i in range(60))


def read(tmp_path, text, name="houses.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_delimited(path)


def test_a_plain_file_needs_no_remark(tmp_path):
    source = read(tmp_path, "a,b,c\n" + ROWS)
    assert (source.name, source.origin, source.notes) == ("houses", "houses.csv", [])
    assert source.features.dtypes == [pl.Int64, pl.Float64, pl.String]
    assert source.features.row(59) == (59, 14.75, "word 59")


@pytest.mark.parametrize(("delimiter", "word"), [(";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_other_delimiters_are_found_and_said(tmp_path, delimiter, word):
    source = read(tmp_path, ("a,b,c\n" + ROWS).replace(",", delimiter))
    assert source.features.shape == (60, 3)
    assert source.notes == [f"the delimiter is a {word}"]


def test_a_decimal_comma_is_found_and_said(tmp_path):
    source = read(tmp_path, "a;b\n" + "1,5;2\n-3,25;4\n" * 30)
    assert source.features["a"][:2].to_list() == [1.5, -3.25]
    assert "numbers are written with a decimal comma" in source.notes


def test_a_comma_inside_words_is_no_decimal_comma(tmp_path):
    source = read(tmp_path, "a;b\n" + "x, y;2.5\n" * 30)
    assert source.features.row(0) == ("x, y", 2.5)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_found(tmp_path, encoding):
    source = read(tmp_path, ("größe,ort\n" + "1,Übersee\n" * 60).encode(encoding))
    assert source.features.columns == ["größe", "ort"]
    assert source.features["ort"][0] == "Übersee"
    said = [note for note in source.notes if "encoded" in note]
    expected = {
        "utf-16": ["the text is encoded as utf-16"],
        "cp1252": ["the text is encoded as cp1252"],
    }
    assert said == expected.get(encoding, [])


def test_gzip_is_read(tmp_path):
    source = read(tmp_path, gzip.compress(b"a,b,c\n" + ROWS.encode()), "houses.csv.gz")
    assert source.name == "houses"
    assert source.features.shape == (60, 3)


def test_words_for_no_value_are_missing(tmp_path):
    source = read(tmp_path, "a,b\n1,x\nNA,?\n,null\nNaN,y\n")
    assert source.features.null_count().row(0) == (3, 2)


def test_a_late_contradiction_of_the_type_is_no_error(tmp_path):
    source = read(tmp_path, "a,b\n" + "1,2\n" * 11_000 + "x,2.5\n")
    assert source.features.dtypes == [pl.String, pl.Float64]


def test_a_file_without_header_keeps_its_first_row(tmp_path):
    source = read(tmp_path, "1,2.5\n" * 60)
    assert source.features.shape == (60, 2)
    assert source.features.columns == ["column_1", "column_2"]
    assert "no header line" in source.notes[0]


def test_blank_lines_and_line_ends_of_windows_are_no_broken_rows(tmp_path):
    source = read(tmp_path, "a,b\r\n1,2\r\n\r\n3,4\r\n\r\n\r\n")
    assert source.features.rows() == [(1, 2), (None, None), (3, 4)]


def test_line_ends_of_old_machines_are_read(tmp_path):
    assert read(tmp_path, "a,b\r1,2\r3,4\r").features.rows() == [(1, 2), (3, 4)]


def test_quoted_delimiters_and_line_ends_belong_to_the_field(tmp_path):
    source = read(tmp_path, 'a,b\n"x, ""y"",\nz",1\n' * 1 + "w,2\n" * 50)
    assert source.features.row(0) == ('x, "y",\nz', 1)
    assert len(source.features) == 51


BROKEN = r"^houses\.csv must have 3 fields in every row, as in its first line; got {} in line {}\.$"


@pytest.mark.parametrize("block", [16 << 20, 64])
@pytest.mark.parametrize(
    ("text", "got", "line"),
    [
        ("a,b,c\n" + ROWS + "1,2\n" + ROWS, 2, 62),
        ("a,b,c\n" + ROWS + "1,2,3,4\n", 4, 62),
        ("a,b,c\n" + ROWS + "1", 1, 62),
        ('a,b,c\n1,"x\ny",2\n' + ROWS + '1,"x,2",3,4\n' + ROWS, 4, 64),
        ("a,b,c\n\n" + ROWS + "1,2\n" + ROWS, 2, 63),
    ],
    ids=["too few", "too many", "last", "after quotes", "after a blank line"],
)
def test_a_broken_row_is_named_by_file_and_line(tmp_path, monkeypatch, block, text, got, line):
    monkeypatch.setattr(delimited, "_BLOCK", block)
    with pytest.raises(UserError, match=BROKEN.format(got, line)):
        read(tmp_path, text)


@pytest.mark.parametrize("block", [16 << 20, 64])
def test_small_blocks_find_nothing_in_sound_files(tmp_path, monkeypatch, block):
    monkeypatch.setattr(delimited, "_BLOCK", block)
    quoted = (
        'a,b,c\n1,"x\n\n,,y",2\n' + ROWS + "\n" + ROWS + '"long ""field""' + "," * 100 + '",1,2\n'
    )
    assert len(read(tmp_path, quoted).features) == 123


def test_quotes_that_begin_no_field_are_letters(tmp_path):
    source = read(tmp_path, "a,b\n" + '1,5" pipe\n2,no\n' * 30)
    assert source.features["b"][:2].to_list() == ['5" pipe', "no"]


def test_text_after_a_closing_quote_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"^houses\.csv must be a table of delimited text; got: "):
        read(tmp_path, "a,b\n" + '"x" y,2\n' * 30)


def test_an_open_quote_is_named_by_file_and_line(tmp_path):
    with pytest.raises(UserError, match=r"^houses\.csv must close every quote; .* in line 62\.$"):
        read(tmp_path, "a,b,c\n" + ROWS + '1,"x,2\n' + ROWS)


@pytest.mark.parametrize(
    ("content", "name", "text"),
    [
        (b"", "houses.csv", r"^houses\.csv must hold a header and rows; got an empty file\.$"),
        (b"\n\n", "houses.csv", "got an empty file"),
        (b"no gzip", "houses.csv.gz", r"^houses\.csv\.gz must be a readable file; got "),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "houses.csv.gz", "must be a readable file"),
    ],
)
def test_files_without_a_table_are_named(tmp_path, content, name, text):
    with pytest.raises(UserError, match=text):
        read(tmp_path, content, name)
