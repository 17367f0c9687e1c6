"""Average the probabilities of several nets that differ by their seed alone."""

from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.measurements import replicas
from overparam.auditing.registry import treatment


@treatment("OT003", "ensemble", title="ensemble of 8 nets")
def ensemble(context: Context) -> Candidate:
    """Average eight baseline nets (Lakshminarayanan et al. 2017).

    There is one ensemble, so that its interval counts rows but not seeds; averaging eight nets has
    already taken out most of the luck of the seed.
    """
    fits = replicas(context)
    averaged = [
        context.probabilities(logits).mean(axis=0, keepdims=True) for logits in fits.validation
    ]
    members = context.plan.replicas
    return Candidate(
        "ensemble",
        f"ensemble of {members} nets",
        Build(context.recipe, members),
        averaged,
        members * fits.seconds,
    )
