"""High-dimensional dynamics of generalization error in neural networks (arXiv 1710.03667).

How train and test error move under gradient descent with about as many parameters as examples:
exact for linear teachers (C1, C5), and then seen again in random features of images and in trained
networks (C2 to C4), with the two reasons why width does no harm, the frozen subspace (C6) and the
conditioning (C7), bounds that know of them (C8), and the stopping time for real data (C9).

"Late" is the end of training: the least-squares solution of a last layer, the last step of a
network's cosine schedule. Networks: (a) has biases and a small start, (b) none and larger steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from overparam.evidence.cells import batched, fixed, grid, run
from overparam.evidence.intervals import exact_statistic, t_statistic
from overparam.evidence.regions import (
    at_least,
    at_most,
    between,
    less_than,
    more_than,
)
from overparam.evidence.scale import Scale
from overparam.evidence.seed_tables import by_seed, seed_means, worst_interval
from overparam.evidence.verdict import Evidence, Part, judged
from overparam.report.figures import curve, forest
from overparam.studies.high_dimensional_dynamics_cells import (
    STOPPING_TIMES,
    frozen_motion,
    linear_errors,
    random_features,
    real_regression,
    stopping_times,
)
from overparam.studies.high_dimensional_dynamics_nets import digit_networks
from overparam.studies.study import Study
from overparam.theory.learning_dynamics import predict, worst_size

study = Study("high-dimensional-dynamics")

TIMES = (0.0, 0.1, 1.0, 5.0, 20.0, 200.0, 2000.0)
CLOSE, EDGE = 0.03, 0.1  # relative; at alpha = 1 a finite N shows at late times
SMALLEST = 1e-4  # of the teacher's variance: train errors below are zero to four digits
RATIOS = (0.05, 0.125, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 2.0, 4.0, 20.0)  # N1 / P
NEAR_PEAK = between(0.9, 1.1)  # 10 % of N1 = P
BOUND_RATIOS = (0.75, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 64.0)
NETS_A, NETS_B = "networks (a)", "networks (b)"
# Buckets of widths that train padded to the widest of them; three seeds of one last some 15 s.
BUCKETS_A = ((10, 20), (40, 60, 100), (200,), (1000,))
BUCKETS_B = ((2, 5, 10), (20, 40), (100,), (400,), (1500,))
TOGETHER = 3  # seeds of a cell


def seeds(scale: Scale, quick: int, full: int) -> tuple[int, ...]:
    """More seeds than the scale's where they are cheap: the least eigenvalue at N1 = P spreads over
    decades, and three of it say nothing."""
    return tuple(range(scale.pick(smoke=len(scale.seeds), quick=quick, full=full)))


@study.claim("C1", minutes={"quick": 0.6, "full": 6})
def theory_gives_both_errors_at_every_time(scale: Scale) -> dict[str, Evidence]:
    """Random-matrix theory gives train and test error of a linear student at every time, for any
    ratio of samples to parameters, noise and initial variance.

    At alpha = 1 the late train error is decided by the few eigenvalues next to 0, where a finite N
    deviates from the limit: by about the tolerance at N = 300 and t = 2,000.
    """
    cost = scale.pick(
        smoke={"n": 60, "draws": 4}, quick={"n": 300, "draws": 40}, full={"n": 1000, "draws": 6}
    )
    settings = [(0.5, 0.0), (0.5, 1.0), (1.0, 0.0), (2.0, 0.0), (2.0, 1.0)]
    snrs = scale.pick(smoke=[5.0], quick=[5.0], full=[1.0, 5.0, 25.0])
    tables = []
    for alpha, inr in settings:
        axes = grid(
            snr=snrs, seed=seeds(scale, 8, 8), alpha=alpha, inr=inr, times=fixed(TIMES), **cost
        )
        found = run(linear_errors, axes, label=f"linear errors, alpha {alpha:g}")
        tables.append(found.with_columns(alpha=pl.lit(alpha), inr=pl.lit(inr)))
    table = pl.concat(tables)
    groups = [group for _, group in table.group_by("alpha", "inr", "snr", maintain_order=True)]
    points = [
        f"alpha {g['alpha'][0]:g}, INR {g['inr'][0]:g}, SNR {g['snr'][0]:g}, t = {t:g}"
        for g in groups
        for t in TIMES
    ]
    parts: dict[str, Part] = {}
    for name in ("test", "train"):
        off = np.concatenate([deviations(group, name) for group in groups], axis=1)
        inside = between(-1, 1)
        worst = worst_interval(off, inside, f"{name} error: deviation over tolerance, worst point")
        mean = off.mean(axis=0)
        far = int(np.abs(mean).argmax())
        note = (
            f"{len(mean)} points, root mean square {np.sqrt((mean**2).mean()):.2f}; farthest "
            f"{mean[far]:+.2f} at {points[far]}."
        )
        parts[f"{name} error"] = (worst, inside, note)
    return judged(long_errors(table), errors_picture(table), parts)


@study.claim("C2", minutes={"quick": 1.8, "full": 8})
def overtraining_is_worst_at_intermediate_size(scale: Scale) -> dict[str, Evidence]:
    """Training too long costs most where there are about as many parameters as examples; smaller
    and larger networks lose less.

    The factors for networks are the specification's, from one to four seeds. Networks with 2 to 10
    hidden units scatter: a single one of five can have thrice the overtraining of the others, which
    leaves a factor of 5 against the narrowest undecided. Against wide networks it is clear.
    """
    peaks = [worst_size(snr, 1e4) for snr in (1.0, 5.0, 25.0)]
    farthest = max(peaks, key=lambda alpha: abs(np.log(alpha)))
    place = exact_statistic(farthest, "samples per parameter at the peak")
    parts: dict[str, Part] = {"theory": (place, NEAR_PEAK, "SNR 1, 5 and 25, until t = 10,000.")}
    tables = {}
    for name, table in feature_tables(scale, 0.0).items():
        cost = np.median(
            by_seed(table, "late_mse", "ratio") - by_seed(table, "best_mse", "ratio"), axis=0
        )
        top = exact_statistic(RATIOS[int(cost.argmax())], "N1 / P at the peak, median of seeds")
        late = np.median(by_seed(table, "late_mse", "ratio"), axis=0)
        note = f"Late test MSE {late[RATIOS.index(0.05)]:.2f} at P/20, {late[6]:.0f} at P, "
        parts[name] = (top, NEAR_PEAK, note + f"{late[-1]:.2f} at 20 P.")
        tables[name] = table.select("seed", "late_mse", "best_mse", size="ratio")
    for name, table in network_tables(scale).items():
        over = by_seed(table, "late_mse", "width") - by_seed(table, "best_mse", "width")
        widths = table["width"].unique(maintain_order=True).to_list()
        parts |= peak_parts(name, over, widths, threshold_width(table))
        tables[name] = table.select("seed", "late_mse", "best_mse", size="size")
    return judged(stacked(tables), width_picture(tables), parts, exact=None)


@study.claim("C3", minutes={"quick": 0.1, "full": 1})
def very_large_networks_do_no_harm(scale: Scale) -> dict[str, Evidence]:
    """Far more parameters than examples do no harm, without stopping and without regularisation."""
    parts: dict[str, Part] = {}
    tables: dict[str, pl.DataFrame] = {}
    figures = [("late_error", *item) for item in feature_tables(scale, 0.0).items()]
    nets = network_tables(scale)
    figures += [("late_error" if name == NETS_A else "late_mse", name, nets[name]) for name in nets]
    for figure, name, table in figures:
        along = "ratio" if "ratio" in table.columns else "width"
        values = by_seed(table, figure, along)
        sizes = table[along].unique(maintain_order=True).to_list()
        half = sizes.index(0.5 if along == "ratio" else half_threshold(sizes, name))
        word = "error" if figure == "late_error" else "MSE"
        gap = t_statistic(values[:, -1] - values[:, half], f"difference of late test {word}")
        mean = values.mean(axis=0)
        note = f"{mean[0]:.3f} smallest, {mean[half]:.3f} at half the threshold, "
        note += f"{mean.max():.3f} at the peak, {mean[-1]:.3f} largest."
        if name == NETS_A:
            best = by_seed(table, "best_mse", along).mean(axis=0)
            note += f" Stopping stays better: MSE {best[-1]:.2f} on the way against "
            note += f"{by_seed(table, 'late_mse', along).mean(axis=0)[-1]:.2f} at the end."
        parts[f"{name}: largest < half the threshold"] = (gap, less_than(0), note)
        small = values[:, -1] - values[:, 0]
        in_errors = exact_statistic(in_standard_errors(small), "largest - smallest, in se")
        parts[f"{name}: largest <= smallest"] = (in_errors, at_most(2), "")
        size = "ratio" if along == "ratio" else "size"
        tables[name] = table.select("seed", size=pl.col(size), late=pl.col(figure))
    long = pl.concat(t.with_columns(model=pl.lit(name)) for name, t in tables.items())
    means = seed_means(long, "late", ["model", "size"])
    picture = curve(
        means,
        "size",
        "late",
        color="model",
        low="low",
        high="high",
        log_x=True,
        log_y=True,
        rules=[(1.0, "threshold")],
        x_title="parameters / (examples x outputs)",
        y_title="late test error ((b): MSE)",
    )
    return judged(long, picture, parts, exact=None)


@study.claim("C4", minutes={"quick": 1.3, "full": 5})
def low_error_needs_small_initial_weights(scale: Scale) -> dict[str, Evidence]:
    """Large networks generalise only from small initial weights: what lies in the frozen subspace
    is never unlearned."""
    starts = (0.0, 2.0, 4.0)
    parts: dict[str, Part] = {}
    tables: dict[str, pl.DataFrame] = {}
    for i, start in enumerate(starts):
        for name, table in feature_tables(scale, start, rows=200).items():
            wide = table.filter(pl.col("ratio") == BOUND_RATIOS[-1])
            part = wide.select("seed", "late_mse", train_mse=pl.lit(0.0), scale=pl.lit(starts[i]))
            tables[name] = pl.concat([tables[name], part]) if name in tables else part
    scales = [0.01, 1.0, 2.0, 4.0]
    width = scale.pick(smoke=16, quick=1500, full=1500)
    tables[f"{NETS_B}, N = {width}"] = networks(scale, "b", ((width,),), scales)
    if scale.name in ("full", "long"):
        tables[f"{NETS_A}, H = 500"] = networks(scale, "a", ((500,),), [0.3, 1.0, 2.0, 4.0])
    for name, table in tables.items():
        late = by_seed(table, "late_mse", "scale")
        least = min(in_standard_errors(step) for step in np.diff(late, axis=1).T)
        steps = exact_statistic(least, "least step up of late test MSE, in standard errors")
        listed = ", ".join(f"{value:.3g}" for value in late.mean(axis=0))
        train = by_seed(table, "train_mse", "scale").mean(axis=0)
        note = f"Late test MSE {listed}; train MSE of the last {train[-1]:.2g}."
        parts[name] = (steps, more_than(3), note)
    end = predict(0.5, 5.0, np.array([0.0, 1.0]), np.inf).test_mse
    theory = exact_statistic(end[1] - end[0], "what INR = 1 adds to the late error")
    parts["theory, alpha = 0.5"] = (theory, between(0.5 - 1e-9, 0.5 + 1e-9), "(1 - alpha) INR.")
    long = pl.concat(
        t.select("seed", "scale", "late_mse", model=pl.lit(n)) for n, t in tables.items()
    )
    means = seed_means(long, "late_mse", ["model", "scale"])
    picture = curve(
        means,
        "scale",
        "late_mse",
        color="model",
        low="low",
        high="high",
        log_y=True,
        x_title="scale of the initial weights",
        y_title="late test MSE",
    )
    return judged(long, picture, parts, exact=None)


@study.claim("C5", minutes={"quick": 0.5, "full": 3})
def the_best_time_is_predicted(scale: Scale) -> dict[str, Evidence]:
    """The theory's stopping time is the best one, and stopping then is nearly as good as the best
    ridge."""
    cost = scale.pick(
        smoke={"n": 60, "draws": 3}, quick={"n": 300, "draws": 15}, full={"n": 300, "draws": 60}
    )
    alphas, snrs = [0.5, 1.0, 2.0], scale.pick(smoke=[5.0], quick=[1.0, 5.0], full=[1.0, 5.0, 25.0])
    table = run(stopping_times, grid(alpha=alphas, snr=snrs, seed=seeds(scale, 5, 8), **cost))
    table = table.with_columns(setting=pl.format("alpha {}, SNR {}", "alpha", "snr"))
    near, cheap = between(0.8, 1.2), less_than(0.002)
    ratio = by_seed(table, "time_ratio", "setting")
    time = worst_interval(ratio, near, "theory's time over the simulated one, worst setting")
    price = worst_interval(by_seed(table, "cost", "setting"), cheap, "cost of the theory's time")
    wide = np.geomspace(0.05, 20, 121)[:, None]
    found = predict(np.append(wide, 1.0)[:, None], np.array([1.0, 5.0, 25.0]), 0.0, [0.0])
    over = found.optimal_mse / found.ridge_mse
    largest = exact_statistic(over.max(), "stopped over ridge error, largest")
    least = exact_statistic(over.min(), "stopped over ridge error, least")
    grid_step = STOPPING_TIMES[1] / STOPPING_TIMES[0] - 1
    parts: dict[str, Part] = {
        "time": (time, near, f"The simulated minimum is read off a grid of {grid_step:.1%}."),
        "cost": (price, cheap, f"Largest of single groups: {table['cost'].to_numpy().max():.2%}."),
        "near the ridge": (largest, less_than(1.03), "SNR 1, 5 and 25."),
        "not below the ridge": (least, at_least(1.0), ""),
    }
    means = seed_means(table, "time_ratio", ["setting"])
    picture = forest(
        means, "setting", "time_ratio", "low", "high", reference=1.0,
        x_title="predicted over simulated best time",
    )  # fmt: skip
    return judged(table, picture, parts, exact=None)


@study.claim("C6", minutes={"quick": 0.2, "full": 0.3})
def weights_outside_the_data_are_frozen(scale: Scale) -> dict[str, Evidence]:
    """With more parameters than examples gradient descent never moves the weights in a subspace of
    share 1 - alpha."""
    source, pairs, rows, _ = images(scale, 400)
    table = run(
        frozen_motion,
        grid(ratio=[2.0, 4.0], seed=scale.seeds, source=source, pair=fixed(pairs[0]), rows=rows),
    )
    frozen = at_most(1e-6)
    parts: dict[str, Part] = {}
    for name, column in (("closed form", "flow"), ("explicit descent", "descent")):
        most = exact_statistic(
            table[column].to_numpy().max(), "motion outside the span of the data"
        )
        parts[name] = (most, frozen, "")
    expected = table.select(off=(pl.col("frozen_share") - (1 - 1 / pl.col("ratio"))).abs())
    share = exact_statistic(expected["off"].to_numpy().max(), "off 1 - alpha, largest")
    parts["share"] = (share, at_most(1e-12), "")
    means = seed_means(table, "frozen_share", ["ratio"])
    picture = curve(means, "ratio", "frozen_share", x_title="N1 / P", y_title="frozen share")
    return judged(table, picture, parts, exact=True)


@study.claim("C7", minutes={"quick": 0.3, "full": 2})
def inputs_are_worst_conditioned_at_the_threshold(scale: Scale) -> dict[str, Evidence]:
    """The least non-zero eigenvalue of the input correlations vanishes where parameters equal
    examples, and grows on both sides."""
    parts: dict[str, Part] = {}
    tables = {}
    for name, table in feature_tables(scale, 0.0).items():
        decades = np.log10(by_seed(table, "lambda_min", "ratio"))
        middle = np.median(decades, axis=0)
        place = exact_statistic(
            RATIOS[int(middle.argmin())], "N1 / P of the least, median of seeds"
        )
        parts[f"{name}: place"] = (place, NEAR_PEAK, "")
        for ratio, word in ((2.0, "2 P"), (0.5, "P / 2")):
            rise = decades[:, RATIOS.index(ratio)] - decades[:, RATIOS.index(1.0)]
            step = t_statistic(rise, "decades above that at N1 = P")
            parts[f"{name}: {word}"] = (step, more_than(3), "")
        tables[name] = table.select("ratio", least=pl.col("lambda_min"))
    # N / P parameters a sample: the lower edge of the law, of inputs of norm 1 per sample.
    edges = pl.DataFrame(
        {"ratio": RATIOS, "least": [float((1 - np.sqrt(1 / r)) ** 2) for r in RATIOS]}
    )
    tables["linear theory"] = edges.filter(pl.col("least") > 0)
    long = pl.concat(t.with_columns(model=pl.lit(n)) for n, t in tables.items())
    medians = long.group_by("model", "ratio", maintain_order=True).agg(pl.col("least").median())
    picture = curve(
        medians,
        "ratio",
        "least",
        color="model",
        log_x=True,
        log_y=True,
        rules=[(1.0, "N1 = P")],
        x_title="parameters per example",
        y_title="least non-zero eigenvalue, median",
    )
    return judged(long, picture, parts, exact=None)


@study.claim("C8", minutes={"quick": 0.3, "full": 2})
def bounds_must_know_of_the_frozen_weights(scale: Scale) -> dict[str, Evidence]:
    """Beyond the threshold a bound by the norm of all weights grows with width while the error
    falls; bounds that leave out the frozen subspace fall too."""
    first, last = BOUND_RATIOS.index(2.0), len(BOUND_RATIOS) - 1
    parts: dict[str, Part] = {}
    pictured = []
    for name, table in feature_tables(scale, 2.0, rows=200).items():
        mse = np.median(by_seed(table, "late_mse", "ratio"), axis=0)[first:]
        for bound in ("naive", "effective", "alternative"):
            values = by_seed(table, bound, "ratio")
            growth = t_statistic(values[:, last] / values[:, first], "at 64 P over that at 2 P")
            region = more_than(2) if bound == "naive" else less_than(1)
            rank = spearmanr(np.median(values, axis=0)[first:], mse).statistic
            note = f"Rank correlation with the test MSE from 2 P on: {rank:+.2f}."
            parts[f"{name}: {bound}"] = (growth, region, note)
        for column in ("late_mse", "naive", "effective", "alternative"):
            series = table.select("ratio", bound=pl.lit(f"{name}, {column}"), value=pl.col(column))
            pictured.append(series)
    long = pl.concat(pictured)
    medians = long.group_by("bound", "ratio", maintain_order=True).agg(pl.col("value").median())
    picture = curve(
        medians,
        "ratio",
        "value",
        color="bound",
        log_x=True,
        log_y=True,
        rules=[(1.0, "N1 = P")],
        x_title="N1 / P",
        y_title="test MSE and bounds, median",
    )
    return judged(long, picture, parts)


@study.claim("C9", minutes={"quick": 0.5, "full": 3})
def the_time_to_stop_is_found_on_real_data(scale: Scale) -> dict[str, Evidence]:
    """From the training rows of real data alone, marginal likelihood gives a stopping time whose
    error is within 5 % of the best."""
    splits = scale.pick(smoke=2, quick=7, full=15)
    settings = {
        "diabetes, linear, n = 200": ("diabetes", 0, 200),
        "diabetes, 1000 features, n = 60": ("diabetes", 1000, 60),
        "diabetes, 200 features, n = 200": ("diabetes", 200, 200),
        "digits, 300 features, n = 300": ("digits", 300, 300),
        "digits, linear, n = 64": ("digits", 0, 64),
        "digits, 3000 features, n = 300": ("digits", 3000, 300),
    }
    if scale.name == "smoke":
        settings = dict(list(settings.items())[:3])
    parts: dict[str, Part] = {}
    tables = []
    for name, (source, features, rows) in settings.items():
        axes = grid(
            seed=seeds(scale, 8, 12), source=source, features=features, rows=rows, splits=splits
        )
        table = run(real_regression, axes, label=name)
        columns = [column for column in table.columns if column != "seed"]
        table = table.explode(columns).with_columns(setting=pl.lit(name))
        medians = table.group_by("seed", maintain_order=True).agg(pl.col("regret").median())
        regret = t_statistic(medians["regret"].to_numpy(), "median regret of the predicted time")
        whole = table.select(pl.exclude("seed", "setting")).median().row(0, named=True)
        note = (
            f"Test MSE: {whole['predicted']:.3f} at the predicted time, {whole['best']:.3f} best, "
            f"{whole['end']:.3g} at the end, {whole['ridge']:.3f} by the ridge; worst regret "
            f"{table['regret'].to_numpy().max():.1%}, predicted over best time "
            f"{whole['time_ratio']:.2g}, predicted value {whole['least_predicted_value']:.2f}."
        )
        parts[name] = (regret, less_than(0.05), note)
        tables.append(table)
    table = pl.concat(tables)
    named = {"predicted": "predicted stop", "end": "end of training", "ridge": "ridge"}
    rows_of = [
        table.select("seed", "setting", way=pl.lit(name), over=pl.col(column) / pl.col("best"))
        for column, name in named.items()
    ]
    groups = pl.concat(rows_of).group_by("seed", "setting", "way", maintain_order=True)
    medians = groups.agg(pl.col("over").median())
    means = seed_means(medians, "over", ["setting", "way"])
    means = means.with_columns(label=pl.format("{}: {}", "setting", "way"))
    means = means.with_columns(pl.col("over", "low", "high").clip(lower_bound=0.9).log10())
    picture = forest(
        means, "label", "over", "low", "high", color="way",
        x_title="decades above the best error over time",
    )  # fmt: skip
    return judged(table, picture, parts)


def deviations(table: pl.DataFrame, name: str) -> np.ndarray:
    """(seeds, times): simulated minus predicted error over what is allowed, of one setting.

    Allowed are 3 standard errors or 3 %, 10 % at alpha = 1 with t > 20.
    """
    alpha, snr, inr = (float(table[column][0]) for column in ("alpha", "snr", "inr"))
    found = predict(alpha, snr, inr, TIMES)
    theory = found.test_mse if name == "test" else found.train_mse
    table = table.sort("seed")
    measured, errors = (np.array(table[c].to_list()) for c in (name, f"{name}_se"))
    pooled = np.sqrt((errors**2).sum(axis=0)) / len(errors)
    share = np.where((alpha == 1) & (np.array(TIMES) > 20), EDGE, CLOSE)
    return (measured - theory) / np.maximum(np.maximum(3 * pooled, share * theory), SMALLEST)


def images(scale: Scale, rows: int) -> tuple[str, list[tuple[str, str]], int, int]:
    """Source, pairs of classes, training and test rows of random features."""
    pairs = [("Pullover", "Shirt"), ("Sneaker", "Boot"), ("T-shirt", "Dress")]
    small = ("digits", [("3", "8")], 40, 200)
    return scale.pick(
        smoke=small,
        quick=("fashion-mnist", pairs[:1], rows, 1000),
        full=("fashion-mnist", pairs, rows, 1000),
    )


def feature_tables(scale: Scale, start: float, rows: int = 400) -> dict[str, pl.DataFrame]:
    """Random features by ratio and seed, for each pair of images; shared by the claims."""
    ratios = RATIOS if rows == 400 else BOUND_RATIOS
    source, pairs, rows, test_rows = images(scale, rows)
    cost = {"source": source, "rows": rows, "test_rows": test_rows, "start": start}
    tables = {}
    for pair in pairs:
        axes = grid(ratio=batched(ratios), seed=seeds(scale, 8, 20), pair=fixed(pair), **cost)
        table = run(random_features, axes, label=f"random features, {'/'.join(pair)}")
        tables[f"random features, {'/'.join(pair)}"] = table
    return tables


def network_tables(scale: Scale) -> dict[str, pl.DataFrame]:
    """The width sweeps of both kinds of networks; shared by the claims."""
    small = ((2, 4), (8, 16))
    buckets_a = scale.pick(smoke=small, quick=BUCKETS_A, full=((5, 10, 20), *BUCKETS_A[1:]))
    buckets_b = scale.pick(smoke=small, quick=BUCKETS_B, full=BUCKETS_B)
    return {
        NETS_A: networks(scale, "a", buckets_a, [0.3]),
        NETS_B: networks(scale, "b", buckets_b, [0.01]),
    }


def networks(
    scale: Scale, kind: str, buckets: Sequence[tuple[int, ...]], scales: Sequence[float]
) -> pl.DataFrame:
    """A row a scale, width and seed; `size` is parameters / (rows x outputs)."""
    whole = 300 if kind == "a" else 150
    rows = scale.pick(smoke=30, quick=whole, full=whole)
    # The sweeps of C2 and C3; the scales of C4 differ by many standard errors with three.
    members = seeds(scale, 5, 10) if len(scales) == 1 else scale.seeds
    tables = []
    for bucket in buckets:
        long = 3000 if kind == "a" and max(bucket) < 300 else 1500
        steps = scale.pick(smoke=50, quick=long, full=long)
        for first in range(0, len(members), TOGETHER):
            part = batched(members[first : first + TOGETHER])
            axes = grid(
                scale=list(scales),
                seed=part,
                widths=fixed(bucket),
                kind=kind,
                steps=steps,
                rows=rows,
            )
            found = run(digit_networks, axes, label=f"networks ({kind}), {bucket[-1]} wide")
            figures = [c for c in found.columns if c not in ("scale", "seed")]
            found = found.with_columns(width=pl.lit(list(bucket)))
            tables.append(found.explode([*figures, "width"]))
    inputs, biases = 64, 1 if kind == "a" else 0
    width = pl.col("width")
    parameters = width * (inputs + biases) + 10 * (width + biases)
    return (
        pl.concat(tables).with_columns(size=parameters / (10 * rows)).sort("scale", "width", "seed")
    )


def threshold_width(table: pl.DataFrame) -> int:
    """The width whose parameters are nearest to rows x outputs."""
    away = table.select("width", off=(pl.col("size").log()).abs()).sort("off")
    return int(away["width"][0])


def half_threshold(widths: Sequence[int], name: str) -> int:
    """The width of the sweep at about half the interpolation threshold."""
    wanted = 20 if name == NETS_A else 10
    return wanted if wanted in widths else widths[len(widths) // 2 - 1]


def peak_parts(
    name: str, over: np.ndarray, widths: Sequence[int], threshold: int
) -> dict[str, Part]:
    """Where a sweep's overtraining (seeds, widths) is largest, and how far above the ends."""
    top = int(over.mean(axis=0).argmax())
    listed = ", ".join(f"{w}: {v:.2f}" for w, v in zip(widths, over.mean(axis=0), strict=True))
    note = f"Overtraining by width: {listed}; parameters equal examples near {threshold}."
    if name == NETS_A:
        small = widths.index(10) if 10 in widths else 0
        ends = {f"width {widths[small]}": (small, 1.5), f"width {widths[-1]}": (-1, 3.0)}
    else:
        ends = {f"width {widths[0]}": (0, 5.0), f"width {widths[-1]}": (-1, 5.0)}
    parts: dict[str, Part] = {}
    for end, (column, factor) in ends.items():
        # A ratio of means by the difference: the ends are near 0, where ratios have no mean.
        lead = over[:, top] - factor * over[:, column]
        label = f"overtraining at the peak - {factor:g} x that at {end}"
        parts[f"{name}: peak against {end}"] = (t_statistic(lead, label), at_least(0), note)
        note = ""
    if name == NETS_B:
        size = widths[top] * 74 / 1500
        place = exact_statistic(size, "parameters / (examples x outputs) at the peak")
        parts[f"{name}: place"] = (place, between(0.4, 2.1), "")
    return parts


