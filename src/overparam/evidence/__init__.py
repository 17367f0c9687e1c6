"""How figures become verdicts: cells, scales, intervals, evidence."""

from overparam.evidence import cells
from overparam.evidence.errors import UserError
from overparam.evidence.intervals import (
    Interval,
    Statistic,
    bootstrap_interval,
    exact_statistic,
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
    "less_than",
    "more_than",
    "t_interval",
    "t_statistic",
]
