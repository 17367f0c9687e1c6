import pytest
import torch

from overparam.training.optimizers import HyperParameters, StackedOptimizer, resolve_optimizer

RATES, DECAYS, MOMENTA = (0.1, 0.02, 0.1), (0.0, 0.3, 0.0), (0.9, 0.0, 0.9)


def torchs(name, row, i, factor):
    group = {"params": [row], "lr": RATES[i] * factor, "weight_decay": DECAYS[i]}
    if name == "sgd":
        return torch.optim.SGD([group], momentum=MOMENTA[i])
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]([group])


@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 2]], ids=["different", "equal"])
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_each_row_moves_as_under_torchs_optimizer(name, rows):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(len(rows), 16, dtype=torch.float64, generator=generator)
    plain = [row.clone().requires_grad_() for row in matrix]
    gradients = torch.zeros_like(matrix)
    numbers = HyperParameters(RATES, DECAYS, MOMENTA).take(rows)
    ours = StackedOptimizer(name, matrix, gradients, numbers)
    theirs = [torchs(name, row, i, 0.5) for row, i in zip(plain, rows, strict=True)]
    for _ in range(6):
        gradients.copy_(torch.randn(matrix.shape, dtype=torch.float64, generator=generator))
        ours.step(0.5)
        for row, optimizer, g in zip(plain, theirs, gradients, strict=True):
            row.grad = g.clone()
            optimizer.step()
    torch.testing.assert_close(matrix, torch.stack(plain).detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_rows_that_stay_keep_their_averages(name):
    def gradient(step):
        return torch.full((3, 8), float(step)) * torch.tensor([[1.0], [2.0], [-3.0]])

    numbers = HyperParameters(RATES, DECAYS, MOMENTA)
    whole, grads = torch.ones(3, 8), torch.zeros(3, 8)
    alone = StackedOptimizer(name, whole, grads, numbers)
    cut_matrix, cut_grads = torch.ones(3, 8), torch.zeros(3, 8)
    cut = StackedOptimizer(name, cut_matrix, cut_grads, numbers)
    for step in range(1, 6):
        if step == 3:
            cut_matrix, cut_grads = cut_matrix[[0, 2]], cut_grads[[0, 2]]
            cut.keep([0, 2], cut_matrix, cut_grads)
        grads.copy_(gradient(step))
        cut_grads.copy_(gradient(step) if step < 3 else gradient(step)[[0, 2]])
        alone.step(1.0)
        cut.step(1.0)
    torch.testing.assert_close(cut_matrix, whole[[0, 2]])


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match=r"optimizer must be one of \['sgd', 'adam', 'adamw'\]"):
        resolve_optimizer("lion")
