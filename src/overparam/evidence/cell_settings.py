"""Where cells run and where they are kept."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from overparam.evidence.errors import UserError

Backend = Literal["loky", "sequential", "dask", "ray"]
BACKENDS: tuple[str, ...] = get_args(Backend)
EXTRAS = {"dask": "distributed", "ray": "ray"}  # clusters, and the module that each needs

# Called with label, cells done, cells in all.
Reporter = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Settings:
    """What `settings` sets."""

    store: Path | None = None
    backend: Backend = "loky"
    jobs: int | None = None
    progress: bool | Reporter = True

    @property
    def folder(self) -> Path:
        """Where cells are kept."""
        return cache_folder() / "cells" if self.store is None else self.store


_DEFAULT = Settings()
_current: ContextVar[Settings] = ContextVar("overparam_cells", default=_DEFAULT)


def current() -> Settings:
    """Return the settings in force."""
    return _current.get()


def cache_folder() -> Path:
    """Return ``$OVERPARAM_CACHE``, or the platform's cache folder for overparam."""
    if chosen := os.environ.get("OVERPARAM_CACHE"):
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("overparam", appauthor=False))


@contextlib.contextmanager
def settings(
    *,
    store: str | Path | None = None,
    backend: Backend | None = None,
    jobs: int | None = None,
    progress: bool | Reporter | None = None,
) -> Iterator[Settings]:
    """Set where the cells of this block run and where they are kept.

    Parameters
    ----------
    store : path, optional
        Folder of the cells; by default ``cells`` in ``$OVERPARAM_CACHE`` or the platform's cache.
    backend : {"loky", "sequential", "dask", "ray"}, optional
        Processes of this machine (the default), this process, or a cluster, whose machines must
        share the folder.
    jobs : int, optional
        Worker processes; as many as there are cores by default. A cluster decides for itself.
    progress : bool or callable, optional
        False is silent; a callable gets (label, cells done, cells in all).

    Notes
    -----
    What is not given stays as it is in the block around.
    """
    before = _current.get()
    if backend is not None and backend not in BACKENDS:
        raise UserError(f"backend must be one of {', '.join(BACKENDS)}; got {backend!r}.")
    if backend in EXTRAS and importlib.util.find_spec(EXTRAS[backend]) is None:
        raise UserError(f"backend={backend!r} needs an extra: pip install 'overparam[{backend}]'.")
    if jobs is not None and jobs < 1:
        raise UserError(f"jobs must be at least 1; got {jobs}.")
    chosen = Settings(
        store=before.store if store is None else Path(store).absolute(),
        backend=before.backend if backend is None else backend,
        jobs=before.jobs if jobs is None else jobs,
        progress=before.progress if progress is None else progress,
    )
    shared = chosen.store is not None or os.environ.get("OVERPARAM_CACHE")
    if chosen.backend in EXTRAS and not shared:
        raise UserError(
            f"backend={chosen.backend!r} needs OVERPARAM_CACHE to name a folder that all "
            "machines of the cluster share."
        )
    token = _current.set(chosen)
    try:
        yield chosen
    finally:
        _current.reset(token)
