"""Stacked nets of the study: against autograd and a plain loop, their kernel, rates, clipping."""

import numpy as np
import pytest
import torch

from overparam.studies.deep_learning_theory_nets import SGD, StackedNets, scores, train

SIZES = (5, 7, 7, 7, 3)


def nets(activation="tanh", residual=0.0, sizes=SIZES, seeds=(0, 1), C_W=1.5, C_b=0.2):
    return StackedNets(sizes, activation, seeds, C_W, C_b, residual, dtype=torch.float64)


def inputs(members=2, rows=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(members, rows, 5, generator=generator, dtype=torch.float64)


def plain(stack, member, x, parameters=None):
    """One member by the equations in the module's docstring."""
    L = stack.depth
    parameters = parameters or [p[member] for p in stack.weights + stack.biases]
    z = x @ parameters[0].T + parameters[L]
    for layer in range(1, L):
        after = stack.activation.function(z) @ parameters[layer].T + parameters[L + layer]
        if stack.residual and layer < L - 1:
            after = after + stack.residual**0.5 * z
        z = after
    return z


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "silu", "identity"])
@pytest.mark.parametrize("residual", [0.0, 0.8])
def test_outputs_and_gradients_are_those_of_autograd(activation, residual):
    stack, x = nets(activation, residual), inputs()
    trace = stack.forward(x)
    slope = torch.randn_like(trace.z[-1])
    outputs = [z.clone() for z in trace.z]
    found = stack.gradients(trace, slope)
    for member in range(2):
        leaves = [p[member].clone().requires_grad_() for p in stack.weights + stack.biases]
        out = plain(stack, member, x[member], leaves)
        torch.testing.assert_close(outputs[-1][member], out)
        expected = torch.autograd.grad((out * slope[member]).sum(), leaves)
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours[member], theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("residual", [0.0, 0.5])
def test_the_tangent_kernel_is_that_of_jacobians(residual):
    stack, x = nets("relu", residual, sizes=(5, 7, 7, 1)), inputs()
    H = stack.tangent_kernel(x)
    for member in range(2):
        expected = torch.zeros(4, 4, dtype=torch.float64)
        leaves = [p[member].clone().requires_grad_() for p in stack.weights + stack.biases]
        rows = [
            torch.autograd.grad(plain(stack, member, x[member, i : i + 1], leaves).sum(), leaves)
            for i in range(4)
        ]
        for layer in range(stack.depth):
            J = torch.stack([row[layer].flatten() for row in rows])
            expected += J @ J.T / stack.weights[layer].shape[2]
        torch.testing.assert_close(H[member], expected, rtol=1e-9, atol=1e-11)


def test_weights_depend_on_the_seed_alone_and_have_the_variances_asked_for():
    one = StackedNets((400, 300, 300, 2), "relu", [5], 2.0, 0.5)
    two = StackedNets((400, 300, 300, 2), "relu", [3, 5], [1.0, 2.0], 0.5)
    for a, b in zip(one.weights + one.biases, two.weights + two.biases, strict=True):
        torch.testing.assert_close(a[0], b[1], rtol=0, atol=0)
    C_W = float(two.weights[1][0].square().mean()) * 300
    assert pytest.approx(1.0, rel=4 * (2 / 90_000) ** 0.5) == C_W
    assert float(two.biases[1][0].square().mean()) == pytest.approx(0.5, rel=0.35)
    skipped = StackedNets((400, 300, 300, 300, 2), "relu", [3], 2.0, residual=0.75)
    for layer, C_W in ((0, 2.0), (1, 0.5), (2, 0.5)):
        W = skipped.weights[layer][0]
        assert float(W.square().mean()) * W.shape[1] == pytest.approx(C_W, rel=0.02)


def test_rates_by_layer_divide_by_the_fan_in():
    stack = nets()
    eta = torch.tensor([1.0, 10.0], dtype=torch.float64)
    of_W, of_b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, 0.2, 0.3, 0.4])
    rates = [each.flatten().tolist() for each in stack.rates(eta, (of_W, of_b))]
    assert rates[0] == pytest.approx([1 / 5, 10 / 5])
    assert rates[2] == pytest.approx([3 / 7, 30 / 7])
    assert rates[4 + 1] == pytest.approx([0.2, 2.0])
    assert [each.flatten().tolist() for each in stack.rates(eta, None)] == [[1.0, 10.0]] * 8


@pytest.mark.parametrize("clip", [None, 0.05, 100.0])
def test_training_is_that_of_torch(clip):
    stack, x = nets("tanh"), inputs(rows=12)
    y = torch.arange(24).reshape(2, 12) % 3
    eta = torch.tensor([0.3, 0.1], dtype=torch.float64)
    leaves = [[p[m].clone().requires_grad_() for p in stack.weights + stack.biases] for m in (0, 1)]
    optimizer = SGD(stack, stack.rates(eta, None), momentum=0.9, clip=clip)
    for _ in range(6):
        optimizer.step(x, y)
    for member in (0, 1):
        theirs = torch.optim.SGD(leaves[member], lr=float(eta[member]), momentum=0.9)
        for _ in range(6):
            theirs.zero_grad()
            out = plain(stack, member, x[member], leaves[member])
            torch.nn.functional.cross_entropy(out, y[member]).backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(leaves[member], clip)
            theirs.step()
        for ours, leaf in zip(stack.weights + stack.biases, leaves[member], strict=True):
            torch.testing.assert_close(ours[member], leaf.detach(), rtol=1e-5, atol=1e-7)


def test_minibatches_follow_the_seed_and_a_diverged_member_is_infinite():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1, 40, 5)).astype(np.float32), rng.integers(0, 3, (1, 40))
    losses = []
    for seeds, eta in (([7], [0.1]), ([3, 7], [1e30, 0.1])):
        stack = StackedNets(SIZES, "relu", seeds, 2.0)
        optimizer = SGD(stack, stack.rates(torch.tensor(eta), None))
        epochs = []
        train(
            optimizer,
            X.repeat(len(seeds), 0),
            y.repeat(len(seeds), 0),
            seeds,
            batch=10,
            epochs=3,
            after_epoch=lambda epochs=epochs: epochs.append(1),
        )
        losses.append(scores(stack, X.repeat(len(seeds), 0), y.repeat(len(seeds), 0))[0])
        assert len(epochs) == 3
    assert losses[0][0] == pytest.approx(losses[1][1], rel=1e-5)
    assert losses[1][0] == np.inf
