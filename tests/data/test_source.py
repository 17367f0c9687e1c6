import numpy as np

from overparam.data.source import Source


def test_two_sources_do_not_share_their_notes():
    first, second = (Source("a", "a.csv", np.zeros((1, 1))) for _ in range(2))
    first.notes.append("said of the first")
    first.dropped.append("lost by the first")
    assert second.notes == []
    assert second.dropped == []
