"""The study's claims: smoke runs them, planted tables decide them, reversed ones fail them."""

import polars as pl
import pytest
from tests.studies.planted_claims import planted_verdicts
from tests.studies.smoke_evidence import check_missing_fashion_mnist, check_smoke

from overparam.data.embedded import FASHION_MNIST
from overparam.evidence.scale import FULL, QUICK
from overparam.studies import data_diet as claims

CLAIMS = ["C1", "C1b", "C2", "C2b", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10"]

ACCURACY = {"full": 0.877, "random": 0.860, "trimmed": 0.874, "grand": 0.872, "start": 0.79}
ACCURACY |= {"hardest": 0.870, "easiest": 0.81, "norm": 0.80}
EPOCHS = (0, 1, 2, 4, 10, 20)
CURVES = {
    "grand_el2n": (0.53, 0.99, 0.99, 0.995, 0.998, 0.999),
    "grand_norm": (0.99, 0.01, 0.0, 0.0, 0.02, 0.01),
    "el2n_last": (-0.2, 0.87, 0.91, 0.95, 0.98, 1.0),
    "el2n_forgetting": (-0.1, 0.72, 0.74, 0.76, 0.76, 0.75),
    "one_mean": (0.5, 0.94, 0.91, 0.93, 0.95, 0.98),
    "one_one": (0.1, 0.8, 0.8, 0.8, 0.9, 0.95),
    "half_half": (0.1, 0.95, 0.95, 0.95, 0.97, 0.98),
}
NOISE = {1: 0.98, 2: 0.98, 4: 0.97, 10: 0.91}


def figures(name, at):
    if name == "pruned":
        rules = {"headline": ("full", "random", "trimmed"), "gradient": ("grand", "start")}
        chosen = rules.get(at["group"], ("hardest", "easiest", "norm"))
        return {r: ACCURACY[r] for r in chosen} | {f"{r}_least": 0.5 for r in chosen}
    if name == "trajectory":
        return {
            f"{curve}@{epoch}": value
            for curve, values in CURVES.items()
            for epoch, value in zip(EPOCHS, values, strict=True)
        }
    if name == "noise_detection":
        return {f"{s}@{e}": auc for s in ("mean", "one", "grand") for e, auc in NOISE.items()}
    if name == "transfer":
        return {"0-1": 0.95, "0-2": 0.96, "1-2": 0.94}
    if name == "barriers":
        return {"easy": 1e-4, "hard": 0.2 / (1 + 4 * at["spawn"]), "all": 0.03}
    if name == "kernel_velocity":
        return {f"v{i}": 0.01 * (i + 1) for i in range(9)} | {"v9": 0.07}
    shares = (0.2, 0.3, 0.5, 0.7, 0.9, 1)
    scored = {f"scored@{share:g}": 0.98 for share in shares}
    return scored | {f"random@{share:g}": 0.97 for share in shares} | {"droppable": 0.5}


def planted(**wrong):
    """A `run` that invents each cell; `wrong` overrides a figure by its name (@ as _at_)."""
    changed = {name.replace("_at_", "@").replace("pair_", ""): v for name, v in wrong.items()}

    def run(function, grid):
        rows = []
        for point in grid.crossed():
            at = {**grid.constants, **point}
            found = figures(function.__name__, at)
            found |= {n: v(at) if callable(v) else v for n, v in changed.items() if n in found}
            noise = 1 + 0.0005 * at["seed"]  # seeds differ a little, or intervals are points
            rows.append(point | {n: v * noise for n, v in found.items()})
        return pl.DataFrame(rows)

    return run


def verdicts(monkeypatch, claim, scale=QUICK, **wrong):
    return planted_verdicts(monkeypatch, claims, planted(**wrong), claim, scale)


@pytest.mark.parametrize("scale", [QUICK, FULL], ids=lambda scale: scale.name)
@pytest.mark.parametrize("claim", CLAIMS)
def test_the_prototypes_figures_decide(monkeypatch, claim, scale):
    expected = "fails" if claim in ("C1b", "C2b") else "holds"
    assert set(verdicts(monkeypatch, claim, scale)) == {expected}


@pytest.mark.parametrize(
    ("claim", "wrong", "expected"),
    [
        ("C1", {"trimmed": 0.861}, ["fails", "fails"]),
        ("C1", {"random": 0.873}, ["fails", "holds"]),
        ("C1b", {"trimmed": 0.88}, ["holds"]),
        ("C2", {"grand": 0.86, "start": 0.85}, ["fails", "fails", "holds", "holds"]),
        ("C2", {"grand_norm_at_0": 0.5}, ["holds", "holds", "fails", "holds"]),
        ("C2", {"grand_norm_at_1": 0.5}, ["holds", "holds", "holds", "fails"]),
        ("C2b", {"start": 0.87}, ["holds"]),
        ("C3", {"grand_el2n_at_10": 0.9}, ["fails"]),
        ("C4", {"el2n_last_at_1": 0.7}, ["fails", "holds"]),
        ("C4", {"el2n_forgetting_at_4": 0.6}, ["holds", "fails"]),
        ("C5", {"one_one_at_4": 0.97}, ["fails"]),
        ("C6", {"mean_at_2": 0.94}, ["fails", "inconclusive"]),
        ("C6", {"mean_at_10": 0.97}, ["holds", "fails"]),
        ("C7", {"pair_1-2": 0.8}, ["fails"]),
        ("C8", {"easy": 0.01}, ["fails", "holds", "holds"]),
        ("C8", {"hard": 0.04}, ["holds", "fails", "fails"]),
        ("C9", {"v4": 0.035, "v9": 0.2}, ["fails", "fails"]),
        ("C10", {"scored_at_0.5": 0.96}, ["fails"]),
    ],
)
def test_reversed_effects_fail(monkeypatch, claim, wrong, expected):
    assert verdicts(monkeypatch, claim, **wrong) == expected


@pytest.mark.slow
def test_smoke_gives_evidence_without_a_verdict(tmp_path):
    check_smoke(claims.study, tmp_path, CLAIMS)


@pytest.mark.skipif(FASHION_MNIST.is_dir(), reason="dataset-fashion-mnist is installed")
def test_without_fashion_mnist_the_claim_says_how_to_install_it(tmp_path):
    check_missing_fashion_mnist(claims.study, tmp_path, "C1")
