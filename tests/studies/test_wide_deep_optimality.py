"""The study's claims: smoke runs them, planted tables decide them, reversed ones fail them."""

import polars as pl
import pytest
from tests.studies.planted_claims import planted_verdicts
from tests.studies.smoke_evidence import check_smoke

from overparam.evidence.intervals import t_interval
from overparam.evidence.scale import FULL, QUICK
from overparam.studies import wide_deep_optimality as claims

KINDS = {"h_2": "nearest-neighbor", "vote": "majority-vote"}
LEVELS = {"alpha = d": 0.03, "psi": 0.03, "alpha = 2d": 0.06, "1-NN": 0.08, "majority": 0.35}


def figures(function, at):
    """One row of the table of a cell, as the paper has it."""
    match function.__name__:
        case "limit_agreement":
            return {
                "kind": KINDS.get(at["activation"], "singular-kernel"),
                "agreement": 0.5 if at["depth"] == 1 else 0.995,
            }
        case "weight_slopes":
            return {"psi": -at["d"], "kernel": -at["d"] - 2}
        case "excess_risks":
            found = {rule: level + (at["n"] == 200) * 0.02 for rule, level in LEVELS.items()}
            return found | {"alpha = d/2": 0.13 + (at["n"] > 200) * 0.01}
        case "finite_network":
            return {"agreement": 0.995, "correlation": 1 - at["width"] ** -0.5, "largest": 1.0}
        case "depth_errors":
            deep = at["depth"] >= 20
            return {
                "regression": 1.0 if deep else 1e-3,
                "classification": 0.1 if deep else 0.3,
                "nearest": 0.12,
            }
    raise AssertionError(function)


def planted(**wrong):
    """A `run` that invents each cell; `wrong` overrides a figure by its name."""

    def run(function, grid):
        points = grid.crossed()
        if grid.batch is not None:
            points = [{**p, grid.batch: v} for p in points for v in grid.axes[grid.batch]]
        rows = []
        for point in points:
            at = {**grid.constants, **point}
            found = figures(function, at)
            for name, value in wrong.items():
                if name in found:
                    found[name] = value(at, found) if callable(value) else value
            noise = 1 + 1e-4 * (at.get("seed", 0) - 1)  # or intervals are points
            rows.append(
                {name: at[name] for name in [*point, "d"] if name in at}
                | {k: v if isinstance(v, str) else v * noise for k, v in found.items()}
            )
        return pl.DataFrame(rows)

    return run


def verdicts(monkeypatch, claim, scale=QUICK, **wrong):
    return planted_verdicts(monkeypatch, claims, planted(**wrong), claim, scale)


@pytest.mark.parametrize("scale", [QUICK, FULL], ids=lambda scale: scale.name)
@pytest.mark.parametrize("claim", ["C1", "C2", "C3", "C4", "C5", "C6"])
def test_the_papers_figures_hold(monkeypatch, claim, scale):
    assert set(verdicts(monkeypatch, claim, scale)) == {"holds"}


@pytest.mark.parametrize(
    ("claim", "wrong", "expected"),
    [
        ("C1", {"agreement": 0.9}, ["fails", "fails", "fails", "fails"]),
        (
            "C1",
            {"agreement": lambda at, _: 0.999 if at["depth"] == 1 else 0.98},
            ["fails", "fails", "holds", "fails"],
        ),
        ("C2", {"psi": lambda at, _: -1.01 * at["d"]}, ["fails", "holds"]),
        ("C2", {"kernel": lambda at, _: -at["d"]}, ["holds", "fails"]),
        (
            "C3",
            {"alpha = d": lambda at, _: 0.05 if at["n"] == 200 else 0.09},
            ["fails", "fails", "holds"],
        ),
        (
            "C4",
            {"alpha = d/2": lambda at, _: 10 / at["n"]},
            ["holds"] * 9 + ["fails"],
        ),
        (
            "C4",
            {"alpha = 2d": lambda at, f: 0.01 if at["problem"] == "patch" else f["alpha = 2d"]},
            ["holds"] * 5 + ["fails"] + ["holds"] * 4,
        ),
        ("C5", {"agreement": 0.97}, ["fails", "holds"]),
        ("C5", {"correlation": lambda at, _: 1 / at["width"]}, ["holds", "fails"]),
        ("C6", {"regression": 0.1}, ["fails", "fails", "holds", "holds"]),
        ("C6", {"classification": 0.2}, ["holds", "holds", "fails", "fails"]),
    ],
)
def test_reversed_effects_fail(monkeypatch, claim, wrong, expected):
    assert verdicts(monkeypatch, claim, **wrong) == expected


def test_an_interval_reaches_three_standard_errors_with_five_seeds():
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    reach = t_interval(values, claims.LEVEL).high - 3.0
    assert reach / (0.5**0.5) >= 3  # the standard error of these is sqrt(2.5 / 5)


@pytest.mark.slow
def test_smoke_gives_evidence_without_a_verdict(tmp_path):
    check_smoke(claims.study, tmp_path, [f"C{i}" for i in range(1, 7)])
