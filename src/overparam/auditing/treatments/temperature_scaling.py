"""Divide the baseline nets' logits by a temperature fitted on held-out rows."""

from overparam.auditing.answers import NotApplicable
from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.findings.calibration import scaled_probabilities
from overparam.auditing.measurements import replicas
from overparam.auditing.registry import treatment


@treatment(
    "OT006",
    "temperature-scaling",
    title="temperature scaling",
    paper="temperature-scaling-limits",
)
def temperature_scaling(context: Context) -> Candidate:
    """Fit one temperature a net on the held-out tenth (Guo et al. 2017).

    It never changes which class is the most probable, so it can help log loss but not accuracy.
    """
    if not context.classification:
        raise NotApplicable("a regression has no probabilities to calibrate.")
    return Candidate(
        "temperature-scaling",
        "temperature scaling",
        Build(context.recipe, 1, temperature=True),
        scaled_probabilities(context),
        replicas(context).seconds,
    )
