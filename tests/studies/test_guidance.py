"""The study's claims: smoke runs them, planted tables decide them, reversed ones fail them."""

import polars as pl
import pytest
from tests.studies.planted_claims import planted_verdicts
from tests.studies.smoke_evidence import check_missing_fashion_mnist, check_smoke

from overparam.data.embedded import FASHION_MNIST
from overparam.evidence.scale import FULL, QUICK
from overparam.studies import guidance as claims
from overparam.studies.guidance_cells import GROUPS

CLAIMS = ["C1", "C1b", "C1c", "C1d", "C2", "C3", "C4", "C7", "C8"]

# Accuracy by epoch of 40 (and, to epoch 20, 48) layers, and of convolutions.
ACCURACY = {
    "none": {5: 0.10, 10: 0.11, 15: 0.17, 20: 0.14, 30: 0.52, 45: 0.6, 60: 0.637},
    "untrained": {5: 0.10, 10: 0.15, 15: 0.31, 20: 0.22, 30: 0.53, 45: 0.61, 60: 0.646},
    "trained": {5: 0.10, 10: 0.20, 15: 0.41, 20: 0.29, 30: 0.61, 45: 0.65, 60: 0.677},
    "untrained start": {15: 0.32},
    "trained start": {15: 0.42},
    "noise": {15: 0.15},
    "network of its kind": {15: 0.18},
    "distilled": {15: 0.19},
    "alignment alone": {15: 0.40},
    "alignment alone, untrained": {15: 0.30},
}
WIDE = {"none": 0.28, "untrained": 0.14, "trained": 0.1}  # rise of the log loss after epoch 15
KAPPA = {"kappa none": 0.3, "kappa trained": 0.4, "kappa low": 0.05, "kappa high": 0.15}
CONVOLUTIONS = {False: {4: 0.48, 8: 0.67}, True: {4: 0.40, 8: 0.71}}


def figures(name, at):
    measured = at["measured"]
    if name == "convolutions":
        found = {f"accuracy@{e}": CONVOLUTIONS[at["guided"]][e] for e in measured}
        return found | {f"nll@{e}": 1.0 for e in measured}
    found = {}
    for condition in GROUPS[at["group"]]:
        for e in measured:
            if at["depth"] == 3:
                found[f"{condition}@{e}"] = 0.83 + 0.005 * (condition != "none")
                found[f"{condition} nll@{e}"] = 0.5 + WIDE[condition] * max(0, e - 15) / 15
            else:
                found[f"{condition}@{e}"] = ACCURACY[condition][e]
                if not condition.startswith("alignment"):
                    found[f"{condition} nll@{e}"] = 1.0
    return found | (KAPPA if at["group"] == "trained pair" else {})


def planted(wrong):
    """A `run` that invents each cell; `wrong` overrides figures by their names."""

    def run(function, grid):
        rows = []
        for point in grid.crossed():
            at = {**grid.constants, **point}
            found = figures(function.__name__, at)
            for name, value in wrong.items():
                key, _, guided = name.partition("/")
                if key in found and guided in ("", str(at.get("guided"))):
                    found[key] = value
            noise = 1 + 0.0005 * at["seed"]  # seeds differ a little, or intervals are points
            rows.append(point | {n: v * noise for n, v in found.items()})
        return pl.DataFrame(rows, infer_schema_length=None)

    return run


def verdicts(monkeypatch, claim, scale=QUICK, wrong=None):
    return planted_verdicts(monkeypatch, claims, planted(wrong or {}), claim, scale)


@pytest.mark.parametrize("scale", [QUICK, FULL], ids=lambda scale: scale.name)
@pytest.mark.parametrize("claim", CLAIMS)
def test_the_prototypes_figures_decide(monkeypatch, claim, scale):
    expected = "fails" if claim == "C1d" else "holds"
    assert set(verdicts(monkeypatch, claim, scale)) == {expected}


@pytest.mark.parametrize(
    ("claim", "wrong", "expected"),
    [
        ("C1", {"untrained@20": 0.15}, ["fails", "holds"]),
        ("C1", {"trained@20": 0.1}, ["holds", "fails"]),
        ("C1b", {"none@15": 0.3}, ["fails", "holds"]),
        ("C1b", {"trained@15": 0.2}, ["holds", "fails"]),
        ("C1c", {"none@60": 0.66}, ["fails", "holds"]),
        ("C1c", {"trained@60": 0.6}, ["holds", "fails"]),
        ("C1d", {"untrained@60": 0.7}, ["holds"]),
        ("C2", {"untrained start@15": 0.2}, ["fails", "fails", "holds", "holds"]),
        ("C2", {"trained start@15": 0.5}, ["holds", "holds", "fails", "holds"]),
        ("C3", {"untrained nll@30": 0.75}, ["fails", "holds"]),
        ("C3", {"untrained@30": 0.8}, ["holds", "fails"]),
        ("C4", {"accuracy@8/True": 0.6}, ["fails"]),
        ("C7", {"kappa trained": 0.2}, ["fails"]),
        ("C8", {"noise@15": 0.4}, ["fails", "holds", "holds", "holds"]),
        ("C8", {"network of its kind@15": 0.4}, ["holds", "fails", "holds", "holds"]),
        ("C8", {"distilled@15": 0.5}, ["holds", "holds", "fails", "holds"]),
        ("C8", {"alignment alone@15": 0.1}, ["holds", "holds", "holds", "fails"]),
    ],
)
def test_reversed_effects_fail(monkeypatch, claim, wrong, expected):
    assert verdicts(monkeypatch, claim, wrong=wrong) == expected


@pytest.mark.slow
def test_smoke_gives_evidence_without_a_verdict(tmp_path):
    check_smoke(claims.study, tmp_path, CLAIMS)


@pytest.mark.skipif(FASHION_MNIST.is_dir(), reason="dataset-fashion-mnist is installed")
def test_without_fashion_mnist_the_claim_says_how_to_install_it(tmp_path):
    check_missing_fashion_mnist(claims.study, tmp_path, "C1")
