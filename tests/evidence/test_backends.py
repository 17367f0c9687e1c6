import importlib.util
import re
import textwrap

import pytest

TABLE = "print(cells.run(square, cells.grid(k=list(range(6)))).write_csv())"


@pytest.mark.parametrize("backend", ["sequential", "loky"])
def test_every_place_gives_the_same_table(package, backend):
    out = package.output(f"with cells.settings(backend={backend!r}):\n    {TABLE}")
    assert out == "k,y,word\n" + "".join(f"{k},{k * k},k={k}\n" for k in range(6)) + "\n"


def test_a_worker_has_one_inner_thread(package):
    out = package.output("print(cells.run(threads, cells.grid(k=[1, 2, 3])).rows())")
    assert out == "[(1, 1, '1'), (2, 1, '1'), (3, 1, '1')]\n"


def test_a_cell_that_kills_its_worker_fails_alone(package):
    body = "print(cells.run(careful, cells.grid(k=[1, 13, 4, 5, 6]), errors='return').rows())"
    rows = package.output(body)
    assert re.sub(r"\s+", " ", rows) == (
        "[(1, 1, None), (13, None, 'RuntimeError: the worker process died (out of memory, or a "
        "crash)'), (4, 4, None), (5, 5, None), (6, 6, None)] "
    )
    assert package.output(body) == rows  # it must not take the caller along when it is alone


def test_workers_with_old_code_do_not_go_on(package):
    body = f"""
        {TABLE}
        import importlib, os, pathlib, sys
        name = square.__module__.rpartition(".")[0]
        path = pathlib.Path(sys.modules[f"{{name}}.constants"].__file__)
        path.write_text("FACTOR = 2")
        os.utime(path, (0, 0))
        for part in ("constants", "method", "cells"):
            importlib.reload(sys.modules[f"{{name}}.{{part}}"])
        from importlib import import_module
        square = import_module(f"{{name}}.cells").square
        print(cells.run(square, cells.grid(k=[1, 2, 3]))["y"].to_list())
    """
    assert package.output(body).splitlines()[-1] == "[2, 8, 18]"


DASK = textwrap.dedent(
    """
    import os, signal, sys, threading, time
    import distributed

    def main():
        from overparam.evidence import cells
        from {name}.cells import square
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True,
                                      dashboard_address=None) as cluster:
            with distributed.Client(cluster):
                pids = [w.process.pid for w in cluster.workers.values()]

                def kill():
                    while len(open(os.environ["CELL_LOG"]).readlines()) < 4:
                        time.sleep(0.02)
                    os.kill(pids[0], signal.SIGKILL)
                    print("killed", flush=True)

                open(os.environ["CELL_LOG"], "a").close()
                killer = threading.Thread(target=kill)
                killer.start()
                with cells.settings(store={store!r}, backend="dask", progress=False):
                    table = cells.run(square, cells.grid(k=list(range(10))))
                killer.join()
        print(table.write_csv())

    if __name__ == "__main__":
        main()
    """
)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None,
    reason="needs dask: pip install 'overparam[dask]'",
)
def test_dask_finishes_when_one_of_two_workers_is_killed(package):
    script = package.folder / "run_dask.py"
    script.write_text(DASK.format(name=package.name, store=str(package.store)))
    body = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    out = package.output(body, seconds=0.3)
    assert "killed" in out
    expected = "k,y,word\n" + "".join(f"{k},{k * k},k={k}\n" for k in range(10))
    assert out.endswith(expected + "\n")
    computed = package.computed()
    assert len(computed) == 10
    assert sum(computed.values()) <= 11  # the cell in flight, no other
