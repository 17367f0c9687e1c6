"""Follow the plan in the folder of an audit, or make one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from threadpoolctl import threadpool_limits

from overparam.auditing import registry
from overparam.auditing.budget import Ledger, working_seconds
from overparam.auditing.charges import Charges
from overparam.auditing.context import Context
from overparam.auditing.finished import remember
from overparam.auditing.metric import Metric, choose_metric
from overparam.auditing.options import Options
from overparam.auditing.outcome import Audit
from overparam.auditing.output_folder import another_kind, empty, refuse_file
from overparam.auditing.plan import check_same, read_plan, write_plan
from overparam.auditing.planning import make_plan
from overparam.auditing.recipes import ModuleFactory, check_reachable, import_factory
from overparam.auditing.stages import Run
from overparam.data.dataset import Dataset
from overparam.evidence.cells import settings


def follow(
    dataset: Dataset,
    options: Options,
    folder: Path,
    *,
    model: ModuleFactory | str | None,
    question: str | None,
    jobs: int,
    backend: str,
    fresh: bool,
    progress: bool,
    say: Callable[[str], None] | None,
) -> Audit:
    """Run an audit, see `auditing.running.audit`, and remember it where nothing failed.

    Parameters
    ----------
    question : str or None
        From `finished.question_of`; without it nothing is remembered.
    """
    registry.load_all()
    registry.chosen(registry.FINDINGS, options.only, options.ignore)
    metric = choose_metric(dataset, options.metric)
    if isinstance(model, str):
        import_factory(model)  # a mistake in it is told before anything is trained
    elif model is not None:
        check_reachable(model)
    own = None if isinstance(model, str) else model
    with threadpool_limits(1):
        run = _prepare(dataset, metric, options, folder, jobs, fresh, own, say)
        with settings(
            store=folder / ".cells",
            backend=backend,  # type: ignore[arg-type]
            jobs=jobs,
            progress=progress,
        ):
            result = run.run()
    if question and not result.failed and not run.context.failures:
        remember(result, question, run.opening())
    return result


def _prepare(
    dataset: Dataset,
    metric: Metric,
    options: Options,
    folder: Path,
    jobs: int,
    fresh: bool,
    own: ModuleFactory | None,
    say: Callable[[str], None] | None,
) -> Run:
    """Follow the plan in the folder, or make one."""
    refuse_file(folder)
    path = folder / "plan.json"
    if fresh:
        empty(folder)
        path.unlink(missing_ok=True)
    plan = read_plan(path)
    if plan is None:
        if path.exists():
            raise another_kind(folder)
        plan = make_plan(dataset, options, metric=metric.name, jobs=jobs, own=own)
        folder.mkdir(parents=True, exist_ok=True)
        write_plan(plan, path)
    else:
        check_same(plan, dataset, options, str(folder))
    ledger = Ledger(working_seconds(plan.budget, dataset.n))
    charges = Charges(folder / ".cells" / "charges.json")
    context = Context(dataset, plan, metric, ledger, charges, own, say or (lambda text: None))
    return Run(context, folder)
