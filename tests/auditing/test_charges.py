"""A second run is charged what the first one took."""

from overparam.auditing.charges import Charges


def test_the_first_run_is_remembered_round_by_round(tmp_path):
    path = tmp_path / "cells" / "charges.json"
    first = Charges(path)
    assert [first.settle("nets", 4.0), first.settle("nets", 2.0), first.settle("fit", 1.0)] == [
        4.0,
        2.0,
        1.0,
    ]
    again = Charges(path)
    assert [again.settle("nets", 0.1), again.settle("nets", 0.1), again.settle("fit", 0.1)] == [
        4.0,
        2.0,
        1.0,
    ]
    assert again.settle("fit", 0.5) == 0.5  # a round that the first run did not reach


def test_without_a_path_they_live_in_memory(tmp_path):
    charges = Charges()
    assert charges.settle("nets", 3.0) == 3.0
    assert list(tmp_path.iterdir()) == []
