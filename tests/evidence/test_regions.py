import math

import pytest

from overparam.evidence.regions import (
    Region,
    at_least,
    at_most,
    between,
    less_than,
    more_than,
)


@pytest.mark.parametrize(
    ("region", "text", "edge_inside"),
    [
        (at_most(1.0), "at most 1", True),
        (at_least(1.0), "at least 1", True),
        (less_than(1.0), "less than 1", False),
        (more_than(1.0), "more than 1", False),
        (between(1.0, 2.0), "between 1 and 2", True),
    ],
)
def test_the_edge_belongs_to_closed_regions_only(region, text, edge_inside):
    assert region.text == text
    assert region.contains(1.0) is edge_inside
    assert not region.contains(math.nan)


@pytest.mark.parametrize(
    ("region", "low", "high", "inside", "outside"),
    [
        (at_most(1.0), 0.0, 1.0, True, False),
        (at_most(1.0), 1.0, 2.0, False, False),  # they share the edge
        (at_most(1.0), 1.5, 2.0, False, True),
        (less_than(1.0), 0.0, 1.0, False, False),
        (less_than(1.0), 1.0, 2.0, False, True),  # the edge is not inside: nothing shared
        (at_least(1.0), 0.0, 1.0, False, False),
        (more_than(1.0), 0.0, 1.0, False, True),
        (more_than(1.0), 1.0, 2.0, False, False),
        (between(1.0, 2.0), 1.0, 2.0, True, False),
        (between(1.0, 2.0), 0.0, 3.0, False, False),
        (between(1.0, 2.0), 2.5, 3.0, False, True),
    ],
)
def test_intervals_lie_inside_outside_or_across(region, low, high, inside, outside):
    assert region.contains_interval(low, high) is inside
    assert region.disjoint_from(low, high) is outside


def test_ends_must_be_in_order():
    with pytest.raises(ValueError, match=r"low must be <= high; got 2.0 and 1.0\."):
        between(2.0, 1.0)
    with pytest.raises(ValueError, match="low must be <= high"):
        at_most(math.nan)


def test_a_region_without_ends_holds_every_number():
    assert Region().contains(-1e300)
    assert Region().text == "any number"
