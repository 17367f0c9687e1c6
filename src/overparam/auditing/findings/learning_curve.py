"""What would more data bring?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from overparam.auditing.answers import Answer, NotAffordable, NotApplicable
from overparam.auditing.context import Context
from overparam.auditing.forecast_cell import forecast as forecast_cell
from overparam.auditing.forecast_cell import kernel_rows
from overparam.auditing.measurements import Sweep, subset_curve
from overparam.auditing.net_cells import fit_and_held
from overparam.auditing.registry import finding
from overparam.diagnostics.power_law_curve import PowerLaw, fit_power_law, resampled_curves
from overparam.evidence.intervals import Interval, Statistic
from overparam.evidence.regions import more_than
from overparam.evidence.verdict import Evidence
from overparam.report import figures

GAIN = 0.01
FACTORS = (2, 4, 8)
RESAMPLES = 1000
REACH = 4.0
NEAR = 0.05


@finding(
    "OP006",
    "learning-curve",
    title="Would more data help?",
    order=5,
    paper="more-is-better",
    thresholds={
        "gain": (GAIN, "one point of error from twice the rows is worth collecting them"),
        "reach": (REACH, "rows at hand over rows of nets, beyond which a forecast is only a tip"),
        "near": (NEAR, "rise of the squared error up to which interpolation is near optimal"),
    },
)
def learning_curve(context: Context) -> Answer:
    """The error that 2, 4 and 8 times the rows would bring, forecast from two sources.

    How: the baseline net, stopped early, is trained on random parts of the training rows (1/16 to
    all), several subsets each. error(n) = floor + a n^-b, fitted to the errors on the validation
    rows, is one source. The other is the spectrum of an infinitely wide net's kernel on the
    training rows, which says how fast this target gives in to data; a regression turns its squared
    error into the net's. The forecast is the geometric mean of the two; its interval comes from
    resampling subsets, validation rows and spectra, and is wide where the sources disagree.

    Why: it tells whether to spend on data or on the model. The same spectrum tells whether fitting
    every row exactly is near optimal here, or how much ridge the data want.

    What to do: if twice the rows bring a point or more, collect data first. The extrapolation
    assumes that new rows are like the old ones; 8 times is far. Where the budget let nets train on
    less than a quarter of the rows at hand, the forecast starts far away: the outcome is a tip.
    """
    sweep = subset_curve(context)
    if len(sweep.values) < 3:
        raise NotApplicable("there are too few training rows for three sizes of subsets.")
    scores = errors(context, sweep)  # (sizes, subsets, validation rows)
    n = sweep.values
    at_hand = fitted_rows(context)  # more than n[-1] where the budget cut the rows of nets
    ahead = _ahead(context, n, scores, np.array([1.0, *FACTORS]) * at_hand)
    saved = ahead.gains[:, 1] - ahead.gains[:, 0]
    scale = _labelled_rows(context) / at_hand
    forecast = [
        {
            "rows": round(f * _labelled_rows(context)),
            **{
                name: float(_as_error(context, getattr(ahead, name)[i]))
                for name in ("error", "low", "high")
            },
        }
        for i, f in enumerate(FACTORS, start=1)
    ]
    table = _table(context, n * scale, scores, forecast)
    gain = float(np.median(saved))
    least, most = (float(v) for v in np.quantile(saved, [0.025, 0.975]))
    interval = Interval(least, most, method="bootstrap over subsets, rows and spectra")
    evidence = Evidence(
        table,
        Statistic(gain, interval, "error saved by twice the rows", scores.shape[1] * len(n)),
        more_than(GAIN),
        figures.curve(
            table,
            "rows",
            "error",
            color="part",
            low="low",
            high="high",
            log_x=True,
            rules=[(_labelled_rows(context), "rows at hand")],
            x_title="labelled rows (log)",
            y_title=_error_name(context),
        ),
    )
    headline, action = _words(context, gain, interval, forecast)
    far = at_hand > REACH * n[-1]
    if far:
        start = f"From the {int(n[-1]):,} rows that nets could afford"
        headline = f"{start}: {headline[0].lower()}{headline[1:]}"
    return Answer(
        evidence,
        headline,
        action,
        details=[
            *ahead.sentences,
            f"Fitted: error = {ahead.law.floor:.3f} + {ahead.law.amplitude:.3g} "
            f"rows^-{ahead.law.exponent:.2f} on {', '.join(f'{int(s):,}' for s in n)} fitted rows.",
            "Rows are counted as labelled rows of the data set, with the same share for training.",
            *_beyond(n[-1], at_hand),
        ],
        caption="Error against labelled rows: measured on subsets, and forecast.",
        outcome="tip" if far else None,
        extra={"forecast": forecast, **ahead.extra},
    )


@dataclass(frozen=True)
class _Ahead:
    """Errors at the horizon (h,) and gains (resamples, h), with what is to be said of them."""

    error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    gains: np.ndarray
    law: PowerLaw
    sentences: list[str]
    extra: dict[str, Any]


def _ahead(context: Context, n: np.ndarray, scores: np.ndarray, horizon: np.ndarray) -> _Ahead:
    """The forecast of curve and kernel, or of the curve alone where there is no kernel."""
    split = context.split_keys[0].as_dict()
    rows = context.plan.forecast_rows
    if kernel_rows(context.dataset, split, rows) is None:
        return _from_curve(context, n, scores, horizon, "there are too few rows for a kernel")
    cell = {
        "dataset": context.dataset,
        "split": split,
        "rows": rows,
        "sizes": n,
        "errors": scores,
        "horizon": horizon,
    }
    try:
        [found] = context.cells(
            "nets",
            forecast_cell,
            [cell],
            label="spectrum",
            estimate=context.plan.seconds["forecast"],
        )
    except NotAffordable as reason:
        return _from_curve(context, n, scores, horizon, f"the kernel {reason}")
    law = PowerLaw(found["floor"], found["amplitude"], found["exponent"])
    curve, kernel = (
        float(_as_error(context, found[name][1])) for name in ("from_curve", "from_kernel")
    )
    sources = (
        f"For twice the rows the curve alone says {_shown(context, curve)}, the kernel's spectrum "
        f"on {rows:,} rows {_shown(context, kernel)}."
    )
    cost, (low, high) = found["interpolation_cost"], found["interpolation_cost_interval"]
    interpolation = {
        "cost": float(cost),
        "low": float(low),
        "high": float(high),
        "fitting_ratio": float(found["fitting_ratio"]),
        "ridge": float(found["ridge"]),
    }
    return _Ahead(
        found["error"],
        found["low"],
        found["high"],
        found["gains"].astype(float),
        law,
        [_interpolation(interpolation), sources],
        {"interpolation": interpolation},
    )


def _from_curve(
    context: Context, n: np.ndarray, scores: np.ndarray, horizon: np.ndarray, why: str
) -> _Ahead:
    law = fit_power_law(n, scores.mean(axis=(1, 2)))
    rng = np.random.default_rng(context.plan.seed)
    draws = fit_power_law(n, resampled_curves(scores, RESAMPLES, rng))(horizon)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    said = [f"The forecast rests on the curve alone: {why}"]
    return _Ahead(np.clip(law(horizon), low, high), low, high, -draws, law, said, {})


def _interpolation(found: dict[str, float]) -> str:
    """Whether an infinitely wide net should fit every row exactly."""
    cost = (
        f"raises the squared error of an infinitely wide net by {100 * found['cost']:.0f} % "
        f"({100 * found['low']:.0f} to {100 * found['high']:.0f} %)"
    )
    best = (
        f"at the best ridge, {found['ridge']:.2g}, its training error is "
        f"{100 * found['fitting_ratio']:.0f} % of its error on new rows"
    )
    if found["high"] <= NEAR:
        return f"Interpolation is near optimal here: fitting every row exactly {cost}; {best}."
    if found["low"] > NEAR:
        return f"Interpolation costs here: fitting every row exactly {cost}; {best}."
    return f"Whether interpolation costs is not clear: fitting every row exactly {cost}; {best}."


def _shown(context: Context, error: float) -> str:
    return f"{100 * error:.1f} %" if context.classification else f"{error:.3g}"


def errors(context: Context, sweep: Sweep) -> np.ndarray:
    """Row errors (sizes, subsets, n): wrong or not, or the squared error over the variance."""
    y = context.validation(0)
    p = context.probabilities(sweep.validation)
    if context.classification:
        return (p.argmax(axis=-1) != y).astype(float)
    return (p[..., 0] - y) ** 2 / _variance(context)


def _variance(context: Context) -> float:
    """Variance of the target, in which squared errors are counted: an error of 1 is R2 = 0."""
    return float(np.var(context.splits[0].train.y))


def fitted_rows(context: Context) -> int:
    """Rows that nets could be fitted on if the budget did not cut them."""
    return len(fit_and_held(context.dataset, context.splits[0].train.rows, context.plan.seed)[0])


def _beyond(largest: float, at_hand: int) -> list[str]:
    if largest >= at_hand:
        return []
    return [
        f"The budget let nets train on {int(largest):,} of {at_hand:,} rows: the forecast reaches "
        f"{at_hand / largest:.0f} times as far as it seems. A larger --budget measures more of it."
    ]


def _labelled_rows(context: Context) -> int:
    return context.dataset.n


def _as_error(context: Context, value: np.ndarray | float) -> np.ndarray | float:
    """1 - accuracy as it is; the relative squared error as RMSE."""
    if context.classification:
        return value
    return np.sqrt(np.maximum(value, 0) * _variance(context))


def _error_name(context: Context) -> str:
    return "error (1 - accuracy)" if context.classification else "RMSE"


def _table(
    context: Context, rows: np.ndarray, scores: np.ndarray, forecast: list[dict[str, Any]]
) -> pl.DataFrame:
    measured: list[dict[str, Any]] = []
    for n, one in zip(rows, scores, strict=True):
        per_subset = one.mean(axis=1)
        half = 1.96 * per_subset.std(ddof=1) / np.sqrt(len(per_subset))
        mean = per_subset.mean()
        low, mid, high = (_as_error(context, v) for v in (max(mean - half, 0), mean, mean + half))
        ends = {"error": mid, "low": low, "high": high}
        measured.append({"rows": round(float(n)), "part": "measured", **ends})
    start = {**measured[-1], "part": "forecast"}
    ahead = [{**point, "part": "forecast"} for point in forecast]
    columns = ("rows", "part", "error", "low", "high")
    return pl.DataFrame([{c: r[c] for c in columns} for r in (*measured, start, *ahead)])


def _words(
    context: Context, gain: float, interval: Interval, forecast: list[dict[str, float]]
) -> tuple[str, str]:
    twice = forecast[0]
    if context.classification:
        would = f"twice the rows would bring the error to about {100 * twice['error']:.1f} %"
        interval_text = f"{100 * twice['low']:.1f} to {100 * twice['high']:.1f} %"
    else:
        would = f"twice the rows would bring the RMSE to about {twice['error']:.3g}"
        interval_text = f"{twice['low']:.3g} to {twice['high']:.3g}"
    if interval.low > GAIN:
        return f"More data would help: {would} ({interval_text}).", "Collect more rows first."
    if interval.high <= GAIN:
        return (
            f"More data would bring little: {would} ({interval_text}).",
            "Spend on the model or on better labels rather than on more rows.",
        )
    return (
        f"More data may help: {would} ({interval_text}).",
        "A small batch of new rows would tell; the forecast alone does not.",
    )
