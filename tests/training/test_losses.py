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
