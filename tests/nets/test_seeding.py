import torch

from overparam.nets.seeding import seeded


def test_a_seeded_block_repeats_and_leaves_the_global_stream_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded(1):
        first = torch.rand(2)
    with seeded(1):
        again = torch.rand(2)
    with seeded(2):
        other = torch.rand(2)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.rand(3), expected)
