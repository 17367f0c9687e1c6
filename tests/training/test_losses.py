import pytest
import torch
from torch.nn import functional

from overparam.training.losses import correct, resolve_loss

M, B, K = 3, 5, 4


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


LABELS = torch.randint(0, K, (M, B), generator=torch.Generator().manual_seed(1))
SOFT = draw(M, B, K, seed=2).softmax(-1)
NUMBERS = 2 * draw(M, B, K, seed=3)
SMOOTHING = torch.tensor([0.0, 0.1, 0.5], dtype=torch.float64)


def torch_cross_entropy(logits, targets, smoothing):
    return torch.stack(
        [
            functional.cross_entropy(z, t, reduction="none", label_smoothing=float(s))
            for z, t, s in zip(logits, targets, smoothing, strict=True)
        ]
    )


CASES = {
    "labels": ("cross_entropy", LABELS, None),
    "labels smoothed": ("cross_entropy", LABELS, SMOOTHING),
    "soft": ("cross_entropy", SOFT, None),
    "soft smoothed": ("cross_entropy", SOFT, SMOOTHING),
    "squared": ("squared", NUMBERS, None),
    "huber": ("huber", NUMBERS, None),
    "own": (lambda z, t: (z - t).abs().sum(-1), NUMBERS, None),
}


def oracle(name, logits, targets, smoothing):
    if name == "cross_entropy":
        return torch_cross_entropy(
            logits, targets, smoothing if smoothing is not None else torch.zeros(M)
        )
    if name == "squared":
        return functional.mse_loss(logits, targets, reduction="none").mean(-1)
    if name == "huber":
        return functional.huber_loss(logits, targets, reduction="none").mean(-1)
    return (logits - targets).abs().sum(-1)


@pytest.mark.parametrize("case", CASES)
def test_values_and_slopes_are_torchs(case):
    name, targets, smoothing = CASES[case]
    logits = draw(M, B, K).requires_grad_()
    expected = oracle(name, logits, targets, smoothing)
    values, slopes, hits = resolve_loss(name)(logits.detach(), targets, smoothing)
    torch.testing.assert_close(values, expected.detach())
    torch.testing.assert_close(slopes, torch.autograd.grad(expected.sum(), logits)[0])
    labels = targets.argmax(-1) if targets.is_floating_point() else targets
    assert torch.equal(hits.bool(), logits.argmax(-1) == labels)


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match=r"loss must be one of .*'cross_entropy'.*; got 'hinge'"):
        resolve_loss("hinge")


def test_soft_targets_count_by_their_largest_class_and_numbers_not_at_all():
    logits = torch.tensor([[[1.0, 2.0], [3.0, 0.0]]])
    assert correct(logits, torch.tensor([[1, 1]])).tolist() == [[1.0, 0.0]]
    assert correct(logits, torch.tensor([[[0.4, 0.6], [0.9, 0.1]]])).tolist() == [[1.0, 1.0]]
    assert correct(logits[..., :1], torch.zeros(1, 2, 1)).isnan().all()


@pytest.mark.parametrize("name", ["cross_entropy", "squared"])
@pytest.mark.parametrize("soft", [False, True])
def test_a_row_with_logits_at_several_places_has_their_mean(name, soft):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 70, generator=generator, dtype=torch.float64)
    if soft or name == "squared":
        targets = torch.softmax(torch.randn(logits.shape, generator=generator).double(), -1)
    else:
        targets = torch.randint(70, (2, 3, 5), generator=generator)
    values, slopes, hits = resolve_loss(name)(logits, targets, None)
    assert values.shape == hits.shape == (2, 3)
    for place in range(5):
        alone = resolve_loss(name)(logits[:, :, place], targets[:, :, place], None)
        torch.testing.assert_close(slopes[:, :, place], alone.slopes / 5)
        values = values - alone.values / 5
        hits = hits - alone.hits.double() / 5
    torch.testing.assert_close(values, torch.zeros_like(values), atol=1e-12, rtol=0)
    torch.testing.assert_close(hits, torch.zeros_like(hits), atol=1e-12, rtol=0)


def test_many_classes_take_the_other_layout_and_the_same_values():
    logits = torch.randn(2, 7, 100, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(14).view(2, 7)
    values, slopes, _ = resolve_loss("cross_entropy")(logits, targets, None)
    leaf = logits.clone().requires_grad_()
    peer = torch.nn.functional.cross_entropy(
        leaf.flatten(0, 1), targets.flatten(), reduction="none"
    )
    peer.sum().backward()
    torch.testing.assert_close(values.flatten(), peer.detach())
    torch.testing.assert_close(slopes, leaf.grad)


def test_a_loss_of_ones_own_may_have_targets_of_another_shape():
    def loss(logits, targets):
        return (logits * targets[..., :2] + targets[..., 2:]).sum(-1)

    logits, targets = torch.ones(1, 3, 2), torch.full((1, 3, 4), 2.0)
    values, slopes, hits = resolve_loss(loss)(logits, targets, None)
    assert values.tolist() == [[8.0] * 3]
    assert torch.equal(slopes, targets[..., :2])
    assert hits.isnan().all()
