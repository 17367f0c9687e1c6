"""How figures become verdicts: cells, scales, intervals, evidence."""

from overparam.evidence import cells
from overparam.evidence.errors import UserError
from overparam.evidence.intervals import (
    Difference,
    Interval,
    Statistic,
    bootstrap_interval,
    exact_statistic,
    holm,
    paired_bootstrap,
    resampled_means,
    seeds_and_rows,
    simultaneous_level,
    t_interval,
    t_statistic,
)
from overparam.evidence.papers import PAPERS, Paper
from overparam.evidence.regions import Region, at_least, at_most, between, less_than, more_than
from overparam.evidence.scale import FULL, LONG, QUICK, SCALES, SMOKE, Scale
from overparam.evidence.verdict import Evidence, Verdict, combine

__all__ = [
    "FULL",
    "LONG",
    "PAPERS",
    "QUICK",
    "SCALES",
    "SMOKE",
    "Difference",
    "Evidence",
    "Interval",
    "Paper",
    "Region",
    "Scale",
    "Statistic",
    "UserError",
    "Verdict",
    "at_least",
    "at_most",
    "between",
    "bootstrap_interval",
    "cells",
    "combine",
    "exact_statistic",
    "holm",
    "less_than",
    "more_than",
    "paired_bootstrap",
    "resampled_means",
    "seeds_and_rows",
    "simultaneous_level",
    "t_interval",
    "t_statistic",
]
