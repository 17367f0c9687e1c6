import torch

from overparam.training.member_generators import member_generator


def draw(seed, purpose):
    return torch.rand(4, generator=member_generator(seed, purpose))


def test_a_stream_belongs_to_a_seed_and_a_purpose():
    assert torch.equal(draw(3, "masks"), draw(3, "masks"))
    streams = [draw(s, p) for s in (0, 1) for p in ("minibatches", "masks", "transform", "module")]
    assert len({tuple(s.tolist()) for s in streams}) == 8
