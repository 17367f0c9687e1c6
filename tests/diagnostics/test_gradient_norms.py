"""The exact norms against `torch.func.vmap(grad)`, layer by layer, and in closed form."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from overparam.diagnostics import gradient_norms
from overparam.diagnostics.example_scores import el2n
from overparam.diagnostics.gradient_norms import grand
from overparam.nets.convnet import ConvNet
from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble

rng = np.random.default_rng(0)
X = rng.normal(size=(23, 36))
Y = rng.integers(0, 3, 23)


def slow(module, X, y):
    """A whole gradient an example."""
    module.eval()
    parameter = next(module.parameters())
    x = torch.as_tensor(X, dtype=parameter.dtype)
    trained = {n: p.detach() for n, p in module.named_parameters() if p.requires_grad}
    norms = []
    for row, label in zip(x, torch.as_tensor(y), strict=True):

        def loss(given, row=row, label=label):
            logits = torch.func.functional_call(module, given, (row[None],))
            return functional.cross_entropy(logits, label[None])

        gradients = torch.func.grad(loss)(trained)
        norms.append(sum(float(g.double().square().sum()) for g in gradients.values()) ** 0.5)
    return np.array(norms)


class Sequence(nn.Module):
    """Linear layers and LayerNorm at 9 positions of 4 features."""

    def __init__(self, width):
        super().__init__()
        self.inside, self.norm = nn.Linear(4, width), nn.LayerNorm(width)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.norm(self.inside(x.view(len(x), 9, 4)))).mean(1))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(36, 36), nn.Linear(36, 3)

    def forward(self, x):
        return self.head(self.layer(torch.tanh(self.layer(x))))


class Residual(nn.Module):
    """The input of a layer is overwritten after the layer has run."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(36, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.second.weight.requires_grad_(False)

    def forward(self, x):
        h = self.first(x) * 1.0
        h += self.second(h)
        return self.head(h)


def image(*layers, channels, side=6):
    return nn.Sequential(
        nn.Unflatten(1, (1, side, side)), *layers, nn.Flatten(), nn.Linear(channels, 3)
    )


def batch_normed():
    net = image(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2),
        nn.GroupNorm(3, 6),
        nn.ReLU(),
        channels=54,
    )
    net[2].running_mean.normal_()
    net[2].running_var.uniform_(0.5, 2)
    nn.init.normal_(net[2].weight)
    return net


def frozen():
    net = nn.Sequential(nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    net[2].requires_grad_(False)
    net[0].bias.requires_grad_(False)
    return net


def signal():
    return nn.Sequential(
        nn.Unflatten(1, (2, 18)),
        nn.Conv1d(2, 4, 5, stride=2, padding=1, groups=2),
        nn.BatchNorm1d(4),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(32, 3),
    )


FAST = {
    "linear": lambda: nn.Linear(36, 3),
    "no bias": lambda: nn.Linear(36, 3, bias=False),
    "mlp": lambda: MLP(36, 3, (16, 8), seed=0),
    "mlp with LayerNorm and residuals": lambda: MLP(
        36, 3, (8, 8), layer_norm=True, residual=True, dropout=0.5, seed=0
    ),
    "convnet": lambda: ConvNet((1, 6, 6), 3, (4, 6), batch_norm=True, dropout=0.5, seed=0),
    "BatchNorm, stride, dilation, groups": batch_normed,
    "one dimension": signal,
    "positions, Gram": lambda: Sequence(32),
    "positions, product": lambda: Sequence(2),
    "frozen layers": frozen,
}
SLOW = {
    "a layer that runs twice": Twice,
    "an input that is overwritten": Residual,
    "padding of another kind": lambda: image(
        nn.Conv2d(1, 2, 3, padding="same", padding_mode="circular"), nn.PReLU(), channels=72
    ),
}


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 3e-5)])
@pytest.mark.parametrize("make", FAST.values(), ids=FAST)
def test_norms_are_those_of_whole_gradients(make, dtype, rtol, monkeypatch):
    torch.manual_seed(0)
    net = make().to(dtype).eval()
    expected = slow(net, X, Y)
    monkeypatch.setattr(gradient_norms, "_one_by_one", None)  # the fast way must do
    np.testing.assert_allclose(grand(net, X, Y), expected, rtol=rtol)


@pytest.mark.parametrize("make", SLOW.values(), ids=SLOW)
def test_other_modules_take_whole_gradients(make):
    torch.manual_seed(0)
    net = make().double()
    np.testing.assert_allclose(grand(net, X, Y), slow(net, X, Y), rtol=1e-12)


