"""GraNd: the norm of each example's loss gradient, without a backward pass an example.

    chi(x, y) = E_w || d loss(x, y) / d w ||_2,    w all trainable parameters     (arXiv 2107.07075)

One batched backward pass of the sum of losses gives, for each layer and example, the slope delta at
the layer's output. With the layer's input a the squared norm over its parameters is

    linear          ||delta||^2 (||a||^2 + 1)
    at T positions  sum((A A^T) * (D D^T)) + ||sum_t delta_t||^2,      A (T, inputs), D (T, outputs)
    convolution     the same with A the patches, a group of channels at a time
    normalisation   ||sum_t delta_t * a_hat_t||^2 + ||sum_t delta_t||^2,  a_hat the normalised input

(+1 and the last term are the bias). Where T^2 exceeds inputs times outputs the product D^T A is
formed instead of the two Gram matrices. A module with other trainable layers, with shared weights
or with a layer that runs twice takes `torch.func.vmap(grad)`: as exact, some hundred times as slow.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from overparam.diagnostics.probability_inputs import check_labels
from overparam.diagnostics.recording import evaluating
from overparam.training.ensemble import Ensemble
from overparam.training.training_data import as_counts, as_features

_CHUNK = 512  # rows at once; the patches of a convolution are its kernel's area times its input
_SLOW_CHUNK = 32  # rows at once where every example gets a whole gradient


def grand(
    model: nn.Module | Ensemble,
    X: Any,
    y: Any,
    layers: Literal["all", "last"] = "all",
    *,
    chunk: int | None = None,
    average: bool = True,
) -> np.ndarray:
    """Norm of each example's cross-entropy gradient, averaged over members after the norm.

    One forward and one backward pass of the network and memory for the activations of `chunk` rows.
    Members run one after the other: with hundreds of rows at once each fills the core alone.

    Parameters
    ----------
    model : nn.Module or Ensemble
        Returns logits (B, k). Measured in evaluation mode; the mode that it had comes back.
    X : array of shape (n, ...)
    y : array of shape (n,)
        Labels 0..k-1.
    layers : {"all", "last"}
        Parameters that count. "last" (the layer that runs last) is close to "all" in order, but it
        is not the paper's definition.
    chunk : int, optional
        Rows at once; the scores do not depend on it.
    average : bool
        Mean over the members of an ensemble; otherwise each member's scores.

    Returns
    -------
    ndarray of shape (n,), or (M, n) for an ensemble and ``average=False``

    Raises
    ------
    ValueError
        If BatchNorm would mix examples (training mode, or no running statistics), labels are
        outside 0..k-1, k < 2, logits are not finite or an argument is none of those accepted.

    Examples
    --------
    >>> net = nn.Linear(3, 2)
    >>> _ = nn.init.zeros_(net.weight), nn.init.zeros_(net.bias)
    >>> grand(net, np.ones((1, 3)), [0]).round(6)  # EL2N * sqrt(||x||^2 + 1)
    array([1.414214])
    """
    if layers not in ("all", "last"):
        raise ValueError(f"layers must be 'all' or 'last'; got {layers!r}.")
    as_counts(chunk=chunk)
    if isinstance(model, Ensemble):
        members = (model.member(i) for i in range(len(model)))
        norms = np.stack([_of_module(member, X, y, layers, chunk) for member in members])
        return norms.mean(axis=0) if average else norms
    return _of_module(model, X, y, layers, chunk)


def _of_module(module: nn.Module, X: Any, y: Any, layers: str, chunk: int | None) -> np.ndarray:
    _refuse_mixing(module)
    trainable = [p for p in module.parameters() if p.requires_grad]
    if not trainable:
        raise ValueError("model must have trainable parameters; got none.")
    x = as_features(X, "X", trainable[0].device, trainable[0].dtype)
    labels: Tensor | None = None
    fast = _layers(module)
    found = []
    with evaluating(module):
        start = 0
        while start < len(x):
            size = chunk or (_CHUNK if fast is not None else _SLOW_CHUNK)
            rows = slice(start, start + size)
            if labels is None:
                labels = _checked_labels(module, x, y)
            squares = None
            if fast is not None:
                squares = _by_signals(module, fast, x[rows], labels[rows], layers)
            if squares is None:
                if layers == "last":
                    raise ValueError(
                        "layers must be 'all' for a model whose trainable layers are not each a "
                        "Linear, Conv1d, Conv2d or normalisation that runs once; got 'last'."
                    )
                fast = None
                size = min(size, _SLOW_CHUNK)
                rows = slice(start, start + size)
                squares = _one_by_one(module, x[rows], labels[rows])
            found.append(squares.clamp_min(0).sqrt().double().cpu())
            start += size
    return torch.cat(found).numpy()


def _refuse_mixing(module: nn.Module) -> None:
    for name, layer in module.named_modules():
        if isinstance(layer, _BatchNorm) and (layer.training or layer.running_mean is None):
            raise ValueError(
                "model must be in evaluation mode where it holds BatchNorm, or the gradient of one "
                f"example depends on the others; got {name!r} with statistics of the batch. Call "
                "model.eval() first."
            )


def _checked_labels(module: nn.Module, x: Tensor, y: Any) -> Tensor:
    logits = module(x[:1])
    if logits.dim() != 2 or logits.shape[1] < 2:
        raise ValueError(
            f"model must give logits (n, k) of k >= 2 classes; got {tuple(logits.shape)}."
        )
    labels = check_labels(y, len(x), logits.shape[1])
    return torch.as_tensor(labels, device=x.device)


# --- exact norms from inputs and slopes ---------------------------------------------------------


def _layers(module: nn.Module) -> list[nn.Module] | None:
    """Layers that hold all trainable parameters and whose norm has a formula, or None."""
    owners: list[nn.Module] = []
    seen: set[int] = set()
    for layer in module.modules():
        own = [p for p in layer.parameters(recurse=False) if p.requires_grad]
        if not own:
            continue
        if not _has_formula(layer) or any(id(p) in seen for p in own):
            return None
        seen.update(id(p) for p in own)
        owners.append(layer)
    return owners


def _has_formula(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return isinstance(layer, nn.Linear | _BatchNorm | nn.LayerNorm | nn.GroupNorm)


def _by_signals(
    module: nn.Module, layers: list[nn.Module], x: Tensor, y: Tensor, which: str
) -> Tensor | None:
    """Squared norms (B,), or None where a layer does not run exactly once."""
    caught: list[tuple[nn.Module, Tensor, int, GradientEdge]] = []

    def catch(layer: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        # The edge, not the tensor: an activation may overwrite the output in place.
        caught.append((layer, args[0].detach(), args[0]._version, get_gradient_edge(output)))

    hooks = [layer.register_forward_hook(catch) for layer in layers]
    try:
        with torch.enable_grad():
            logits = module(x)
    finally:
        for hook in hooks:
            hook.remove()
    if len(caught) != len(layers) or len({id(layer) for layer, *_ in caught}) != len(layers):
        return None
    if which == "last":
        caught = caught[-1:]
    deltas = torch.autograd.grad(logits, [edge for *_, edge in caught], _slopes(logits, y))
    total = x.new_zeros(len(x))
    for (layer, a, version, _), delta in zip(caught, deltas, strict=True):
        if a._version != version:  # overwritten since: a residual sum in place
            return None
        weight, bias = layer.weight, getattr(layer, "bias", None)
        if isinstance(weight, Tensor) and weight.requires_grad:
            total += _weight_part(layer, a, delta)
        if isinstance(bias, Tensor) and bias.requires_grad:
            total += _bias_part(layer, delta)
    return total


def _slopes(logits: Tensor, y: Tensor) -> Tensor:
    """d loss / d logits = softmax(logits) - one_hot(y)."""
    p = torch.softmax(logits.detach(), 1)
    if not torch.isfinite(p).all():
        raise ValueError("model must give finite logits; got NaN or infinity.")
    p[torch.arange(len(y), device=y.device), y] -= 1
    return p


def _weight_part(layer: nn.Module, a: Tensor, delta: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        if a.dim() == 2:
            return a.square().sum(1) * delta.square().sum(1)
        return _outer_square(a.flatten(1, -2), delta.flatten(1, -2))
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        A, D = _patches(layer, a), _grouped(layer, delta)
        return _outer_square(A, D).view(len(a), -1).sum(1)
    return _affine_square(layer, delta * _normalised(layer, a))


def _bias_part(layer: nn.Module, delta: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        return delta.reshape(len(delta), -1, delta.shape[-1]).sum(1).square().sum(1)
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return delta.flatten(2).sum(2).square().sum(1)
    return _affine_square(layer, delta)


def _outer_square(A: Tensor, D: Tensor) -> Tensor:
    """||D^T A||^2 (N,) of A (N, T, p) and D (N, T, c), by whichever product is smaller."""
    positions, p, c = A.shape[1], A.shape[2], D.shape[2]
    if positions**2 > p * c:
        return torch.bmm(D.transpose(1, 2), A).square().sum((1, 2))
    return (torch.bmm(A, A.transpose(1, 2)) * torch.bmm(D, D.transpose(1, 2))).sum((1, 2))


def _patches(layer: nn.Conv1d | nn.Conv2d, a: Tensor) -> Tensor:
    """(B * groups, T, patch): what each output position of a convolution sees."""
    if isinstance(layer, nn.Conv1d):
        a = a.unsqueeze(2)

    def pair(values: Any, line: int) -> tuple[int, ...]:
        return (line, *values) if isinstance(layer, nn.Conv1d) else tuple(values)

    unfolded = functional.unfold(
        a,
        pair(layer.kernel_size, 1),
        dilation=pair(layer.dilation, 1),
        padding=pair(layer.padding, 0),
        stride=pair(layer.stride, 1),
    )
    return unfolded.view(len(a) * layer.groups, -1, unfolded.shape[2]).transpose(1, 2)


def _grouped(layer: nn.Conv1d | nn.Conv2d, delta: Tensor) -> Tensor:
    """(B * groups, T, channels of a group)"""
    channels = layer.out_channels // layer.groups
    return delta.reshape(len(delta) * layer.groups, channels, -1).transpose(1, 2)


def _normalised(layer: nn.Module, a: Tensor) -> Tensor:
    if isinstance(layer, _BatchNorm):
        return functional.batch_norm(
            a, layer.running_mean, layer.running_var, None, None, False, 0.0, layer.eps
        )
    if isinstance(layer, nn.LayerNorm):
        return functional.layer_norm(a, layer.normalized_shape, None, None, layer.eps)
    assert isinstance(layer, nn.GroupNorm)
    return functional.group_norm(a, layer.num_groups, None, None, layer.eps)


def _affine_square(layer: nn.Module, slopes: Tensor) -> Tensor:
    """Squared norm (B,) of the slopes summed over the positions that share a scale or shift."""
    if isinstance(layer, nn.LayerNorm):
        shared = slopes.dim() - 1 - len(layer.normalized_shape)
        summed = slopes.flatten(1, shared).sum(1) if shared else slopes
        return summed.flatten(1).square().sum(1)
    return slopes.reshape(len(slopes), slopes.shape[1], -1).sum(2).square().sum(1)


# --- any module ---------------------------------------------------------------------------------


def _one_by_one(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Squared norms (B,) from a whole gradient of each example."""
    trained = {n: p.detach() for n, p in module.named_parameters() if p.requires_grad}
    fixed = {n: p.detach() for n, p in module.named_parameters() if not p.requires_grad}
    buffers = dict(module.named_buffers())

    def loss(parameters: dict[str, Tensor], row: Tensor, label: Tensor) -> Tensor:
        state = {**parameters, **fixed, **buffers}
        logits = torch.func.functional_call(module, state, (row[None],))
        return functional.cross_entropy(logits, label[None])

    gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(trained, x, y)
    return torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0)
