"""Weight companders on the layers of any network, in place, and back to plain weights."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from overparam.nets.init import WEIGHT_LAYERS
from overparam.nets.weight_compander import KINDS, MARGIN, WeightCompander

Module = TypeVar("Module", bound=nn.Module)

INITS = ("inverse", "rescale", "raw")
_ROOM = 1.5  # of `a` chosen for init="inverse", over the least that is admissible


@torch.no_grad()
def compand(
    module: Module,
    *,
    where: type[nn.Module] | tuple[type[nn.Module], ...] = WEIGHT_LAYERS,
    exclude: Sequence[str] = ("bias", "norm"),
    init: str = "inverse",
    a: float | None = None,
    b: float | None = None,
    learnable: bool = True,
    learn_last: bool = False,
    **options: Any,
) -> Module:
    """Let the layers of a network use Psi of what they train, in place.

    Parameters
    ----------
    module : nn.Module
        Freshly initialised or trained.
    where : type or tuple of types
        Layers whose parameters are companded; Linear and Conv1d/2d/3d by default.
    exclude : sequence of str
        A parameter whose name contains one of these stays as it is.
    init : {"inverse", "rescale", "raw"}
        "inverse": the same weights as before, v = Psi^-1(w). "rescale": the present weights become
        v, and `a` is set so that Psi(v) has their mean square. "raw": they become v, for layers
        followed by a normalisation, which does not see the scale.
    a, b : float, optional
        As in `WeightCompander`. By default `a` is 1 (for "inverse" 1.5 times the least that is
        admissible, where that is more) and b is 1 (for "inverse": a, a slope of 1 at zero).
    learnable : bool
        Whether a and b are trained.
    learn_last : bool
        Also those of the last layer. A free scale of the outputs inflates the logits.
    **options
        `granularity`, `kind`, `units` and `lr_scale` of `WeightCompander`.

    Returns
    -------
    nn.Module
        The same module.

    Raises
    ------
    ValueError
        If there is nothing to compand, a weight is parametrised already or shared, `a` is too small
        for "inverse", given for "rescale", or an option is outside what is accepted.
    TypeError
        If a weight does not hold floating-point numbers.

    Warns
    -----
    UserWarning
        If weights near the bound had to be clamped under "inverse"; it says how many.

    Examples
    --------
    >>> net = compand(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
    >>> sorted(name for name, _ in net.named_parameters())[2:4]
    ['0.parametrizations.weight.original', '2.bias']
    """
    if init not in INITS:
        raise ValueError(f"init must be one of {list(INITS)}; got {init!r}.")
    if init == "rescale" and a is not None:
        raise ValueError(f"a must be left out for init='rescale', which sets it; got {a!r}.")
    found = _weights(module, where, exclude)
    made = []
    for layer, leaf, name in found:  # all, before any is changed: an error leaves the module alone
        weight = getattr(layer, leaf)
        learnt = learnable and (learn_last or (layer, leaf, name) != found[-1])
        made.append(_started(weight, name, init, a, b, {**options, "learnable": learnt}))
    for (layer, leaf, _), (compander, v) in zip(found, made, strict=True):
        getattr(layer, leaf).copy_(compander(v))  # registration inverts it: inside the bound
        parametrize.register_parametrization(layer, leaf, compander)
        layer.parametrizations[leaf].original.copy_(v)  # type: ignore[union-attr,index]
    return module


def bake(module: Module) -> Module:
    """Put the weights that companded layers use in place of what they train, in place.

    Outputs stay the same to the bit, `state_dict` is that of the plain network, and inference costs
    nothing more.

    Parameters
    ----------
    module : nn.Module

    Returns
    -------
    nn.Module
        The same module.
    """
    found = {name.rpartition(".parametrizations.")[0]: None for name, _ in companders(module)}
    for path in found:
        layer = module.get_submodule(path)
        for leaf, chain in list(layer.parametrizations.items()):  # type: ignore[union-attr,operator]
            if any(isinstance(each, WeightCompander) for each in chain):
                _own_class(layer)
                parametrize.remove_parametrizations(layer, leaf, leave_parametrized=True)
    return module


def _own_class(layer: nn.Module) -> None:
    """Part a layer from its deep copies, whose class it shares: what is removed sits in there."""
    shared = type(layer)
    content = {k: v for k, v in vars(shared).items() if k not in ("__dict__", "__weakref__")}
    layer.__class__ = type(shared.__name__, shared.__bases__, content)


def companders(module: nn.Module) -> Iterator[tuple[str, WeightCompander]]:
    """The companders of a network with their names, in the order of its layers."""
    for name, each in module.named_modules():
        if isinstance(each, WeightCompander):
            yield name, each


def parameter_groups(
    module: nn.Module, lr: float, weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """Parameter groups for `torch.optim`: no decay, and a rate of their own, for log a and log b.

    Decay on log a would pull `a` towards one unit.

    Parameters
    ----------
    module : nn.Module
    lr, weight_decay : float
        Of all other parameters; log a and log b have lr times their `lr_scale`.

    Returns
    -------
    list of dict
    """
    factors = compander_rate_factors(module)
    rest = [p for name, p in module.named_parameters() if name not in factors]
    groups: list[dict[str, Any]] = [{"params": rest, "lr": lr, "weight_decay": weight_decay}]
    for factor in sorted(set(factors.values())):
        own = [module.get_parameter(name) for name, value in factors.items() if value == factor]
        groups.append({"params": own, "lr": lr * factor, "weight_decay": 0.0})
    return groups


def compander_rate_factors(module: nn.Module) -> dict[str, float]:
    """Factor on the rate of every log a and log b that is learnt, by name.

    For `training.Ensemble.fit(rate_factors=)`, whose `decay_factors` should hold 0 for the same
    names.
    """
    return {
        f"{path}.{name}" if path else name: compander.lr_scale
        for path, compander in companders(module)
        for name, _ in compander.named_parameters()
    }


def _weights(
    module: nn.Module, where: type[nn.Module] | tuple[type[nn.Module], ...], exclude: Sequence[str]
) -> list[tuple[nn.Module, str, str]]:
    """Layer, attribute and full name of every weight to compand."""
    shared = Counter(id(p) for _, p in module.named_parameters(remove_duplicate=False))
    found = []
    for path, layer in module.named_modules():
        if not isinstance(layer, where):
            continue
        prefix = f"{path}." if path else ""
        taken = list(layer.parametrizations) if parametrize.is_parametrized(layer) else []  # type: ignore[arg-type]
        for leaf in (*taken, *(leaf for leaf, _ in layer.named_parameters(recurse=False))):
            name = prefix + leaf
            if any(word in name for word in exclude):
                continue
            if leaf in taken:
                raise ValueError(
                    f"module must have plain weights; {name} is parametrised already. "
                    "Call bake(module) first if it is companded."
                )
            if shared[id(getattr(layer, leaf))] > 1:
                raise ValueError(
                    f"module must not share the weights that are companded; {name} is used twice."
                )
            found.append((layer, leaf, name))
    if not found:
        kinds = where if isinstance(where, tuple) else (where,)
        raise ValueError(
            f"module must hold weights of {', '.join(kind.__name__ for kind in kinds)} whose name "
            f"contains none of {list(exclude)}; got {type(module).__name__} without any."
        )
    return found


def _started(
    weight: Tensor,
    name: str,
    init: str,
    a: float | None,
    b: float | None,
    options: dict[str, Any],
) -> tuple[WeightCompander, Tensor]:
    """A compander for a weight, and what is trained in its place at first."""
    try:
        compander = WeightCompander(
            1.0 if a is None else a, 1.0 if b is None else b, **options
        ).fit_(weight)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} (of {name})") from error
    if init == "rescale":
        compander.rescale_(weight)
    if init != "inverse":
        return compander, weight.clone()
    least = compander.least_a(weight)
    if a is None:
        a = max(1.0, _ROOM * least)
        compander.log_a.fill_(a).log_()
        if b is None:
            compander.log_b.copy_(compander.log_a)
    if a <= least:
        raise ValueError(
            f"a must exceed {least:.4g} for init='inverse', so that {name} lies below the bound; "
            f"got {a:.4g}."
        )
    limit = KINDS[compander.kind].bound - MARGIN
    clamped = int((weight.abs() > limit * compander.a).sum())
    if clamped:
        warnings.warn(
            f"{clamped} of {weight.numel()} weights of {name} lie at the bound and were clamped; "
            "take a larger a.",
            stacklevel=3,
        )
    return compander, compander.right_inverse(weight)
