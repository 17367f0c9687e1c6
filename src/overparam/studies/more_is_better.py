"""More is better in modern machine learning: when infinite over-parameterisation is optimal and
overfitting is obligatory (arXiv 2311.14646).

Ridge regression on random features, and on kernels as their limit. C1 and C2 test the closed-form
theory of its errors, C3 and C5 that more rows and more features help once the ridge is tuned, C4
and C6 that on images the best ridge is (nearly) none. C1 on generated data, the rest on images.

A rule of so many standard errors is applied to each seed, whose draws give the standard error; its
reserve is then averaged over seeds, with an interval. The pool of the full scale has 4,000 images
where the specification asks for 8,000: decomposing that many takes minutes, a cell half a minute.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from overparam.evidence.cells import batched, fixed, grid, run
from overparam.evidence.intervals import t_statistic
from overparam.evidence.regions import (
    at_least,
    at_most,
    between,
    less_than,
    more_than,
)
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import seed_means, worst_interval
from overparam.evidence.verdict import Evidence, Part, judged
from overparam.report.figures import curve
from overparam.studies.more_is_better_cells import (
    feature_errors,
    gaussian_design,
    kernel_errors,
    noisy_kernel_errors,
)
from overparam.studies.study import Study
from overparam.theory.eigenframework import optimal_fitting_ratio

study = Study("more-is-better")

C1_POINTS = (
    (100, 50, 0.01),
    (100, 100, 0.1),
    (100, 800, 0.001),
    (100, np.inf, 0.001),
    (300, np.inf, 0.1),
    (300, 1200, 1.0),
)
CLOSE, CLOSE_AT_PEAK = 0.05, 0.10  # relative; the peak at k = n and fewer features vary more
FITS = 0.97  # R^2 of the log error
POOL_SHARE = 0.27  # of the pool, beyond which training rows dominate the "population"
NTK_RIDGES = (0.0, 0.01, 0.1, 1.0, 10.0)
FEATURE_RIDGES = (0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0)  # the first is the fixed one of the peak
PEAK = 2.0
FORCED = 0.25  # train / test ratio that costs
NOISES = (0.0, 0.25, 1.0, 4.0)  # over the noise-free error at zero ridge
NEAR_ROOT = 1.6
RANKED = 0.9


@study.claim("C1", minutes={"quick": 1.6, "full": 3})
def the_eigenframework_is_accurate(scale: Scale) -> dict[str, Evidence]:
    """The closed form predicts train and test errors of ridge regression on Gaussian features."""
    points = scale.pick(
        smoke=C1_POINTS[:2],
        quick=C1_POINTS,
        full=tuple(
            (n, k, ridge)
            for n in (100, 300)
            for k in (50, 100, 400, 1200, np.inf)
            for ridge in (0.001, 0.1, 1.0)
        ),
    )
    repeats = scale.pick(smoke=3, quick=240, full=60)
    tables = [
        run(gaussian_design, grid(n=n, k=float(k), ridge=ridge, seed=scale.seeds, repeats=repeats))
        .with_columns(point=pl.lit(f"n {n}, k {k:g}, ridge {ridge:g}"))
        .with_columns(n=pl.lit(n), k=pl.lit(float(k)))
        for n, k, ridge in points
    ]
    table = pl.concat(tables)
    parts = {}
    for name in ("test", "train"):
        theory = table[f"theory_{name}"].to_numpy()
        hard = table["k"].to_numpy() <= table["n"].to_numpy()
        allowed = np.maximum(
            3 * table[f"{name}_se"].to_numpy(), np.where(hard, CLOSE_AT_PEAK, CLOSE) * theory
        )
        missed = np.abs(table[name].to_numpy() - theory) / allowed
        by_point = missed.reshape(len(points), -1).T
        label = "miss over what is allowed, worst point"
        parts[name] = (worst_interval(by_point, at_most(1), label), at_most(1), "")
    long = pl.concat(
        table.select("point", pl.col(column).alias("test MSE"), by=pl.lit(by))
        for column, by in (("test", "measured"), ("theory_test", "theory"))
    )
    return judged(table, means_curve(long, "point", "test MSE", "by", log_y=True), parts)


@study.claim("C2", minutes={"quick": 0.8, "full": 5})
def it_is_accurate_on_images(scale: Scale) -> dict[str, Evidence]:
    """From the spectrum of a pool of images the closed form predicts test errors of a neural
    tangent kernel, if training rows are not counted as test rows."""
    pool, sizes, _ = image_scale(scale)
    table, measured, unseen, uncorrected = image_kernel(scale)
    inside = np.array(sizes) <= POOL_SHARE * pool
    r2 = [fit_of(m[inside], t[inside]) for m, t in zip(measured, unseen, strict=True)]
    plain = [fit_of(m[inside], t[inside]) for m, t in zip(measured, uncorrected, strict=True)]
    miss = np.abs(unseen.mean(axis=0) / measured.mean(axis=0) - 1)
    far = f" Beyond it {miss[~inside].max():.1%}." if (~inside).any() else ""
    features = image_features(scale)[0]
    rf = [
        fit_of(*pair)
        for pair in (
            (np.array(test).mean(axis=-1).transpose(0, 2, 1), np.array(theory).transpose(0, 2, 1))
            for test, theory in seed_lists(features, "test", "theory_test")
        )
    ]
    note = (
        f"Without the correction R^2 is {np.mean(plain):.3f}. Largest error of a mean over seeds, "
        f"n <= {POOL_SHARE} N: {miss[inside].max():.1%}.{far} Random features, uncorrected, finite "
        f"predictions only: R^2 {np.mean(rf):.3f}."
    )
    statistic = t_statistic(r2, "R^2 of the log test error")
    shown = [0, 3, 4]  # the lines of the small ridges lie on each other
    long = pl.concat(
        pl.DataFrame(
            {
                "n": np.repeat(sizes, len(shown)),
                "ridge": [f"ridge {NTK_RIDGES[i]:g}, {name}" for _ in sizes for i in shown],
                "test MSE": values.mean(axis=0)[:, shown].ravel(),
            }
        )
        for name, values in (("measured", measured), ("theory", unseen))
    )
    picture = curve(long, "n", "test MSE", color="ridge", log_x=True, log_y=True)
    return judged(table, picture, {"NTK, corrected": (statistic, at_least(FITS), note)})


@study.claim("C3", minutes={"quick": 0.8, "full": 5})
def more_is_better(scale: Scale) -> dict[str, Evidence]:
    """With the ridge tuned, neither more rows nor more features raise the test error; with a fixed
    small ridge it peaks where there are as many features as rows."""
    table, sizes, widths, tests = image_features(scale)
    tuned = tuned_errors(tests)  # seeds, sizes, widths, draws
    steps = {
        "more rows": tuned[:, 1:] - tuned[:, :-1],
        "more features": tuned[:, :, 1:] - tuned[:, :, :-1],
    }
    parts: dict[str, Part] = {}
    mean = tuned.mean(axis=(0, 3))
    note = (
        f"Tuned error from {mean[0, 0]:.3f} (n {sizes[0]}, k {widths[0]:g}) to {mean[-1, -1]:.3f}."
    )
    for name, rise in steps.items():
        label = "rise less 2 standard errors, worst step"
        parts[name] = (worst_interval(beyond(rise, 2), at_most(0), label), at_most(0), note)
        note = ""
    n, low, at, high = peak_places(sizes, widths)
    fixed_ridge = tests[:, n, :, 0].mean(axis=-1)  # seeds, widths
    ratio = fixed_ridge[:, at] / np.maximum(fixed_ridge[:, low], fixed_ridge[:, high])
    statistic = t_statistic(ratio, f"error at k = n over that at n/2 or 2n, n = {sizes[n]}")
    peak_note = f"At ridge {FEATURE_RIDGES[0]:g}, untuned."
    parts["peak at k = n"] = (statistic, at_least(PEAK), peak_note)
    return judged(
        features_table(table, sizes, widths, tests), widths_curve(sizes, widths, tuned), parts
    )


@study.claim("C4", minutes={"quick": 1, "full": 5})
def overfitting_is_obligatory(scale: Scale) -> dict[str, Evidence]:
    """On images without added noise the best ridge all but interpolates, and forcing a training
    error costs; with noise the best ratio of train and test error follows the power laws."""
    pool, _, n = image_scale(scale)
    ridges = (0.0, *np.geomspace(1e-3, 10, scale.pick(smoke=7, quick=25, full=25)).tolist())
    table = run(
        noisy_kernel_errors,
        grid(
            seed=scale.seeds,
            source=image_source(scale),
            pool=pool,
            n=n,
            ridges=fixed(ridges),
            noises=fixed(NOISES),
            draws=scale.pick(smoke=2, quick=16, full=16),  # the minimum is flat,
        ),
    )
    test, train = (np.array(table[name].to_list()) for name in ("test", "train"))
    best = best_ratios(test, train, ridges)  # seeds, noises
    cost = forced_cost(test[:, 0], train[:, 0], FORCED)  # seeds, draws
    reserve = cost.mean(axis=1) - 5 * cost.std(axis=1, ddof=1) / np.sqrt(cost.shape[1])
    laws = table.select("alpha", "beta").to_numpy()
    roots = np.array([[optimal_fitting_ratio(a, b, s) ** 2 for s in NOISES] for a, b in laws])
    framework = np.array(table["framework"].to_list())
    listed = "; ".join(
        f"noise {s:g}: {b:.3f} measured, {r:.3f} root, {f:.3f} framework"
        for s, b, r, f in zip(
            NOISES, *(v.mean(axis=0) for v in (best, roots, framework)), strict=True
        )
    )
    alpha, beta = laws.mean(axis=0)
    note = f"alpha {alpha:.3f}, beta {beta:.3f}. Best train / test: {listed}."
    ratios = (np.log(np.maximum(v[:, 1:], 1e-12)) for v in (best, roots))  # a ratio may be 0
    near = np.subtract(*ratios) / np.log(NEAR_ROOT)
    inside = between(-1, 1)
    rises = worst_interval(np.diff(best), more_than(0), "rise of the best train / test ratio")
    parts = {
        "no noise: nearly interpolates": (
            t_statistic(best[:, 0], "best train / test ratio"),
            less_than(0.05),
            note,
        ),
        f"forcing train / test = {FORCED:g} costs": (
            t_statistic(reserve, "cost less 5 standard errors"),
            more_than(0),
            f"The cost is {cost.mean():.4f}, {cost.mean() / test[:, 0].mean(axis=-1).min():.1%}.",
        ),
        "the best ratio rises with noise": (rises, more_than(0), ""),
        f"within a factor {NEAR_ROOT:g} of the root": (
            worst_interval(near, inside, f"log ratio over log {NEAR_ROOT:g}, worst noise"),
            inside,
            "",
        ),
    }
    records = pl.DataFrame(
        [
            {
                "seed": seed,
                "noise": noise,
                "ridge": ridge,
                "test": float(test[s, i, j].mean()),
                "train": float(train[s, i, j].mean()),
            }
            for s, seed in enumerate(scale.seeds)
            for i, noise in enumerate(NOISES)
            for j, ridge in enumerate(ridges)
        ]
    )
    return judged(records, ratio_curve(ridges, test, train), parts)


@study.claim("C5", minutes={"quick": 0, "full": 0})
def infinitely_many_features_are_best(scale: Scale) -> dict[str, Evidence]:
    """With the ridge tuned, infinitely many features are at least as good as any finite number."""
    table, sizes, widths, tests = image_features(scale)
    tuned = tuned_errors(tests)
    lead = tuned[:, :, -1:] - tuned[:, :, :-1]  # seeds, sizes, finite widths, draws
    label = "k = inf minus k, less 2 standard errors, worst of all"
    statistic = worst_interval(beyond(lead, 2), at_most(0), label)
    mean = lead.mean(axis=(0, 3))
    note = (
        f"Lower in {(mean < 0).sum()} of {mean.size} comparisons, by {-mean.max():.3f} to "
        f"{-mean.min():.3f}."
    )
    picture = widths_curve(sizes, widths, tuned)
    records = features_table(table, sizes, widths, tuned[:, :, :, None])
    return judged(records, picture, {"worst": (statistic, at_most(0), note)})


@study.claim("C6", minutes={"quick": 0, "full": 0})
def lower_training_loss_is_better(scale: Scale) -> dict[str, Evidence]:
    """On images the test error falls as the training error falls along the path of ridges."""
    table, test, _, _ = image_kernel(scale)
    train = np.array(seed_lists(table, "train"))[:, 0]
    _, sizes, n = image_scale(scale)
    at = sizes.index(n)
    ranked = [spearmanr(a, b).statistic for a, b in zip(train[:, at], test[:, at], strict=True)]
    listed = ", ".join(
        f"{a:.3g} -> {b:.3f}"
        for a, b in zip(train[:, at].mean(axis=0), test[:, at].mean(axis=0), strict=True)
    )
    note = f"n = {n}, train -> test at ridges {', '.join(f'{r:g}' for r in NTK_RIDGES)}: {listed}."
    long = pl.DataFrame(
        {"train MSE": train[:, at].mean(axis=0), "test MSE": test[:, at].mean(axis=0)}
    ).sort("train MSE")
    statistic = t_statistic(ranked, "Spearman correlation of train and test error")
    picture = curve(long, "train MSE", "test MSE")
    return judged(table, picture, {"ranks": (statistic, at_least(RANKED), note)})


def image_source(scale: Scale) -> str:
    """Images of the scale."""
    return scale.pick(smoke="digits", quick="fashion-mnist", full="fashion-mnist")


def image_scale(scale: Scale) -> tuple[int, list[int], int]:
    """Images of a pool, training sizes, and the size of C4 and C6."""
    quick = (3000, [100, 200, 400, 800], 800)
    full = (4000, [100, 200, 400, 800, 1080, 1500], 800)
    return scale.pick(smoke=(300, [20, 40, 80], 80), quick=quick, full=full)


def image_kernel(scale: Scale) -> tuple[pl.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """The cells of C2 and C6; measured, predicted, uncorrected errors (seeds, sizes, ridges)."""
    pool, sizes, _ = image_scale(scale)
    table = run(
        kernel_errors,
        grid(
            n=batched(sizes),
            seed=scale.seeds,
            source=image_source(scale),
            pool=pool,
            ridges=fixed(NTK_RIDGES),
            draws=scale.pick(smoke=2, quick=4, full=5),
        ),
    )
    found = np.array(seed_lists(table, "test", "unseen", "theory_test"))
    return table, found[:, 0], found[:, 1], found[:, 2]


def image_features(scale: Scale) -> tuple[pl.DataFrame, list[int], list[float], np.ndarray]:
    """The cells of C3 and C5; sizes, widths, errors (seeds, sizes, widths, ridges, draws)."""
    pool, sizes, _ = image_scale(scale)
    sizes = [n for n in sizes if n <= 800]
    widths = scale.pick(
        smoke=[10.0, 20.0, 40.0, np.inf],
        quick=[50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, np.inf],
        full=[50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, np.inf],
    )
    table = run(
        feature_errors,
        grid(
            n=batched(sizes),
            seed=scale.seeds,
            source=image_source(scale),
            pool=pool,
            k=fixed(tuple(widths)),
            ridges=fixed(FEATURE_RIDGES),
            draws=scale.pick(smoke=2, quick=4, full=4),
        ),
    )
    tests = np.array([lists[0] for lists in seed_lists(table, "test")])
    return table, sizes, widths, tests


def features_table(
    table: pl.DataFrame, sizes: list[int], widths: list[float], tests: np.ndarray
) -> pl.DataFrame:
    """A row for each seed, size, width and ridge (none where it is tuned): mean over the draws."""
    seeds = table["seed"].unique(maintain_order=True)
    ridges = FEATURE_RIDGES if tests.shape[3] > 1 else (None,)
    return pl.DataFrame(
        [
            {
                "seed": seed,
                "n": n,
                "k": f"{k:g}",
                "ridge": r,
                "test": float(tests[s, i, j, q].mean()),
            }
            for s, seed in enumerate(seeds)
            for i, n in enumerate(sizes)
            for j, k in enumerate(widths)
            for q, r in enumerate(ridges)
        ]
    )


def seed_lists(table: pl.DataFrame, *names: str) -> list[list[list[Any]]]:
    """For each seed the columns as lists over sizes, in table order."""
    return [
        [group[name].to_list() for name in names]
        for _, group in table.group_by("seed", maintain_order=True)
    ]


def fit_of(measured: np.ndarray, predicted: np.ndarray) -> float:
    """R^2 of the log error over all finite predictions (a negative one stands for infinity)."""
    good = predicted > 0
    log, said = np.log(measured[good]), np.log(predicted[good])
    return float(1 - ((log - said) ** 2).sum() / ((log - log.mean()) ** 2).sum())


def tuned_errors(tests: np.ndarray) -> np.ndarray:
    """(seeds, sizes, widths, draws) at the ridge that is best for the mean over a seed's draws."""
    best = tests.mean(axis=-1).argmin(axis=-1)[..., None, None]
    return np.take_along_axis(tests, best, axis=3)[..., 0, :]


