"""Networks of the guidance study: fully connected stacks, a small ResNet, convolutions in a row."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from overparam.nets.seeding import seeded

_EPS, _MOMENTUM = 1e-5, 0.1  # BatchNorm's own defaults


def guide_seed(seed: int) -> int:
    """Guides start from other weights than targets, and see their data in another order."""
    return 1000 + seed


class StackedFCN(nn.Module):
    """M fully connected networks side by side: linear layer, BatchNorm, ReLU, `depth` times.

    All members start from the weights of one seed and read one minibatch, so that they differ by
    their losses alone. Activations are (M, width, B): a member's units and the members themselves
    are then the channels of one BatchNorm, and a layer of all members is one batched product.

    Parameters
    ----------
    members, n_features, n_outputs, depth, width, seed : int
        Initial weights are PyTorch's for `nn.Linear`.
    """

    means: Tensor
    variances: Tensor

    def __init__(
        self, members: int, n_features: int, n_outputs: int, depth: int, width: int, seed: int
    ) -> None:
        super().__init__()
        self.members = members
        sizes = [n_features, *[width] * depth, n_outputs]
        with seeded(seed):
            layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        self.weights = nn.ParameterList(
            layer.weight.detach().expand(members, -1, -1).clone() for layer in layers
        )
        self.biases = nn.ParameterList(
            layer.bias.detach()[:, None].expand(members, -1, 1).clone() for layer in layers
        )
        units = members * width
        self.gains = nn.ParameterList(torch.ones(units) for _ in range(depth))
        self.shifts = nn.ParameterList(torch.zeros(units) for _ in range(depth))
        self.register_buffer("means", torch.zeros(depth, units))
        self.register_buffer("variances", torch.ones(depth, units))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """Logits (M, B, k), outputs of the linear layers (M, B, width), and what the last reads."""
        h = x.T.expand(self.members, -1, -1)
        outputs = []
        for i, (gain, shift) in enumerate(zip(self.gains, self.shifts, strict=True)):
            z = torch.baddbmm(self.biases[i], self.weights[i], h)
            outputs.append(z.mT)
            u = nn.functional.batch_norm(
                z.reshape(1, -1, len(x)),
                self.means[i],
                self.variances[i],
                gain,
                shift,
                self.training,
                _MOMENTUM,
                _EPS,
            )
            h = u.relu().view(z.shape)
        return torch.baddbmm(self.biases[-1], self.weights[-1], h).mT, outputs, h.mT


def single_fcn(n_features: int, n_outputs: int, depth: int, width: int, seed: int) -> nn.Sequential:
    """One network of the same architecture; its linear layers are the modules "0", "3", "6", ..."""
    with seeded(seed):
        parts: list[nn.Module] = []
        for layer in range(depth):
            inputs = width if layer else n_features
            parts += [nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU()]
        return nn.Sequential(*parts, nn.Linear(width, n_outputs))


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.projection = nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first_norm(self.first(x)).relu()
        return (self.second_norm(self.second(h)) + self.projection(x)).relu()


class SmallResNet(nn.Module):
    """The guide: a stem and three residual blocks of 8, 16 and 32 channels, average pool."""

    GUIDE_LAYERS = (
        "stem", "blocks.0.first", "blocks.0.second", "blocks.1.first", "blocks.1.second",
        "blocks.2.first", "blocks.2.second",
    )  # fmt: skip

    def __init__(self, n_features: int, n_outputs: int, seed: int) -> None:
        super().__init__()
        self.side = math.isqrt(n_features)
        with seeded(seed):
            self.stem = nn.Conv2d(1, 8, 3, 2, 1)
            self.norm = nn.BatchNorm2d(8)
            self.blocks = nn.Sequential(_Block(8, 8, 1), _Block(8, 16, 2), _Block(16, 32, 2))
            self.head = nn.Linear(32, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, n_outputs) of flat grey images (B, side^2)."""
        h = self.norm(self.stem(x.view(-1, 1, self.side, self.side))).relu()
        return self.head(self.blocks(h).mean((2, 3)))


class ConvStack(nn.Module):
    """Convolutions 3x3 of one width in a row, BatchNorm, ReLU; with or without identity skips.

    Strides of 2 at the first layer and after each further third of the depth.
    """

    def __init__(
        self, n_features: int, n_outputs: int, depth: int, channels: int, skips: bool, seed: int
    ) -> None:
        super().__init__()
        self.side = math.isqrt(n_features)
        self.skips = skips
        strided = {0, depth // 3, 2 * (depth // 3)}
        with seeded(seed):
            self.convolutions = nn.ModuleList(
                nn.Conv2d(channels if i else 1, channels, 3, 2 if i in strided else 1, 1)
                for i in range(depth)
            )
            self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(depth))
            self.head = nn.Linear(channels, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, n_outputs) of flat grey images (B, side^2)."""
        h = x.view(-1, 1, self.side, self.side)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            z = norm(convolution(h)).relu()
            h = z + h if self.skips and z.shape == h.shape else z
        return self.head(h.mean((2, 3)))