def test_the_last_of_layers_without_a_formula_is_refused():
    with pytest.raises(ValueError, match="layers must be 'all' for a model whose trainable"):
        grand(Twice(), X, Y, "last")


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_model_has_a_closed_form(bias):
    net = nn.Linear(36, 3, bias=bias).double()
    error = el2n(net(torch.as_tensor(X)), Y)
    expected = error * np.sqrt((X**2).sum(1) + bias)
    np.testing.assert_allclose(grand(net, X, Y), expected, rtol=1e-12)


def test_the_last_layer_alone_is_its_closed_form():
    net = MLP(36, 3, (16,), seed=0).double()
    hidden = torch.relu(net.layers[0](torch.as_tensor(X)))
    expected = el2n(net(torch.as_tensor(X)), Y) * np.sqrt((hidden.detach().numpy() ** 2).sum(1) + 1)
    np.testing.assert_allclose(grand(net, X, Y, "last"), expected, rtol=1e-12)
    assert (grand(net, X, Y) > expected).all()


@pytest.mark.parametrize("make", [FAST["convnet"], Twice], ids=["fast", "slow"])
def test_scores_depend_neither_on_the_chunk_nor_on_other_rows(make):
    torch.manual_seed(0)
    net = make().double().eval()
    found = grand(net, X, Y)
    np.testing.assert_allclose(grand(net, X, Y, chunk=5), found, rtol=1e-12)
    order = np.r_[rng.permutation(23), 4]
    np.testing.assert_allclose(grand(net, X[order], Y[order], chunk=7), found[order], rtol=1e-12)


def test_an_ensemble_gives_the_mean_of_its_members_norms():
    ensemble = Ensemble(lambda d, k, s: MLP(d, k, (16,), seed=s), [3, 1, 4], 36, 3)
    ensemble.fit(X, Y, epochs=2)
    alone = np.stack([grand(ensemble.member(i), X, Y) for i in range(3)])
    np.testing.assert_array_equal(grand(ensemble, X, Y, average=False), alone)
    np.testing.assert_array_equal(grand(ensemble, X, Y), alone.mean(0))
    # The norm of the mean gradient is another thing, and smaller (Jensen).
    mean = [0.0] * len(X)
    for i, (row, label) in enumerate(zip(X, Y, strict=True)):
        gradients = []
        for member in range(3):
            net = ensemble.member(member)
            logits = net(torch.as_tensor(row[None], dtype=torch.float32))
            functional.cross_entropy(logits, torch.tensor([label])).backward()
            gradients.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
        mean[i] = float(torch.stack(gradients).mean(0).norm())
    assert (np.array(mean) < alone.mean(0) - 1e-3).all()


def test_measuring_leaves_the_model_as_it_was():
    net = MLP(36, 3, (8,), dropout=0.5, seed=0)
    before = [p.clone() for p in net.parameters()]
    state = torch.random.get_rng_state()
    np.testing.assert_array_equal(grand(net, X, Y), grand(net, X, Y))  # dropout is off
    assert net.training
    assert torch.equal(state, torch.random.get_rng_state())
    for old, new in zip(before, net.parameters(), strict=True):
        assert torch.equal(old, new)
        assert new.grad is None
    assert not net.layers[0]._forward_hooks


def never_finite():
    net = nn.Linear(36, 3)
    nn.init.constant_(net.weight, torch.inf)
    return net


@pytest.mark.parametrize(
    ("make", "y", "options", "text"),
    [
        (lambda: batch_normed().train(), Y, {}, "model must be in evaluation mode .* got '2'"),
        (
            lambda: nn.Sequential(nn.BatchNorm1d(36, track_running_stats=False), nn.Linear(36, 3)),
            Y,
            {},
            "statistics of the batch",
        ),
        (lambda: nn.Linear(36, 3), Y + 1, {}, r"y must hold labels 0\.\.2; got values from 1 to 3"),
        (lambda: nn.Linear(36, 1), 0 * Y, {}, r"logits \(n, k\) of k >= 2 classes; got \(1, 1\)"),
        (never_finite, Y, {}, "model must give finite logits"),
        (lambda: nn.Linear(36, 3).requires_grad_(False), Y, {}, "model must have trainable"),
        (lambda: nn.Linear(36, 3), Y, {"layers": "first"}, "layers must be 'all' or 'last'"),
        (lambda: nn.Linear(36, 3), Y, {"chunk": 0}, "chunk must be an integer >= 1; got 0"),
    ],
)
def test_mistakes_are_named(make, y, options, text):
    with pytest.raises(ValueError, match=text):
        grand(make(), X, y, **options)
