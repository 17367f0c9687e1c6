"""One net that learns from the mean prediction of several."""

from overparam.auditing.candidates import Build, Candidate
from overparam.auditing.context import Context
from overparam.auditing.net_cells import TAUGHT
from overparam.auditing.registry import treatment
from overparam.auditing.treatments.single_nets import trained

TEACHERS = 4
STUDENTS = 2  # a piece of work each: the teachers are trained in every one


@treatment(
    "OT013",
    "distilled-twin",
    title="one net taught by an ensemble",
    paper="infinite-compute",
    order=3,
    thresholds={
        "teachers": (TEACHERS, "more nets gain little more and cost as much again"),
        "taught": (TAUGHT, "the paper's share of the teachers in what a student reads"),
    },
)
def distilled_twin(context: Context) -> Candidate:
    """Train four baseline nets, and one more on their mean prediction beside the labels.

    The student costs no more to use than one net. What it keeps of the ensemble's gain is seen
    beside the ensemble in the same table. Its teachers have seen the same rows: they tell it how
    sure to be, not what the labels are.
    """
    recipe = context.recipe.but(teachers=TEACHERS)
    return trained(
        context,
        "distilled-twin",
        "one net taught by an ensemble",
        Build(recipe, 1),
        setting=f"{TEACHERS} teachers, {100 * TAUGHT:.0f} % of the targets",
        seeds=STUDENTS,
        seeds_a_cell=1,
    )
