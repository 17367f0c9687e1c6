"""A small convolutional network for images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from overparam.nets.activations import resolve_activation
from overparam.nets.seeding import seeded


class ConvNet(nn.Module):
    """Blocks of 3x3 convolution, 2x2 max-pooling and activation, then one linear layer.

    A rising activation commutes with the maximum, and after it has a quarter of the work.

    Parameters
    ----------
    shape : (int, int, int)
        Channels, height and width of an image.
    n_outputs : int
    channels : sequence of int
        Channels of each block. A side of 1 is not pooled further.
    stride : int
        Step of the first convolution: 2 makes a network of large images four times cheaper. Its
        kernel is as wide as needed to see every pixel.
    activation : str or callable
        See `nets.activations`.
    batch_norm : bool
        Normalise after each convolution.
    dropout : float
        Probability in [0, 1) that an input of the linear layer is dropped in training.
    seed : int
        Initial weights depend on it alone.

    Raises
    ------
    ValueError
        If `shape` is not three positive integers, or an option is outside its range.

    Examples
    --------
    >>> ConvNet((1, 28, 28), 10, seed=0)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        n_outputs: int,
        channels: Sequence[int] = (16, 32),
        stride: int = 1,
        activation: str | Callable[[Tensor], Tensor] = "relu",
        batch_norm: bool = False,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"shape must be (channels, height, width), each >= 1; got {shape!r}.")
        if not channels or min(channels) < 1:
            raise ValueError(f"channels must be integers >= 1; got {tuple(channels)}.")
        if stride < 1 or stride > min(shape[1:]):
            raise ValueError(f"stride must be in 1 .. the smaller side; got {stride!r}.")
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1); got {dropout!r}.")
        self.shape = tuple(shape)
        self.activation = resolve_activation(activation)
        inputs, height, width = shape
        with seeded(seed):
            self.convolutions = nn.ModuleList()
            self.norms = nn.ModuleList()
            self.pools = nn.ModuleList()
            for outputs in channels:
                reach = stride // 2 * 2 + 1 if stride > 2 else 3
                self.convolutions.append(
                    nn.Conv2d(inputs, outputs, reach, stride=stride, padding=reach // 2)
                )
                height, width = -(-height // stride), -(-width // stride)
                stride = 1
                if batch_norm:
                    self.norms.append(nn.BatchNorm2d(outputs))
                pool = (min(2, height), min(2, width))
                self.pools.append(nn.MaxPool2d(pool))
                inputs, height, width = outputs, height // pool[0], width // pool[1]
            self.dropout = nn.Dropout(dropout)
            self.head = nn.Linear(inputs * height * width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, n_outputs) of images (B, channels, height, width), flattened or not."""
        h = x.view(len(x), *self.shape) if x.shape[1:] != torch.Size(self.shape) else x
        for index, convolution in enumerate(self.convolutions):
            h = convolution(h)
            if self.norms:
                h = self.norms[index](h)
            h = self.activation.function(self.pools[index](h))
        return self.head(self.dropout(h.flatten(1)))
