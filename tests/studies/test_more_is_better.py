"""The study's claims: smoke runs them, planted tables decide them, reversed ones fail them."""

import numpy as np
import polars as pl
import pytest
from tests.studies.planted_claims import planted_verdicts
from tests.studies.smoke_evidence import check_smoke

from overparam.evidence.scale import FULL, QUICK
from overparam.studies import more_is_better as claims


def planted(**wrong):
    """A `run` that invents each cell as the paper has it; `wrong` overrides figures by name."""

    def gaussian(at, shake):
        truth = 0.3 if np.isinf(at["k"]) else 0.5
        return {
            "test": truth * 1.01 * shake,
            "train": 0.1 * shake,
            "test_se": 0.001,
            "train_se": 0.001,
            "theory_test": truth,
            "theory_train": 0.1,
        }

    def kernel(at, shake):
        test = at["n"] ** -0.2 * (1 + np.array(at["ridges"])) ** 0.2
        train = np.array(at["ridges"]) / 20
        return {
            "test": (test * shake).tolist(),
            "train": train.tolist(),
            "unseen": (test * 1.01).tolist(),
            "theory_test": (test * 0.7).tolist(),
        }

    def features(at, shake):
        k = np.array([1e5 if np.isinf(width) else width for width in at["k"]])
        tuned = at["n"] ** -0.2 + k**-0.3
        peak = 1 + 5 * (np.log(k / at["n"]) ** 2 < 0.1)
        test = np.repeat(tuned[:, None], len(at["ridges"]), axis=1)
        test[:, 0] *= peak + 0.1
        draws = 1 + 1e-3 * np.arange(at["draws"])
        test = test[..., None] * draws * shake
        return {"test": test.tolist(), "theory_test": test[..., 0].tolist()}

    def noisy(at, shake):
        ridges, draws = np.array(at["ridges"]), np.arange(at["draws"])
        test, train = [], []
        alpha, beta = 1.2, 1.19
        for noise in at["noises"]:
            root = claims.optimal_fitting_ratio(alpha, beta, noise) ** 2
            ratio = np.minimum(ridges / 5, 0.95)
            least = np.exp(np.abs(np.log((ratio + 1e-3) / (root + 1e-3)))) / 100
            t = (1 + least)[:, None] * (1 + 1e-4 * draws) * shake
            test.append(t)
            train.append(ratio[:, None] * t)
        return {
            "test": np.array(test).tolist(),
            "train": np.array(train).tolist(),
            "framework": [0.0] * len(at["noises"]),
            "alpha": alpha,
            "beta": beta,
        }

    made = {
        "gaussian_design": gaussian,
        "kernel_errors": kernel,
        "feature_errors": features,
        "noisy_kernel_errors": noisy,
    }

    def run(function, grid):
        axes = [name for name in grid.axes if name != grid.batch]
        rows = []
        for point in grid.crossed():
            for value in grid.axes[grid.batch] if grid.batch else [None]:
                here = {**point, **({grid.batch: value} if grid.batch else {})}
                at = {**grid.constants, **here}
                found = made[function.__name__](at, 1 + 1e-4 * at["seed"])
                found |= {
                    name: change(np.array(found[name]), at).tolist()
                    for name, change in wrong.items()
                    if name in found
                }
                rows.append({**{name: here[name] for name in axes}, **here, **found})
        return pl.DataFrame(rows, strict=False)

    return run


def verdicts(monkeypatch, claim, scale=QUICK, **wrong):
    return planted_verdicts(monkeypatch, claims, planted(**wrong), claim, scale)


@pytest.mark.parametrize("scale", [QUICK, FULL], ids=lambda scale: scale.name)
@pytest.mark.parametrize("claim", ["C1", "C2", "C3", "C4", "C5", "C6"])
def test_the_papers_figures_hold(monkeypatch, claim, scale):
    assert set(verdicts(monkeypatch, claim, scale)) == {"holds"}


def upside_down(values, at):
    return 2 - values


@pytest.mark.parametrize(
    ("claim", "wrong", "expected"),
    [
        ("C1", {"test": lambda v, _: 1.08 * v}, ["fails", "holds"]),
        ("C1", {"theory_train": lambda v, _: 1.5 * v}, ["holds", "fails"]),
        ("C2", {"unseen": lambda v, _: 0.7 * v}, ["fails"]),
        ("C3", {"test": upside_down}, ["fails", "fails", "fails"]),
        ("C3", {"test": lambda v, _: v.clip(max=0.6)}, ["holds", "holds", "fails"]),
        ("C4", {"train": lambda v, _: v + 0.4}, ["fails", "holds", "holds", "fails"]),
        ("C4", {"test": lambda v, _: 1 / v}, ["fails", "holds", "fails", "fails"]),
        ("C4", {"test": lambda v, _: np.ones_like(v)}, ["holds", "fails", "fails", "fails"]),
        ("C4", {"beta": lambda v, _: v + 1}, ["holds", "holds", "holds", "fails"]),
        ("C5", {"test": upside_down}, ["fails"]),
        ("C6", {"train": lambda v, _: -v}, ["fails"]),
    ],
)
def test_reversed_effects_fail(monkeypatch, claim, wrong, expected):
    assert verdicts(monkeypatch, claim, **wrong) == expected


def test_a_rule_of_two_standard_errors_is_one():
    differences = np.array([[[1.0, 3.0, 2.0, 2.0]]])  # a seed, a place, four draws
    spread = np.std([1, 3, 2, 2], ddof=1) / 2
    assert claims.beyond(differences, 2)[0, 0] == pytest.approx(2 - 2 * spread)


def test_the_best_ratio_lies_between_ridges():
    ridges = (0.0, 1.0, 2.0, 4.0, 8.0)
    u = np.log(np.maximum(ridges, 1e-3))
    test = ((u - np.log(3.0)) ** 2 + 1)[None, None, :, None]
    train = test * np.array(ridges)[None, None, :, None] / 10
    assert claims.best_ratios(test, train, ridges)[0, 0] == pytest.approx(0.3, rel=1e-9)


def test_the_forced_cost_is_read_at_the_ratio():
    test = np.array([[[1.0], [1.2], [2.0]]])
    train = np.array([[[0.0], [0.6], [1.8]]])  # ratios 0, 0.5, 0.9
    assert claims.forced_cost(test, train, 0.25)[0, 0] == pytest.approx(0.1)


@pytest.mark.slow
def test_smoke_gives_evidence_without_a_verdict(tmp_path):
    check_smoke(claims.study, tmp_path, [f"C{i}" for i in range(1, 7)])
