import torch

from overparam.training.minibatches import MinibatchStream, draw_block


def test_a_pass_shows_every_row_once_before_any_comes_again():
    support = torch.tensor([2, 5, 7, 11, 13])
    rows = torch.cat([MinibatchStream(0, support).take(15)])
    for start in (0, 5, 10):
        assert sorted(rows[start : start + 5].tolist()) == support.tolist()
    assert not torch.equal(rows[:5], rows[5:10])


def test_how_a_stream_is_cut_does_not_change_it():
    whole = MinibatchStream(4, torch.arange(7)).take(30)
    stream = MinibatchStream(4, torch.arange(7))
    parts = torch.cat([stream.take(count) for count in (1, 3, 14, 7, 5)])
    assert torch.equal(whole, parts)


def test_a_support_only_relabels_the_rows():
    inside = MinibatchStream(1, torch.arange(6)).take(20)
    support = torch.tensor([10, 20, 30, 40, 50, 60])
    assert torch.equal(MinibatchStream(1, support).take(20), support[inside])


def test_a_block_holds_each_members_next_minibatches():
    seeds = [0, 1, 2]
    block = draw_block([MinibatchStream(s, torch.arange(9)) for s in seeds], 4, 5)
    assert block.shape == (4, 3, 5)
    for i, seed in enumerate(seeds):
        assert torch.equal(block[:, i].flatten(), MinibatchStream(seed, torch.arange(9)).take(20))
