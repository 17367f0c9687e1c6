"""Seeds and numbers of processes that are not accepted are named."""

import os

import pytest

from overparam.auditing.options import checked_jobs, checked_seed
from overparam.evidence.errors import UserError


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_out_of_range_is_named(seed):
    with pytest.raises(UserError, match=f"seed must be an integer >= 0 .*got {seed}"):
        checked_seed(seed)


def test_seeds_up_to_the_largest_are_taken():
    assert [checked_seed(seed) for seed in (0, 2**31 - 1)] == [0, 2**31 - 1]


def test_processes_are_as_many_as_cores_unless_asked_otherwise():
    assert checked_jobs(None) == os.cpu_count()
    assert checked_jobs(3) == 3
    with pytest.raises(UserError, match=r"jobs must be an integer >= 1; got 0\."):
        checked_jobs(0)