def in_standard_errors(differences: np.ndarray) -> float:
    """Mean of paired differences (seeds,) over its standard error."""
    return float(differences.mean() / (differences.std(ddof=1) / np.sqrt(len(differences))))


def stacked(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One table, told apart by `model`."""
    return pl.concat(t.with_columns(model=pl.lit(name)) for name, t in tables.items())


def width_picture(tables: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """Late over best error against size, with the theory's."""
    table = stacked(tables).with_columns(over=pl.col("late_mse") / pl.col("best_mse"))
    medians = table.group_by("model", "size", maintain_order=True).agg(pl.col("over").median())
    sizes = np.geomspace(0.1, 10, 41)
    found = predict(1 / sizes, 5.0, 0.0, [1e4])
    theory = pl.DataFrame(
        {"model": "linear theory", "size": sizes, "over": found.test_mse[:, 0] / found.optimal_mse}
    )
    return curve(
        pl.concat([medians, theory]),
        "size",
        "over",
        color="model",
        log_x=True,
        log_y=True,
        rules=[(1.0, "threshold")],
        x_title="parameters / (examples x outputs)",
        y_title="late over best test MSE",
    )


def long_errors(table: pl.DataFrame) -> pl.DataFrame:
    """A row a setting, seed and time."""
    figures = ["test", "train", "test_se", "train_se"]
    return table.with_columns(time=pl.lit(list(TIMES))).explode([*figures, "time"])


def errors_picture(table: pl.DataFrame) -> dict[str, Any]:
    """Test error over time, simulated and predicted, at SNR 5 from weights of 0."""
    shown = long_errors(table).filter(pl.col("snr") == 5.0, pl.col("inr") == 0, pl.col("time") > 0)
    shown = shown.with_columns(series=pl.format("simulated, alpha {}", "alpha"), error="test")
    means = seed_means(shown, "error", ["series", "time"]).select("series", "time", "error")
    times = np.geomspace(0.1, 2000, 45)
    lines = [
        pl.DataFrame(
            {
                "series": f"theory, alpha {alpha}",
                "time": times,
                "error": predict(alpha, 5.0, 0.0, times).test_mse,
            }
        )
        for alpha in shown["alpha"].unique(maintain_order=True)
    ]
    return curve(
        pl.concat([*lines, means]),
        "time",
        "error",
        color="series",
        log_x=True,
        log_y=True,
        x_title="time (rate x steps)",
        y_title="test error",
    )
