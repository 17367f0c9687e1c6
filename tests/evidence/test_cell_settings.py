import importlib.util
from pathlib import Path

import pytest

from overparam.evidence.cell_settings import cache_folder, current, settings
from overparam.evidence.errors import UserError


def test_settings_hold_inside_their_block_and_inherit_from_the_block_around(tmp_path):
    before = current()
    with settings(store=tmp_path, jobs=3):
        with settings(backend="sequential", progress=False):
            assert current().folder == tmp_path
            assert (current().jobs, current().backend, current().progress) == (
                3,
                "sequential",
                False,
            )
        assert current().backend == "loky"
    assert current() == before


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path))
    assert current().folder == tmp_path / "cells"
    monkeypatch.delenv("OVERPARAM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == Path(tmp_path / "xdg" / "overparam")


def test_wrong_settings_are_named():
    wrong = settings(backend="threads")
    with pytest.raises(UserError, match=r"backend must be one of loky, .*; got 'threads'"), wrong:
        pass
    with pytest.raises(UserError, match="jobs must be at least 1; got 0"), settings(jobs=0):
        pass


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_missing_extra_is_named(monkeypatch, tmp_path, backend):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    text = rf"needs an extra: pip install 'overparam\[{backend}\]'"
    with pytest.raises(UserError, match=text), settings(store=tmp_path, backend=backend):
        pass


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_cluster_needs_a_shared_folder(monkeypatch, tmp_path, backend):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.delenv("OVERPARAM_CACHE", raising=False)
    with pytest.raises(UserError, match="needs OVERPARAM_CACHE"), settings(backend=backend):
        pass
    monkeypatch.setenv("OVERPARAM_CACHE", str(tmp_path))
    with settings(backend=backend):
        assert current().backend == backend
