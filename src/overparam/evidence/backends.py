"""The places where tasks run: processes of this machine, this process, or a cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from overparam.evidence import source_closure
from overparam.evidence.cell_settings import Settings
from overparam.evidence.cell_work import Outcome, Task, failure, work

Numbered = tuple[int, Outcome]


def outcomes(tasks: list[Task], settings: Settings) -> Generator[Numbered, None, None]:
    """Yield (place in `tasks`, outcome) as tasks end, in any order.

    Tasks that another process is computing are left to the end and then waited for.
    """
    busy = []
    for place, outcome in _stream(tasks, range(len(tasks)), settings, wait=False):
        if outcome.state == "busy":
            busy.append(place)
        else:
            yield place, outcome
    yield from _stream(tasks, busy, settings, wait=True)


def _stream(
    tasks: list[Task], places: Iterable[int], settings: Settings, *, wait: bool
) -> Iterator[Numbered]:
    places = list(places)
    if not places:
        return
    if settings.backend == "sequential" or (settings.backend == "loky" and settings.jobs == 1):
        for place in places:
            yield place, work(tasks[place], wait=wait)
    elif settings.backend == "loky":
        yield from _local(tasks, places, settings, wait=wait)
    elif settings.backend == "dask":
        with _dask(settings):
            yield from _parallel(tasks, places, wait, return_as="generator_unordered")
    else:
        with _ray():
            yield from _parallel(tasks, places, wait, return_as="list")


def _numbered(place: int, task: Task, wait: bool) -> Numbered:
    return place, work(task, wait=wait)


def _parallel(
    tasks: list[Task], places: list[int], wait: bool, *, return_as: str
) -> Iterable[Numbered]:
    import joblib

    # A worker that has grown is replaced between two cells; nothing of it concerns the user.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs", module="joblib")
    calls = (joblib.delayed(_numbered)(place, tasks[place], wait) for place in places)
    return joblib.Parallel(batch_size=1, return_as=return_as)(calls)


def _local(
    tasks: list[Task], places: list[int], settings: Settings, *, wait: bool
) -> Iterator[Numbered]:
    """Run in worker processes; when one of them dies, find out whose task killed it."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    left = dict.fromkeys(places)
    try:
        with _loky(settings.jobs or cores()):
            for place, outcome in _parallel(tasks, places, wait, return_as="generator_unordered"):
                del left[place]
                yield place, outcome
    except TerminatedWorkerError:
        for place in left:  # one by one, so that the guilty task takes nobody along
            try:
                with _loky(2):  # with one job joblib would run the task in this very process
                    yield from _parallel(tasks, [place], True, return_as="list")
            except TerminatedWorkerError:
                death = RuntimeError("the worker process died (out of memory, or a crash)")
                yield place, Outcome("failed", failure(tasks[place], death))


def cores() -> int:
    """Return how many cores this process may use."""
    from joblib.externals import loky

    return loky.cpu_count()


@contextlib.contextmanager
def _loky(jobs: int) -> Iterator[None]:
    import joblib

    with joblib.parallel_config(
        backend="loky",
        n_jobs=jobs,
        inner_max_num_threads=1,
        # Other arguments make joblib start new workers: those with old code must not go on.
        initializer=_start_worker,
        initargs=(source_closure.changes(),),
    ):
        yield


def _start_worker(changes: int) -> None:
    # Ctrl-C reaches every process of the terminal: the parent decides, and stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()


def _leave_with(parent: int) -> None:
    """End this process soon after its parent was killed; the system releases its locks."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@contextlib.contextmanager
def _dask(settings: Settings) -> Iterator[None]:
    """Use the current client, or the scheduler that dask is configured for, or local workers."""
    import dask
    import distributed
    import joblib

    with contextlib.ExitStack() as stack:
        try:
            distributed.default_client()
        except ValueError:
            local = {"n_workers": settings.jobs or cores(), "threads_per_worker": 1}
            remote = dask.config.get("scheduler-address", None)
            stack.enter_context(distributed.Client(**({} if remote else local)))
        stack.enter_context(joblib.parallel_config(backend="dask", n_jobs=-1))
        yield


@contextlib.contextmanager
def _ray() -> Iterator[None]:
    import joblib
    from ray.util.joblib import register_ray

    register_ray()
    with joblib.parallel_config(backend="ray", n_jobs=-1):
        yield


@contextlib.contextmanager
def polling(count: Callable[[], Any], seconds: float = 2.0) -> Iterator[None]:
    """Call `count` every few seconds meanwhile: for backends that report only at the end."""
    over = threading.Event()

    def poll() -> None:
        while not over.wait(seconds):
            count()

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
