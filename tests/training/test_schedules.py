import pytest

from overparam.training.schedules import SCHEDULES, resolve_schedule


def test_cosine_falls_from_one_through_a_half_towards_zero():
    cosine = resolve_schedule("cosine")
    assert cosine(0, 100) == 1.0
    assert cosine(50, 100) == pytest.approx(0.5)
    assert 0 < cosine(99, 100) < 0.001


def test_warm_up_rises_linearly_over_a_twentieth():
    warmup = resolve_schedule("warmup")
    assert [warmup(s, 100) for s in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    combined = resolve_schedule("warmup_cosine")
    assert combined(1, 100) == pytest.approx(0.4 * resolve_schedule("cosine")(1, 100))


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("total", [1, 2, 1000])
def test_every_factor_lies_in_zero_to_one(name, total):
    assert all(0 < SCHEDULES[name](step, total) <= 1 for step in range(total))


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match=r"schedule must be one of .*'cosine'.*; got 'cosin'"):
        resolve_schedule("cosin")
