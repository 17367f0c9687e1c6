"""The study's claims: smoke runs them, planted tables decide them, reversed ones fail them."""

import polars as pl
import pytest
from tests.studies.planted_claims import planted_verdicts
from tests.studies.smoke_evidence import check_missing_fashion_mnist, check_smoke

from overparam.data.embedded import FASHION_MNIST
from overparam.evidence.scale import FULL, QUICK
from overparam.studies import weight_compander as claims

CLAIMS = ["C1", "C1b", "C1c", "C1d", "C1e", "C2", "C3", "C4", "C5", "C6"]

# The prototype's accuracy and log loss with wrong labels at the usual rate, and with dropout.
NOISY = {
    "plain": (0.698, 1.244),
    "a=b=0.25": (0.767, 0.936),
    "a=b=0.5": (0.728, 0.904),
    "a=b=1": (0.715, 0.979),
    "a=b=2": (0.705, 1.1),
    "a=b=3": (0.700, 1.2),
    "learnt from 1": (0.7145, 0.984),
    "learnt from 0.5": (0.731, 0.899),
    "all learnt from 1": (0.697, 1.504),
}
DROPPED = {"plain": (0.757, 0.848), "a=b=0.5": (0.7734, 0.760), "a=b=0.25": (0.7836, 0.865)}
CLEAN = {"plain": (0.8085, 0.807), "a=b=1": (0.8090, 0.639)}
BEST = {(0.0, "plain"): (0.003, 0.7634, 0.846), (0.0, "a=b=0.25"): (0.015, 0.7795, 1.085)}
BEST |= {(0.3, "plain"): (0.01, 0.785, 0.704), (0.3, "a=b=0.25"): (0.05, 0.7836, 0.865)}
SHAPES = {"near_zero": 0.08, "largest": 5.0, "kurtosis": 3.0, "effective": 0.64}
COMPANDED = {"near_zero": 0.045, "largest": 1.9, "kurtosis": 1.7, "effective": 0.8}


def scores(at):
    arm = at["arm"]
    if at["source"] == "mnist1d":
        return (0.62 if arm != "plain" else 0.70), 0.97
    if at["noise"] == 0:
        return CLEAN.get(arm, CLEAN["plain"])
    if at["learning_rate"] == 0.05 and at["weight_decay"] < 1e-3:
        return (DROPPED if at["dropout"] else NOISY)[arm]
    if at["weight_decay"] > 1e-3:
        return (0.699, 1.189) if arm == "plain" else (0.729, 0.9)
    rate, accuracy, nll = BEST[at["dropout"], arm]
    return (accuracy, nll) if at["learning_rate"] == rate else (0.70, 1.0)


def figures(name, at):
    if name == "real_data":
        companded = at["arm"] != "plain"
        return {"loss": 0.10 if companded else 0.12, "accuracy": 0.95, "rate": 0.01}
    accuracy, nll = scores(at)
    plain = at["arm"] == "plain"
    found = {"accuracy": accuracy, "nll": nll, "train_accuracy": 0.9}
    found |= {"validation_accuracy": 0.8 * accuracy, "validation_nll": nll}
    for share in claims.ZEROED:
        found[f"kept@{share:g}"] = accuracy * (1 - share * (1.0 if plain else 0.5))
    for layer in claims.LAYERS:
        shapes = SHAPES if plain else COMPANDED
        found |= {f"{figure}@{layer}": value for figure, value in shapes.items()}
        found |= {f"start_{figure}@{layer}": value for figure, value in SHAPES.items()}
        if not plain:
            found |= {f"{when}{x}@{layer}": 0.05 for x in "ab" for when in ("", "start_")}
    return found


def planted(**wrong):
    """A `run` that invents each cell; `wrong` overrides a figure (@ as _at_) by a function of it.

    The function takes the cell's point and the figure that stood there.
    """
    changed = {name.replace("_at_", "@"): change for name, change in wrong.items()}

    def run(function, grid):
        rows = []
        points = grid.crossed()
        if grid.batch is not None:
            points = [p | {grid.batch: v} for p in points for v in grid.axes[grid.batch]]
        for point in points:
            at = {**grid.constants, **point}
            found = figures(function.__name__, at)
            found |= {n: change(at, found[n]) for n, change in changed.items() if n in found}
            noise = 1 + 0.0005 * at["seed"]  # seeds differ a little, or intervals are points
            rows.append(point | {n: v * noise for n, v in found.items()})
        return pl.DataFrame(rows)

    return run


