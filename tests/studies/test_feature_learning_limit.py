"""The study's claims: smoke runs them, planted tables decide them, reversed ones fail them."""

import numpy as np
import polars as pl
import pytest
from tests.studies.planted_claims import planted_verdicts
from tests.studies.smoke_evidence import check_smoke

from overparam.evidence.scale import FULL, QUICK
from overparam.nets.parametrization import ABC
from overparam.studies import feature_learning_limit as claims


def figures(function, at):
    """Each cell as the paper has it."""
    width = at["width"]
    if function.__name__ == "parametrized_training":
        limit = ABC(at["a"], at["b"], at["c"]).classify()
        n = float(width)
        found = {"feature": n**limit.feature_exponent, "output": n**limit.output_exponent}
        if limit.kind == "unstable":
            found["output"] = n**6
        return found | {"kernel": 1.0 if limit.kind == "feature-learning" else n**-0.8}
    if function.__name__ == "word_vectors":
        score = {"limit": 0.6, "ntk": 0.1}.get(width) or 0.58 - 1 / float(width)
        return {"map": score, "nearest": score}
    if function.__name__ == "few_shot":
        score = {"limit": 0.605, "ntk": 0.47}.get(width) or 0.6 - 0.2 / float(width)
        return {"accuracy": score}
    if function.__name__ == "distance_to_limit":
        return {"distance": width**-0.5}
    octave = -7 if at["maximal"] else -7 - 0.75 * np.log2(width / 64)
    return {"losses": [0.2 + 0.1 * (np.log2(rate) - octave) ** 2 for rate in at["rates"]]}


def planted(wrong):
    """A `run` that invents each cell; `wrong` changes what `figures` says."""

    def run(function, grid):
        rows = []
        for point in grid.crossed():
            at = {**grid.constants, **point}
            found = wrong(function, at, figures(function, at))
            noise = 1 + 0.001 * at["seed"]
            rows.append(
                {
                    k: str(v) if k == "width" and grid_has_words(grid) else v
                    for k, v in point.items()
                }
                | {
                    name: [noise * v for v in value] if isinstance(value, list) else value * noise
                    for name, value in found.items()
                }
            )
        return pl.DataFrame(rows, infer_schema_length=None)

    return run


def grid_has_words(grid):
    return any(isinstance(point["width"], str) for point in grid.crossed())


def verdicts(monkeypatch, claim, scale=QUICK, wrong=lambda function, at, found: found):
    return planted_verdicts(monkeypatch, claims, planted(wrong), claim, scale)


@pytest.mark.parametrize("scale", [QUICK, FULL], ids=lambda scale: scale.name)
@pytest.mark.parametrize("claim", ["C1", "C2", "C3", "C4", "C5", "C6"])
def test_the_papers_figures_hold(monkeypatch, claim, scale):
    assert set(verdicts(monkeypatch, claim, scale)) == {"holds"}


def steeper(function, at, found):
    n = float(at["width"])
    return {name: value * n**-0.4 for name, value in found.items()}


def tame(function, at, found):
    return found | {"output": min(found["output"], 1.0)}


def no_transfer(function, at, found):
    return figures(function, at | {"maximal": False})


def transfer(function, at, found):
    return figures(function, at | {"maximal": True})


def slow(function, at, found):
    return {"distance": at["width"] ** -0.3}


def falling(function, at, found):
    return {name: 1 - value for name, value in found.items()}


@pytest.mark.parametrize(
    ("claim", "wrong", "expected"),
    [
        ("C1", steeper, ["fails", "holds"]),
        ("C1", tame, ["holds", "fails"]),
        ("C2", steeper, ["fails", "holds"]),
        ("C2", lambda f, at, found: dict.fromkeys(found, 1.0), ["holds", "fails"]),
        ("C3", falling, ["fails", "fails", "fails"]),
        ("C4", falling, ["fails", "fails", "fails"]),
        ("C5", no_transfer, ["fails", "holds"]),
        ("C5", transfer, ["holds", "fails"]),
        ("C6", slow, ["fails"]),
    ],
)
def test_reversed_effects_fail(monkeypatch, claim, wrong, expected):
    assert verdicts(monkeypatch, claim, QUICK, wrong) == expected


def test_the_best_octave_is_the_parabolas():
    octaves = np.arange(-10, -2)
    losses = [float(np.exp(0.05 * (o + 6.3) ** 2)) for o in octaves]
    assert claims.best_octave(losses, octaves) == pytest.approx(-6.3)
    losses[-1] = float("nan")  # a rate that diverged says nothing
    assert claims.best_octave(losses, octaves) == pytest.approx(-6.3)


def test_draws_are_stable_and_never_change():
    drawn = claims.draws(2, 8)
    assert drawn == claims.draws(2, 8)
    assert all(p.classify().stable for p in drawn)
    assert len({p.classify().r for p in drawn}) > 2


@pytest.mark.slow
def test_smoke_gives_evidence_without_a_verdict(tmp_path):
    check_smoke(claims.study, tmp_path, [f"C{i}" for i in range(1, 7)])
