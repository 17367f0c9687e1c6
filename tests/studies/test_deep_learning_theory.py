"""The study's claims: smoke runs them, planted tables decide them, reversed ones fail them."""

import itertools

import numpy as np
import polars as pl
import pytest
from tests.studies.smoke_evidence import check_smoke

from overparam.evidence.scale import FULL, QUICK
from overparam.studies import deep_learning_theory as claims
from overparam.studies import deep_learning_theory_aspect as aspect
from overparam.studies import deep_learning_theory_rates as rates
from overparam.studies import deep_learning_theory_scaling as scaling

IDS = [f"C{k}" for k in range(1, 11)]
SLOPES = {0.0: 5.0, 0.25: 6.0, 0.5: 4.8, 0.75: 2.3, 0.9: 0.73, 0.95: 0.3}


def random_nets(at):
    names = [*(f"K_{layer}" for layer in at["shown"]), "H"]
    found = dict.fromkeys(names, 2.0)
    return found | {f"{n}_theory": 2.0 for n in names} | {f"{n}_error": 0.01 for n in names}


def metric_moments(at):
    found = {f"measured_{layer}": float(layer) for layer in at["layers"]}
    return found | {f"theory_{layer}": float(layer) for layer in at["layers"]}


def gradient_ratio(at):
    return {"geometric": 22 * np.log(at["factor"]) - 0.5, "arithmetic": 0.0, "theory": 0.0}


def residual_moments(at):
    slope = SLOPES[at["residual"]] if at["activation"] == "relu" else 2 * (1 - at["residual"] ** 2)
    return {"measured": slope, "theory": slope}


def fitted_nets(at):
    L, n = at["layers"], at["width"]
    return {
        "kernel_change": L**1.3 * n**-0.9,
        "from_theory": n**-0.5,
        "from_quarter": 0.1 * L * n**-0.9,
    }


def trained_nets(at):
    hidden, ratio = at["layers"] - 1, at["layers"] / at["width"]
    loss = 1 + ratio * (0.2 if at["residual"] else 1.0)
    if at["activation"] == "tanh":
        loss = 1 + abs(np.log(hidden / (0.12 * at["width"])))
    best = 10.0 if at["layerwise"] else 1.0 / at["layers"]
    distance = np.log(np.array(at["rates"]) / best) ** 2
    return {
        "loss": loss,
        "accuracy": 0.7 - 0.6 * abs(np.log(at["factor"])) * (10 if at["factor"] != 1 else 0) / 5,
        "rate": 1.0,
        "train_losses": distance + (0.5 if at["layerwise"] else 0.6),
    }


FIGURES = {
    function.__name__: function
    for function in (
        random_nets,
        metric_moments,
        gradient_ratio,
        residual_moments,
        fitted_nets,
        trained_nets,
    )
}


def planted(**wrong):
    """A `run` that invents each cell; `wrong` changes a figure by its name."""

    def run(function, grid):
        together = grid.axes[grid.batch] if grid.batch else [None]
        rows = []
        for point, value in itertools.product(grid.crossed(), together):
            place = point | ({grid.batch: value} if grid.batch else {})
            at = {**grid.constants, **place}
            found = FIGURES[function.__name__](at)
            found |= {n: change(at, found[n]) for n, change in wrong.items() if n in found}
            noise = 1 + 0.001 * at["seed"]  # seeds differ a little, or intervals are points
            seeded = {
                n: (x if n.endswith(("theory", "error")) else x * noise) for n, x in found.items()
            }
            rows.append(
                place | {n: x.tolist() if hasattr(x, "tolist") else x for n, x in seeded.items()}
            )
        return pl.DataFrame(rows)

    return run


def verdicts(monkeypatch, claim, scale=QUICK, **wrong):
    for module in (claims, aspect, rates, scaling):
        monkeypatch.setattr(module, "run", planted(**wrong))
    parts = claims.study.claims[claim].measure(scale)
    return {name: str(part.verdict) for name, part in parts.items()}


@pytest.mark.parametrize("scale", [QUICK, FULL], ids=lambda scale: scale.name)
@pytest.mark.parametrize("claim", IDS)
def test_the_books_figures_hold(monkeypatch, claim, scale):
    found = verdicts(monkeypatch, claim, scale)
    assert set(found.values()) == {"holds"}, found


@pytest.mark.parametrize(
    ("claim", "wrong", "failing"),
    [
        ("C1", {"H": lambda at, x: 1.1 * x}, ["K and H"]),
        (
            "C2",
            {"measured_11": lambda at, x: x * (1.2 if at["activation"] == "relu" else 1)},
            ["relu: exact form, r <= 0.1"],
        ),
        (
            "C3",
            {"geometric": lambda at, x: -0.5},
            ["C_W x 0.8: vanishes", "C_W x 1.25: explodes (not tanh)"],
        ),
        ("C3", {"geometric": lambda at, x: x - 4}, ["critical: kept"]),
        ("C3", {"arithmetic": lambda at, x: 0.7}, ["critical ReLU: mean over nets is 1"]),
        (
            "C3",
            {"accuracy": lambda at, x: 0.5},
            [
                "ReLU trains better than at 0.8",
                "tanh trains better than at 0.8",
                "ReLU trains better than at 1.25",
            ],
        ),
        (
            "C5",
            {"kernel_change": lambda at, x: x * at["width"] / at["layers"]},
            ["tanh: in depth", "tanh: in width", "relu: in depth", "relu: in width"],
        ),
        ("C6", {"from_theory": lambda at, x: 0.1}, ["error / width"]),
        ("C7", {"from_quarter": lambda at, x: 0.1}, ["tanh: in width"]),
        (
            "C8",
            {"train_losses": lambda at, x: x[::-1] + (at["layerwise"] * 0.3)},
            ["(c) tanh: trains at least as well"],
        ),
        (
            "C8",
            {
                "train_losses": lambda at, x: (
                    np.log(np.array(at["rates"]) / (100 / at["layers"])) ** 2
                    if at["layerwise"]
                    else np.log(np.array(at["rates"]) / 0.1) ** 2 + 1e3
                )
            },
            ["(b) tanh: layer-wise optimum stays", "(b) tanh: global optimum moves"],
        ),
        (
            "C9",
            {"loss": lambda at, x: 1 + at["layers"] + 1e-3 * at["width"]},
            [
                "Fashion-MNIST: more than depth",
                "digits: more than depth",
                "tanh: within a factor of 4",
                "tanh: best depth grows with width",
                "skips push the usable depth",
            ],
        ),
        (
            "C9",
            {"loss": lambda at, x: 3 - x},
            [
                "Fashion-MNIST: r governs",
                "Fashion-MNIST: more than depth",
                "digits: r governs",
                "digits: more than depth",
            ],
        ),
        (
            "C10",
            {"measured": lambda at, x: x * (3 if at["residual"] == 0.9 else 1)},
            ["within 10 % at xi^2 >= 0.5", "strong skips calm a net"],
        ),
    ],
)
def test_reversed_effects_fail(monkeypatch, claim, wrong, failing):
    found = verdicts(monkeypatch, claim, **wrong)
    assert set(failing) <= {name for name, verdict in found.items() if verdict == "fails"}, found


def test_a_wrong_critical_point_fails(monkeypatch):
    monkeypatch.setitem(claims.VALUES, "gelu", (0.1730, 1.9831))
    assert verdicts(monkeypatch, "C4")["critical values to 4 digits"] == "fails"


@pytest.mark.slow
def test_smoke_gives_evidence_without_a_verdict(tmp_path):
    check_smoke(claims.study, tmp_path, IDS)