def verdicts(monkeypatch, claim, scale=QUICK, **wrong):
    return planted_verdicts(monkeypatch, claims, planted(**wrong), claim, scale)


EXPECTED = {
    "C1b": ["holds", "fails"],
    "C1c": ["fails"],
    "C1d": ["holds", "holds"],
    "C1e": ["fails"],
    "C4": ["fails"],
}


@pytest.mark.parametrize("scale", [QUICK, FULL], ids=lambda scale: scale.name)
@pytest.mark.parametrize("claim", CLAIMS)
def test_the_prototypes_figures_decide(monkeypatch, claim, scale):
    found = verdicts(monkeypatch, claim, scale)
    assert found == EXPECTED.get(claim, ["holds"] * len(found))


def companded(value):
    return lambda at, old: old if at["arm"] == "plain" else value


def at_rate(rate, arm, value):
    return lambda at, old: value if (at["learning_rate"], at["arm"]) == (rate, arm) else old


@pytest.mark.parametrize(
    ("claim", "wrong", "expected"),
    [
        ("C1", {"accuracy": companded(0.70)}, ["fails", "holds", "fails", "holds"]),
        ("C1", {"nll": companded(1.2)}, ["holds", "fails", "holds", "fails"]),
        ("C1b", {"accuracy": at_rate(0.015, "a=b=0.25", 0.765)}, ["fails", "fails"]),
        ("C1b", {"nll": at_rate(0.015, "a=b=0.25", 0.8)}, ["holds", "holds"]),
        ("C1c", {"accuracy": at_rate(0.05, "a=b=0.25", 0.80)}, ["holds"]),
        ("C1d", {"accuracy": companded(0.80), "nll": companded(0.75)}, ["fails", "fails"]),
        ("C1e", {"accuracy": companded(0.72)}, ["holds"]),
        ("C2", {"near_zero_at_2": companded(0.06)}, ["fails", "holds", "holds"] * 2),
        ("C2", {"largest_at_1": companded(2.3)}, ["holds", "fails", "holds"] * 2),
        ("C2", {"kurtosis_at_3": companded(2.5)}, ["holds", "holds", "fails"] * 2),
        ("C3", {"kept_at_0.5": companded(0), "kept_at_0.4": companded(0.1)}, ["fails", "holds"]),
        ("C3", {"effective_at_1": companded(0.6)}, ["holds", "fails"]),
        ("C4", {"accuracy": lambda at, old: 0.77 if "learnt" in at["arm"] else old}, ["holds"]),
        ("C5", {"accuracy": lambda at, old: 0.76 if at["dropout"] else old}, ["fails", "holds"]),
        ("C5", {"nll": companded(1.21)}, ["holds", "fails"]),
        ("C6", {"loss": companded(0.13)}, ["fails"] * 3),
    ],
)
def test_reversed_effects_fail(monkeypatch, claim, wrong, expected):
    assert verdicts(monkeypatch, claim, **wrong) == expected


def test_each_arm_is_taken_at_the_rate_of_its_best_validation_rows():
    rows = [
        {"arm": arm, "learning_rate": rate, "seed": seed, "validation_accuracy": value + 0.1 * seed}
        for arm, values in {"x": {0.1: 0.5, 0.2: 0.6}, "y": {0.1: 0.7, 0.2: 0.4}}.items()
        for rate, value in values.items()
        for seed in (0, 1)
    ]
    best = claims.at_best_rate(pl.DataFrame(rows))
    assert best["learning_rate"].to_list() == [0.2, 0.2, 0.1, 0.1]
    assert best["seed"].to_list() == [0, 1, 0, 1]
    companded = best.filter(arm="y")
    assert claims.alike(best.filter(arm="x"), companded)["learning_rate"].to_list() == [0.2, 0.2]


@pytest.mark.slow
def test_smoke_gives_evidence_without_a_verdict(tmp_path):
    check_smoke(claims.study, tmp_path, CLAIMS)


@pytest.mark.skipif(FASHION_MNIST.is_dir(), reason="dataset-fashion-mnist is installed")
def test_without_fashion_mnist_the_claim_says_how_to_install_it(tmp_path):
    check_missing_fashion_mnist(claims.study, tmp_path, "C1")
