import os

import pytest

from overparam.evidence.atomic_write import write_whole


def test_text_and_bytes_replace_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    for content, expected in (("ä\n", "ä\n".encode()), (b"\x00\x01", b"\x00\x01")):
        write_whole(path, content)
        assert path.read_bytes() == expected
    assert list(tmp_path.iterdir()) == [path]


def test_what_breaks_off_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def killed(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")
    assert path.read_text() == "old"
