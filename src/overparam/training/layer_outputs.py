"""The outputs of a network's layers, in the order in which they ran in its last forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd

# What counts as a layer unless names are given: outputs before normalisation and activation.
LAYERS = (
    _ConvNd,
    _AdaptiveAvgPoolNd,
    nn.Linear,
    nn.RNNBase,
    nn.LayerNorm,
    nn.MultiheadAttention,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
)


class LayerOutputs:
    """Forward hooks that keep what the layers of a network put out.

    Parameters
    ----------
    net : nn.Module
    names : sequence of str, optional
        Modules as in `net.named_modules()`; by default every layer of the kinds in `LAYERS` but
        the one that runs last, which gives the logits. Of several outputs (an RNN, attention) the
        first counts, of several calls the last.
    argument : str
        What errors call `names`.

    Attributes
    ----------
    rows : int
        Rows of the first argument of the last pass; 0 before there was one.

    Raises
    ------
    ValueError
        If a name is unknown, or the net has no layer of a known kind.
    """

    def __init__(
        self, net: nn.Module, names: Sequence[str] | None = None, argument: str = "layers"
    ) -> None:
        self.rows = 0
        self._argument = argument
        self._names = None if names is None else tuple(names)
        self._kept: dict[str, tuple[Tensor, int]] = {}
        modules = dict(net.named_modules())
        layers = [name for name, module in modules.items() if isinstance(module, LAYERS)]
        unknown = [name for name in names or () if name not in modules]
        if unknown:
            raise ValueError(f"{argument} must be some of {layers}; got {unknown}.")
        hooked = layers if names is None else list(dict.fromkeys(names))
        if not hooked:
            raise ValueError(f"{argument} must name at least one layer of the net; got none.")
        self._hooks = [net.register_forward_pre_hook(self._begin)]
        self._hooks += [modules[name].register_forward_hook(self._keep(name)) for name in hooked]

    def outputs(self) -> dict[str, Tensor]:
        """Name -> output of the last forward pass: in the order of `names`, or as they ran.

        Raises
        ------
        ValueError
            If there was no pass, a named layer did not run or was changed in place after it ran,
            or its first axis is not the batch.
        """
        names = list(self._kept)[:-1] if self._names is None else list(self._names)
        missing = [name for name in names if name not in self._kept]
        if missing or not names:
            raise ValueError(
                f"{self._argument} must run in a forward pass before they are compared; "
                f"got {list(self._kept)} of {missing or 'no layers'}."
            )
        found = {}
        for name in names:
            output, version = self._kept[name]
            if output._version != version:
                raise ValueError(
                    f"{self._argument} must keep their outputs; {name!r} was changed in place "
                    "afterwards (a ReLU with inplace=True?)."
                )
            if output.dim() < 2 or len(output) != self.rows:
                raise ValueError(
                    f"{self._argument} must have the batch of {self.rows} as their first axis; "
                    f"{name!r} has shape {tuple(output.shape)} (batch_first=True?)."
                )
            found[name] = output
        return found

    def forget(self) -> None:
        """Let go of the last pass and its graph."""
        self._kept.clear()
        self.rows = 0

    def close(self) -> None:
        """Remove the hooks."""
        self.forget()
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _begin(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.forget()
        if inputs and isinstance(inputs[0], Tensor):
            self.rows = len(inputs[0])

    def _keep(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            value = output[0] if isinstance(output, (tuple, list)) else output
            if isinstance(value, Tensor):
                wrapped = torch._C._functorch.is_batchedtensor(value)
                self._kept[name] = (value, 0 if wrapped else value._version)

        return hook
