import gzip
import struct

import numpy as np
import pytest

from overparam.data.idx import find_idx, read_idx, read_idx_folder
from overparam.evidence.errors import UserError


def write(path, array, kind=0x08, dtype=">u1"):
    head = struct.pack(">HBB", 0, kind, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    data = head + array.astype(dtype).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 60), ("t10k", 20)):
        write(tmp_path / f"{part}-images-idx3-ubyte.gz", rng.integers(0, 255, (n, 4, 3)))
        write(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(n) % 3)
    return tmp_path


def test_four_files_are_one_set_with_a_fixed_test_part(folder):
    source = read_idx_folder(folder)
    assert source.features.shape == (80, 4, 3)
    assert source.features.dtype == np.uint8
    assert source.labels.to_list() == [*(np.arange(60) % 3), *(np.arange(20) % 3)]
    assert np.array_equal(source.test_rows, np.arange(60, 80))
    assert source.notes == ["the t10k files are the test part"]


def test_two_files_have_no_test_part(folder):
    for path in folder.glob("t10k*"):
        path.unlink()
    assert read_idx_folder(folder).test_rows is None


def test_other_types_are_read_in_the_machines_byte_order(tmp_path):
    values = np.array([[1.5, -2.0], [3.25, 4.0]])
    write(tmp_path / "x.idx", values, 0x0E, ">f8")
    assert np.array_equal(read_idx(tmp_path / "x.idx"), values)
    assert read_idx(tmp_path / "x.idx").dtype == np.float64


def test_a_missing_partner_is_named(folder):
    (folder / "train-labels-idx1-ubyte").unlink()
    text = r"must hold train images and labels; got only train-images-idx3-ubyte\.gz\."
    with pytest.raises(UserError, match=text):
        read_idx_folder(folder)


def test_different_lengths_are_named(folder):
    write(folder / "t10k-labels-idx1-ubyte", np.zeros(19))
    text = r"t10k-labels-idx1-ubyte must have one label per image; got 19 labels for 20 images"
    with pytest.raises(UserError, match=text):
        read_idx_folder(folder)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\x08\x03", b"\0\0\x08\x01\0\0\0\x09abc", b"\0\0\x77\x01"]
)
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / "x.idx").write_bytes(content)
    with pytest.raises(UserError, match=r"^x\.idx must be a complete IDX file"):
        read_idx(tmp_path / "x.idx")


def test_files_of_other_kinds_are_not_idx(folder):
    (folder / "README-images").write_text("x")
    assert sorted(find_idx(folder)) == [
        "test-images",
        "test-labels",
        "train-images",
        "train-labels",
    ]