def beyond(differences: np.ndarray, errors: float) -> np.ndarray:
    """(seeds, places) mean over draws (the last axis) less so many of its standard errors."""
    mean = differences.mean(axis=-1)
    spread = differences.std(axis=-1, ddof=1) / np.sqrt(differences.shape[-1])
    return (mean - errors * spread).reshape(len(differences), -1)


def peak_places(sizes: list[int], widths: list[float]) -> tuple[int, int, int, int]:
    """A size and the widths n/2, n and 2n, as places."""
    for i, n in enumerate(sizes[1:], start=1):
        if {n / 2, n, 2 * n} <= set(widths):
            return i, widths.index(n / 2), widths.index(n), widths.index(2 * n)
    # smoke's few widths: the smallest size between its neighbours
    return 0, 0, 1, 2


def best_ratios(test: np.ndarray, train: np.ndarray, ridges: tuple[float, ...]) -> np.ndarray:
    """(seeds, noises) train / test error at the ridge of least test error, means over draws.

    One step of the ridge is a factor 2 of the ratio: between grid points the least is that of the
    parabola in log ridge through the best three.
    """
    test, train = test.mean(axis=-1), train.mean(axis=-1)
    found = np.empty(test.shape[:2])
    for place in np.ndindex(*found.shape):
        t, ratio = test[place], train[place] / test[place]
        j = int(t.argmin())
        found[place] = ratio[j]
        if 2 <= j < len(ridges) - 1:  # the first ridge is 0, which has no logarithm
            near = slice(j - 1, j + 2)
            u = np.log(ridges[near])
            bend, slope, _ = np.polyfit(u - u[1], t[near], 2)
            found[place] = np.exp(np.interp(u[1] - slope / (2 * bend), u, np.log(ratio[near])))
    return found


