import torch

from overparam.nets.mlp import MLP
from overparam.training.gradient_programs import build_program
from overparam.training.held_out import evaluate
from overparam.training.losses import cross_entropy
from overparam.training.stacked_state import StackedState
from overparam.training.training_data import Examples, Targets

CPU, F64 = torch.device("cpu"), torch.float64


def test_blocks_weights_and_members_make_the_plain_weighted_mean():
    generator = torch.Generator().manual_seed(0)
    nets = [MLP(3, 2, (4,), seed=s).double() for s in range(2)]
    state = StackedState.from_modules(nets, CPU, F64)
    x = torch.randn(11, 3, dtype=F64, generator=generator)
    labels = torch.randint(0, 2, (3, 11), generator=generator)
    weights = torch.rand(3, 11, dtype=F64, generator=generator)
    data = Examples(x, Targets(labels, per_member=True), weights)
    members = torch.tensor([2, 0])
    program = build_program(nets[0], state, None)
    losses, accuracies = evaluate(program, data, members, cross_entropy, block=4)
    for row, member in enumerate(members):
        logits, w = nets[row](x).detach(), weights[member]
        each = torch.nn.functional.cross_entropy(logits, labels[member], reduction="none")
        torch.testing.assert_close(losses[row], (w * each).sum() / w.sum())
        hits = (logits.argmax(1) == labels[member]).double()
        torch.testing.assert_close(accuracies[row], (w * hits).sum() / w.sum())
