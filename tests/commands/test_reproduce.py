import json
import signal
import time

import pytest

from overparam.evidence.papers import PAPERS


def test_without_a_paper_it_lists_all_of_them(overparam):
    code, out, err = overparam("reproduce")
    assert (code, err) == (0, "")
    assert all(slug in out for slug in PAPERS)
    assert "(no study yet)" in out


def test_a_study_is_run_shown_and_written(overparam):
    code, out, err = overparam("reproduce", "tiny", "--backend", "sequential")
    assert code == 0
    assert out.splitlines()[:2] == [
        "Means Move",
        "3 claims at quick scale: about 0.1 minutes on two cores and 2 without an estimate",
    ]
    for word in ("C1", "holds", "C2", "inconclusive", "at least 0.5"):
        assert word in out
    folder = overparam.folder / "overparam-results" / "tiny-means"
    assert out.splitlines()[-1] == "overparam-results/tiny-means/quick.html"
    assert json.loads((folder / "quick.json").read_text())["claims"][0]["verdict"] == "holds"
    page = (folder / "quick.html").read_text()
    assert "The sample mean rises by at least 0.5" in page
    assert [line.split(" (")[0] for line in err.splitlines()] == [
        "C1: holds",
        "C2: inconclusive",
        "C3: holds",
    ]


def test_processes_give_the_same_results_and_out_is_used(overparam):
    overparam("reproduce", "tiny", "--backend", "sequential", "--out", "a")
    overparam(
        "reproduce",
        "tiny",
        "--jobs",
        "2",
        "--out",
        "b",
        OVERPARAM_CACHE=str(overparam.folder / "c2"),
    )

    def figures(folder):
        claims = json.loads((overparam.folder / folder / "quick.json").read_text())["claims"]
        return [
            (part["statistic"], part["interval"]) for claim in claims for part in claim["parts"]
        ]

    assert figures("a") == figures("b")


@pytest.mark.parametrize(
    ("options", "environment", "code"),
    [
        (["--claim", "C1"], {"TINY_SIGN": "-1"}, 0),  # it ran, whatever the verdict
        (["--claim", "C1", "--strict"], {"TINY_SIGN": "-1"}, 1),
        (["--claim", "C1", "--strict"], {}, 0),
        (["--claim", "C2", "--strict"], {}, 0),  # inconclusive is not failed
        (
            ["--claim", "C1", "--claim", "C3", "--strict"],
            {"TINY_SIGN": "-1", "TINY_BREAK": "claim"},
            3,
        ),
        (["--claim", "C3", "--scale", "full"], {}, 0),  # not run, and said so
    ],
)
def test_exit_codes(overparam, options, environment, code):
    assert (
        overparam("reproduce", "tiny", "--backend", "sequential", *options, **environment)[0]
        == code
    )


def test_a_failed_part_is_told_in_the_table_and_on_stderr(overparam):
    code, out, err = overparam("reproduce", "tiny", "--claim", "C1", TINY_BREAK="cell0")
    assert code == 3
    assert "the sample is broken" in " ".join(out.split())
    assert "Traceback" not in out + err
    where = "overparam-results/tiny-means/quick.errors.txt"
    assert f"overparam: a part failed; {where} shows where" in err
    assert "in sample_means" in (overparam.folder / where).read_text()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["reproduce", "tiny", "--scale", "huge"], 'Invalid value "huge" for --scale'),
        (["reproduce", "tiny", "--nope"], "Unknown option: --nope"),
        (["reproduce", "tiny", "--jobs", "x"], "Invalid value for --jobs"),
        (["reproduce", "tiny", "--jobs", "0"], "jobs must be at least 1; got 0"),
        (["reproduce", "tiny", "--claim", "C9"], "--claim must be one of C1, C2, C3; got 'C9'"),
        (["reproduce", "tiny", "--strict", "--scale", "smoke"], "--strict must have verdicts"),
        (["reproduce", "kan"], "Did you mean kan-assessment?"),
        (["reproduce", "tiny", "--backend", "ray"], "needs an extra: pip install 'overparam[ray]'"),
        (["reproduce", "tiny", "--out", "/dev/null/x"], "Not a directory"),
        (["reproduc"], 'Unknown command "reproduc"'),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(overparam, arguments, line):
    code, _, err = overparam(*arguments)
    assert code == 2
    assert line in err
    assert err.startswith("overparam: ")
    assert err.count("\n") == 1


def test_a_cluster_without_a_shared_folder_is_a_mistake(overparam):
    code, _, err = overparam("reproduce", "tiny", "--backend", "dask", OVERPARAM_CACHE="")
    assert (code, err.count("\n")) == (2, 1)
    assert "needs OVERPARAM_CACHE" in err


def test_an_interrupt_exits_130_and_the_same_command_goes_on(overparam):
    log = overparam.folder / "log"
    run = overparam.start(
        "reproduce", "tiny", "--backend", "sequential", TINY_LOG=str(log), TINY_SECONDS="3"
    )
    end = time.monotonic() + 30
    while not log.exists() and time.monotonic() < end:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert err == "overparam: interrupted; what is done is kept, the same command goes on\n"
    assert "Traceback" not in out
    assert overparam("reproduce", "tiny", "--backend", "sequential")[0] == 0