def forced_cost(test: np.ndarray, train: np.ndarray, ratio: float) -> np.ndarray:
    """(seeds, draws) rise of the test error when the ridge makes train / test equal to `ratio`.

    Linear between the two ridges around it; test and train are (seeds, ridges, draws).
    """
    best = test.mean(axis=-1).argmin(axis=-1)
    cost = np.empty((test.shape[0], test.shape[2]))
    for seed in range(len(test)):
        for draw in range(test.shape[2]):
            t = test[seed, :, draw]
            cost[seed, draw] = np.interp(ratio, train[seed, :, draw] / t, t) - t[best[seed]]
    return cost


def means_curve(
    table: pl.DataFrame, x: str, y: str, color: str, *, log_y: bool = False
) -> dict[str, Any]:
    """Means over seeds with their intervals."""
    means = seed_means(table, y, [x, color])
    return curve(means, x, y, color=color, low="low", high="high", log_y=log_y)


def widths_curve(sizes: list[int], widths: list[float], tuned: np.ndarray) -> dict[str, Any]:
    """Tuned error against the number of features (as words: infinity is one of them)."""
    records = [
        {"features": f"{k:g}", "rows": f"n {n}", "test MSE": float(error)}
        for seed in tuned.mean(axis=-1)
        for n, line in zip(sizes, seed, strict=True)
        for k, error in zip(widths, line, strict=True)
    ]
    return means_curve(pl.DataFrame(records), "features", "test MSE", "rows")


def ratio_curve(ridges: tuple[float, ...], test: np.ndarray, train: np.ndarray) -> dict[str, Any]:
    """Test error over its best against the train / test ratio, a line for each noise."""
    test, train = test.mean(axis=(0, 3)), train.mean(axis=(0, 3))
    records = [
        {
            "train / test": float(train[i, j] / test[i, j]),
            "test MSE over the best": float(test[i, j] / test[i].min()),
            "noise": f"noise {noise:g}",
        }
        for i, noise in enumerate(NOISES)
        for j in range(len(ridges))
    ]
    return curve(pl.DataFrame(records), "train / test", "test MSE over the best", color="noise")
