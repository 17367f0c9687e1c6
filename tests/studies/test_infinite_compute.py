"""The study's claims: smoke runs them, planted tables decide them, reversed ones fail them."""

import math

import polars as pl
import pytest
from tests.studies.smoke_evidence import check_smoke

from overparam.data import text
from overparam.evidence.cells import settings
from overparam.evidence.scale import FULL, QUICK
from overparam.studies import infinite_compute as claims
from overparam.studies.reproducing import reproduce

# Losses as the paper's small form has them: (width, decay, epochs) -> nats.
LOSS = {
    (32, 0.1, 32): 2.61, (64, 0.1, 32): 2.78, (128, 0.1, 32): 4.12,
    (64, 0.1, 16): 2.62, (128, 0.1, 16): 2.74, (128, 0.1, 8): 2.63, (32, 0.1, 16): 2.63,
    (32, 1.0, 32): 2.51, (64, 3.0, 32): 2.49, (128, 3.0, 32): 2.47, (64, 1.0, 32): 2.60,
    (64, 1.0, 64): 2.56, (64, 1.0, 16): 2.58, (64, 3.0, 16): 2.57,
}  # fmt: skip
OF_PAIRS = {32: 0.02, 64: 0.04, 128: 0.11}  # what each doubling of the members saves
DATA = {24_576: 2.62, 49_152: 2.37, 98_304: 2.10}


def planted(**wrong):
    """`models` and `run` that invent each cell; `wrong` overrides a figure."""

    def loss(at):
        if "loss" in wrong and (found := wrong["loss"](at)) is not None:
            return found
        if at["weight_decay"] == 0.1 and at["epochs"] == 16 and at["d"] == 64:
            return DATA[at["characters"]]
        return LOSS.get((at["d"], at["weight_decay"], at["epochs"]), 2.7)

    def row(at):
        value = loss(at) + 0.002 * at["seed"]  # seeds differ a little, or intervals are points
        return {**at, "loss": value, "elsewhere": 1 + value}

    def models(seeds, recipes, **constants):
        return pl.DataFrame(
            [row({**constants, **one, "seed": seed}) for one in recipes for seed in seeds]
        )

    def run(function, grid):
        rows = []
        for point in grid.crossed():
            at = {**grid.constants, **point}
            if function.__name__ == "student":
                rows.append({**point, "loss": wrong.get("student", 2.40) + 0.002 * at["seed"]})
                continue
            n = len(at["seeds"])
            saved = wrong.get("saved", lambda at: OF_PAIRS[at["d"]])(at)
            losses = []
            for i in range(1, 2**n):
                members = [m for m in range(n) if i >> m & 1]
                mean = sum(row({**at, "seed": m})["loss"] for m in members) / len(members)
                losses.append(mean - saved * math.log2(len(members)))
            same = dict.fromkeys(("loss", "loss_of_probabilities", "elsewhere"), losses)
            rows.append({**point, **same, "counted": [3.2, 2.6, 2.3, 2.2]})
        return pl.DataFrame(rows)

    return models, run


def verdicts(monkeypatch, claim, scale=QUICK, **wrong):
    models, run = planted(**wrong)
    monkeypatch.setattr(claims, "models", models)
    monkeypatch.setattr(claims, "run", run)
    return [str(part.verdict) for part in claims.study.claims[claim].measure(scale).values()]


@pytest.mark.parametrize("scale", [QUICK, FULL], ids=lambda scale: scale.name)
@pytest.mark.parametrize("claim", ["C1", "C2", "C4", "C6", "C7", "C8"])
def test_the_papers_figures_hold(monkeypatch, claim, scale):
    assert set(verdicts(monkeypatch, claim, scale)) == {"holds"}


def test_gains_along_the_width_hold_and_rises_fail(monkeypatch):
    assert verdicts(monkeypatch, "C3") == ["holds", "holds"]

    def grows(at):
        return 2.3 + 0.2 * at["d"] / 64

    assert verdicts(monkeypatch, "C3", loss=grows) == ["fails", "fails"]


def test_members_that_want_less_decay_are_seen(monkeypatch):
    def saved(at):
        return 0.12 if at["weight_decay"] == 1.0 else 0.03

    assert verdicts(monkeypatch, "C5", saved=saved) == ["holds", "holds"]
    assert verdicts(monkeypatch, "C5")[1] == "fails"
    strong = verdicts(monkeypatch, "C5", saved=lambda at: 0.02 * at["weight_decay"])
    assert strong == ["fails", "fails"]
    weak_singles = verdicts(monkeypatch, "C5", loss=lambda at: at["weight_decay"])
    assert weak_singles == ["inconclusive", "inconclusive"]  # the grid ends there


@pytest.mark.parametrize(
    ("claim", "scale", "wrong", "expected"),
    [
        ("C1", QUICK, {"loss": lambda at: 2.5}, ["fails", "fails"]),
        ("C1", QUICK, {"loss": lambda at: 3 - 0.001 * at["d"] * at["epochs"]}, ["fails"] * 2),
        ("C2", QUICK, {"loss": lambda at: 2.5 + at["weight_decay"]}, ["fails", "fails"]),
        ("C4", QUICK, {"saved": lambda at: 0.0}, ["fails", "fails"]),
        ("C6", QUICK, {"saved": lambda at: -0.05}, ["holds", "holds", "fails"]),
        ("C6", QUICK, {"saved": lambda at: -0.2 * (at["d"] > 64)}, ["fails"] * 3),
        ("C7", QUICK, {"student": 2.48}, ["fails"]),
        ("C8", QUICK, {"saved": lambda at: -0.01}, ["holds", "fails"]),
        ("C8", QUICK, {"loss": lambda at: at["weight_decay"]}, ["fails", "holds"]),
    ],
)
def test_reversed_effects_fail(monkeypatch, claim, scale, wrong, expected):
    assert verdicts(monkeypatch, claim, scale, **wrong) == expected


@pytest.mark.slow
def test_smoke_gives_evidence_without_a_verdict(tmp_path):
    check_smoke(claims.study, tmp_path, [f"C{i}" for i in range(1, 9)])


def test_without_the_dictionary_a_claim_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "GCIDE", tmp_path / "none")
    with settings(store=tmp_path, backend="sequential", progress=False):
        results = reproduce(claims.study, QUICK, claims=["C1"])
    (entry,) = results["claims"]
    assert entry["verdict"] == "inconclusive"
    assert "apt-get install dict-gcide" in entry["error"]
