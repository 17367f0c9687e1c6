"""`overparam.audit`: read the data, and either recall a finished audit of it or run one.

Recalling needs neither torch nor scikit-learn, so that they are imported where an audit runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.auditing.budget import parse_duration
from overparam.auditing.finished import question_of, recalled
from overparam.auditing.options import Options, checked_jobs, checked_seed
from overparam.auditing.outcome import Audit
from overparam.auditing.output_folder import output_folder
from overparam.auditing.text_running import audit_text
from overparam.data.loading import load
from overparam.evidence.errors import UserError

if TYPE_CHECKING:
    from overparam.auditing.recipes import ModuleFactory


def audit(
    X: Any,
    y: Any = None,
    model: ModuleFactory | str | None = None,
    *,
    target: str | None = None,
    task: str | None = None,
    group: str | None = None,
    time: str | None = None,
    test: Any = None,
    metric: str | None = None,
    budget: str | float = "5m",
    only: Sequence[str] = (),
    ignore: Sequence[str] = (),
    drop: Sequence[str] = (),
    rare: str | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    jobs: int | None = None,
    backend: str = "loky",
    refit: bool = True,
    fresh: bool = False,
    progress: bool = True,
    say: Callable[[str], None] | None = None,
    vocabulary: int | None = None,
) -> Audit:
    """Audit a labelled data set: will models with more parameters than rows generalise on it?

    Parameters
    ----------
    X : path, name of an embedded set, array or data frame
        The data; see `overparam.data.load`.
    y : array or column name, optional
        Labels, or the target column (as `target`).
    model : callable or str, optional
        Your own architecture, `module_factory(n_features, n_outputs, seed) -> torch.nn.Module`, or
        its `package.module:factory`; it is trained beside the others and may be recommended.
    target, task, group, time, test, drop, rare
        As in `overparam.data.load`; the task may be "language" too, of a text file.
    metric : str, optional
        `accuracy`, `balanced_accuracy`, `log_loss`, `auc`, `r2` or `rmse`.
    budget : str or number
        Wall-clock time, such as `90s`, `5m`, or seconds.
    only, ignore : sequences of str
        Codes or ids of findings and treatments.
    out : path, optional
        Folder of the report; `./overparam-NAME` by default. An interrupted audit goes on there.
    seed : int
        Seed of splits and nets.
    jobs : int, optional
        Processes; the number of cores by default.
    backend : {"loky", "sequential", "dask", "ray"}
        Where cells run.
    refit : bool
        Save the recommended model refitted on all labelled rows, not the one that was measured.
    fresh : bool
        Forget what is in `out` and start over.
    progress : bool
        Show progress on stderr.
    say : callable, optional
        Receives lines such as the automatic choices.
    vocabulary : int, optional
        Of a text (`task="language"`, X a text file): byte pairs to learn; by default a token is a
        character.

    Returns
    -------
    Audit

    Raises
    ------
    UserError
        A mistake that the user can mend, in one line.

    Examples
    --------
    >>> result = overparam.audit("houses.csv", "price")             # doctest: +SKIP
    >>> result.recommendation["test"], result.model.predict(new)    # doctest: +SKIP
    """
    if isinstance(y, str) and target is None:
        target, y = y, None
    if task == "language":
        given = {
            "y": y,
            "model": model,
            "target": target,
            "group": group,
            "time": time,
            "test": test,
            "metric": metric,
            "only": only,
            "ignore": ignore,
            "drop": drop,
            "rare": rare,
            "refit": None if refit else False,
        }
        return audit_text(
            text_source(X, given),
            vocabulary=vocabulary,
            budget=budget,
            out=out,
            seed=seed,
            jobs=jobs,
            backend=backend,
            fresh=fresh,
            progress=progress,
            say=say,
        )
    if vocabulary is not None:
        raise UserError(f"vocabulary needs task='language'; got vocabulary={vocabulary!r}.")
    for argument, names in (("only", only), ("ignore", ignore)):
        if isinstance(names, str):
            raise UserError(f"{argument} must be a sequence of codes; got {names!r}.")
    dataset = load(
        X,
        y if y is not None else target,
        task,
        group=group,
        time=time,
        test=test,
        drop=list(drop),
        rare=rare,
    )
    options = Options(
        target=dataset.target if target is None else target,
        task=task,
        group=group,
        time=time,
        test=None if test is None else str(test) if isinstance(test, str | Path) else "given",
        metric=metric,
        budget=parse_duration(budget),
        only=tuple(only),
        ignore=tuple(ignore),
        drop=tuple(drop),
        rare=rare,
        model=None if model is None else model if isinstance(model, str) else own_name(model),
        seed=checked_seed(seed),
        refit=refit,
    )
    folder = output_folder(out, dataset.name)
    processes = checked_jobs(jobs)
    # The code of a model of the user's own may have changed: its cells know.
    question = question_of(options, dataset) if model is None else None
    if question and not fresh and (known := recalled(folder, question, say)):
        return known

    from overparam.auditing.following import follow

    return follow(
        dataset,
        options,
        folder,
        model=model,
        question=question,
        jobs=processes,
        backend=backend,
        fresh=fresh,
        progress=progress,
        say=say,
    )


def text_source(X: Any, given: Mapping[str, Any]) -> str | Path:
    """The path of a text, where nothing was asked for that a text does not have."""

    def asked(value: Any) -> bool:
        return value is not None and not (isinstance(value, list | tuple) and not value)

    strange = [name for name, value in given.items() if asked(value)]
    if strange:
        raise UserError(
            f"{strange[0]} makes no sense for a text (task 'language'); got {given[strange[0]]!r}."
        )
    if not isinstance(X, str | Path):
        raise UserError(
            f"X must be the path of a text for task 'language'; got a {type(X).__name__}."
        )
    return X


def own_name(factory: ModuleFactory) -> str:
    """`module:name` of a user's factory, as the plan and the report call it."""
    return f"{factory.__module__}:{getattr(factory, '__qualname__', type(factory).__qualname__)}"
