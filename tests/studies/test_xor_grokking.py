"""The study's claims: smoke runs them, planted tables decide them, reversed ones fail them."""

import numpy as np
import polars as pl
import pytest
from tests.studies.planted_claims import planted_verdicts
from tests.studies.smoke_evidence import check_missing_fashion_mnist, check_smoke

from overparam.data.embedded import FASHION_MNIST
from overparam.evidence.scale import FULL, QUICK
from overparam.studies import xor_grokking as claims
from overparam.studies.xor_grokking_cells import penalties

CLAIMS = [f"C{i}" for i in range(1, 10)]
STEPS = [0, 1, 2, 5, 10, 50, 100]


def xor_curves(at):
    """Curves over 31 steps as the paper has them."""
    rising = [0.5, 0.5, 0.92, 0.98, 0.99, 0.999] + [1.0] * 25
    linear = [0.5, 0.99, 0.3] + [0.05] * 28
    return {
        "train_accuracy": [0.5] + [1.0] * 30,
        "test_accuracy": rising,
        "noisy_accuracy": [0.1 + 0.8 * value for value in rising],
        "linear_part": linear,
        "right_neurons": [0.5, 0.5, 0.85, 0.97] + [0.99] * 27,
        "right_cosine": [0.1] * 31,
        "wrong_cosine": [0.1, 0.1] + [0.01] * 29,
        "ridge_accuracy": [0.49] * len(penalties(at["p"])),
    }


def image_curves(at):
    noisy = at["noise_columns"] > 0
    train = [0.5, 0.95, 1, 1, 1, 1, 1] if noisy else [0.5, 0.85, 0.86, 0.9, 0.95, 0.99, 1]
    test = [0.5, 0.53, 0.9, 0.97, 0.98, 0.99, 0.99]
    harmed = [0.5, 0.99, 0.98, 0.96, 0.95, 0.94, 0.93]
    return {
        "steps": STEPS,
        "train_accuracy": train,
        "test_accuracy": test if noisy else harmed,
        "wrong_labels_fit": train,
        "test_rows": 1000,
    }


def planted(**wrong):
    """A `run` that invents each cell; `wrong` replaces a figure of a row by its name."""

    def run(function, grid, **_):
        make = {"xor_descents": xor_curves, "image_descents": image_curves}
        rows = []
        batch = grid.axes[grid.batch]
        for point in grid.crossed():
            for value in batch:
                at = {**grid.constants, **point, grid.batch: value}
                if function.__name__ == "final_errors":
                    x = at["n"] * at["strength"] ** 2
                    jitter = 1 + 0.001 * at["seed"]
                    found = {"error": jitter * np.exp(-x / 300), "train_accuracy": 1.0, "x": x}
                else:
                    found = make[function.__name__](at)
                for name, change in wrong.items():
                    if name in found:
                        found[name] = change(found[name], at)
                axes = {name: at[name] for name in grid.axes}
                rows.append({**axes, **found})
        return pl.DataFrame(rows)

    return run


def verdicts(monkeypatch, claim, scale=QUICK, **wrong):
    return planted_verdicts(monkeypatch, claims, planted(**wrong), claim, scale)


def at_step(step, value):
    """A change of one step of a curve."""
    return lambda curve, _: [value if i == step else v for i, v in enumerate(curve)]


def to_all(value):
    return lambda curve, _: [value] * len(curve)


def one_seed(change, seed=0):
    return lambda curve, at: change(curve, at) if at["seed"] == seed else curve


@pytest.mark.parametrize("scale", [QUICK, FULL], ids=lambda scale: scale.name)
@pytest.mark.parametrize("claim", CLAIMS)
def test_the_papers_figures_hold(monkeypatch, claim, scale):
    assert set(verdicts(monkeypatch, claim, scale)) == {"holds"}


@pytest.mark.parametrize(
    ("claim", "wrong", "expected"),
    [
        ("C1", {"train_accuracy": at_step(1, 0.95)}, ["fails", "holds"]),
        ("C1", {"test_accuracy": at_step(1, 0.7)}, ["holds", "fails"]),
        ("C2", {"linear_part": one_seed(at_step(1, 0.9))}, ["fails", "holds"]),
        ("C2", {"linear_part": one_seed(at_step(30, 0.2))}, ["holds", "fails"]),
        ("C3", {"test_accuracy": at_step(30, 0.9)}, ["fails"]),
        ("C3", {"train_accuracy": at_step(30, 0.99)}, ["fails"]),
        ("C3", {"test_accuracy": one_seed(at_step(30, 0.9))}, ["holds"]),  # 9 of 10 will do
        ("C4", {"test_accuracy": one_seed(to_all(0.9))}, ["fails"]),
        ("C5", {"ridge_accuracy": at_step(3, 0.6)}, ["fails"]),
        ("C6", {"right_neurons": at_step(1, 0.7)}, ["fails", "holds"]),
        ("C6", {"right_neurons": at_step(5, 0.9)}, ["holds", "fails"]),
        ("C7", {"error": lambda error, _: 1 - error}, ["fails", "fails"]),
        ("C8", {"test_accuracy": one_seed(to_all(0.9))}, ["fails"] * 3),
        ("C9", {"train_accuracy": at_step(1, 0.8)}, ["fails", "holds", "holds", "holds"]),
        ("C9", {"test_accuracy": at_step(1, 0.8)}, ["holds", "fails", "holds", "holds"]),
        (
            "C9",
            {"train_accuracy": one_seed(at_step(5, 0.99))},
            ["holds", "holds", "fails", "holds"],
        ),
        ("C9", {"test_accuracy": at_step(5, 0.9)}, ["holds", "holds", "holds", "fails"]),
    ],
)
def test_reversed_effects_fail(monkeypatch, claim, wrong, expected):
    assert verdicts(monkeypatch, claim, **wrong) == expected


def test_the_six_claims_share_their_cells(monkeypatch):
    asked = []

    def run(function, grid, **options):
        asked.append((function.__name__, grid))
        return planted()(function, grid, **options)

    monkeypatch.setattr(claims, "run", run)
    for claim in CLAIMS[:6]:
        claims.study.claims[claim].measure(QUICK)
    assert len(asked) == 12  # two stacks a claim
    assert all(grid in (asked[0][1], asked[1][1]) for _, grid in asked)


@pytest.mark.slow
def test_smoke_gives_evidence_without_a_verdict(tmp_path):
    check_smoke(claims.study, tmp_path, CLAIMS)


@pytest.mark.skipif(FASHION_MNIST.is_dir(), reason="dataset-fashion-mnist is installed")
def test_without_fashion_mnist_the_claim_says_how_to_install_it(tmp_path):
    check_missing_fashion_mnist(claims.study, tmp_path, "C9")
