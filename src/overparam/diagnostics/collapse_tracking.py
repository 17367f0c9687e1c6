"""Neural collapse of a network's layers while it trains, in one streaming pass an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from overparam.diagnostics.collapse_metrics import ClassMoments, Collapse
from overparam.diagnostics.recording import Rows, measured
from overparam.diagnostics.run_measures import Pass, Readings
from overparam.training.run_history import RunHistory


class LayerCollapse:
    """A `Measure` of collapse: what enters the named layers, on rows with integer labels.

    Parameters
    ----------
    layers : sequence of str, optional
        Names of submodules whose *inputs* are the features (arrays are flattened a row); the
        first layer of `head` by default.
    head : sequence of str, optional
        Names of the linear layers from the features to the outputs, one after the other with
        nothing between them; the last `nn.Linear` by default. At the input of each of them `nc3`
        compares the product of what is above with the class means.

    Notes
    -----
    Quantities are the metrics of `Collapse` and ``class_norm_k``, ``weight_norm_k`` of class k.
    `nc4` would need a second pass and is not measured.
    """

    def __init__(
        self, layers: Sequence[str] | None = None, head: Sequence[str] | None = None
    ) -> None:
        self.layers = None if layers is None else tuple(layers)
        self.head = None if head is None else tuple(head)

    @contextmanager
    def start(self, module: nn.Module) -> Iterator[Pass]:
        """See `Measure`."""
        head = _head(module, self.head)
        one_pass = CollapsePass(module, self.layers or head[:1], head)
        try:
            yield one_pass
        finally:
            one_pass.close()


class CollapsePass:
    """Moments of what enters some layers, batch by batch."""

    def __init__(self, module: nn.Module, layers: Sequence[str], head: Sequence[str]) -> None:
        named = dict(module.named_modules())
        unknown = [name for name in (*layers, *head) if name not in named]
        if unknown:
            raise ValueError(f"layers must be among {[n for n in named if n]}; got {unknown}.")
        self._seen: dict[str, Tensor] = {}
        self._moments: dict[str, ClassMoments] = {}
        self._layers = tuple(layers)
        self._weights = _products(named, head)
        self._hooks = []
        for name in layers:

            def keep(layer: Any, inputs: tuple[Tensor, ...], name: str = name) -> None:
                self._seen[name] = inputs[0].detach().flatten(1)

            self._hooks.append(named[name].register_forward_pre_hook(keep))

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take the features of the batch that has just run."""
        for name in self._layers:
            if name not in self._seen:
                raise ValueError(f"layers must run in every forward pass; {name!r} did not.")
            if name not in self._moments:
                self._moments[name] = ClassMoments(outputs.shape[1])
            self._moments[name].update(self._seen.pop(name), targets)

    def collapse(self) -> dict[str, Collapse]:
        """Layer -> metrics."""
        return {
            name: moments.collapse(self._weights.get(name))
            for name, moments in self._moments.items()
        }

    def finish(self) -> Readings:
        """See `Pass`."""
        return {name: _quantities(found) for name, found in self.collapse().items()}

    def close(self) -> None:
        """Take the hooks off."""
        for hook in self._hooks:
            hook.remove()


class CollapseTracker:
    """Records neural collapse of a network's layers, epoch by epoch.

    Parameters
    ----------
    module : nn.Module
    layer : str or sequence of str, optional
        See `LayerCollapse.layers`; several layers are measured in the same pass.
    head : sequence of str, optional
        See `LayerCollapse`.

    Attributes
    ----------
    history : RunHistory
        Quantities by layer; the same that ``record(..., measures=[LayerCollapse()])`` fills.

    Raises
    ------
    ValueError
        If a layer is unknown or no class decision can be made of the module's layers.

    Examples
    --------
    >>> import torch
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> tracker = CollapseTracker(net, "2")
    >>> X, y = torch.randn(30, 4), torch.arange(30) % 3
    >>> tracker.update((X, y), step=0)["2"].class_norms.shape
    (3,)
    """

    def __init__(
        self,
        module: nn.Module,
        layer: str | Sequence[str] | None = None,
        *,
        head: Sequence[str] | None = None,
    ) -> None:
        layers = [layer] if isinstance(layer, str) else layer
        self._module = module
        self._measure = LayerCollapse(layers, head)
        with self._measure.start(module):  # wrong names are told now
            pass
        self.history = RunHistory()

    def update(
        self, rows: Rows, step: int | None = None, *, split: str = "train"
    ) -> dict[str, Collapse]:
        """Measure on (X, y) or a loader of batches; returns layer -> metrics.

        Parameters
        ----------
        rows : (X, y) or iterable of batches (x, y)
        step : int, optional
            Epochs or updates done; one more than last time by default.
        split : str
            What the rows are called in the history.
        """
        last = self.history.last_step
        if step is None:
            step = 0 if last is None else last + 1
        kept = _Kept(self._measure)
        measured(self.history, self._module, {split: rows}, [kept], None, step)
        return kept.found


class _Kept:
    """A measure whose last pass stays to be asked."""

    def __init__(self, measure: LayerCollapse) -> None:
        self._measure = measure
        self.found: dict[str, Collapse] = {}

    @contextmanager
    def start(self, module: nn.Module) -> Iterator[Pass]:
        with self._measure.start(module) as one_pass:
            yield one_pass
            assert isinstance(one_pass, CollapsePass)
            self.found = one_pass.collapse()


def _quantities(found: Collapse) -> dict[str, float]:
    norms = {"class_norm": found.class_norms, "weight_norm": found.weight_norms}
    by_class = {f"{name}_{k}": float(v) for name, vs in norms.items() for k, v in enumerate(vs)}
    return {**found.scalars(), **by_class}


def _head(module: nn.Module, head: Sequence[str] | None) -> tuple[str, ...]:
    if head is not None:
        return tuple(head)
    linear = [name for name, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise ValueError(
            "head must name the linear layers above the features where the module has no "
            f"nn.Linear; got {type(module).__name__}."
        )
    return (linear[-1],)


def _products(named: dict[str, nn.Module], head: Sequence[str]) -> dict[str, Tensor]:
    """The product of the head's weights from each of its layers up."""
    products: dict[str, Tensor] = {}
    total: Tensor | None = None
    for name in reversed(head):
        weight = named[name].get_parameter("weight").detach()
        total = weight if total is None else total @ weight
        products[name] = total
    return products
