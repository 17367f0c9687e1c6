from overparam.evidence.scale import FULL, LONG, QUICK, SCALES, SMOKE


def test_only_smoke_gives_no_verdict():
    assert [name for name, scale in SCALES.items() if not scale.verdicts] == ["smoke"]


def test_intervals_rest_on_3_seeds_at_quick_and_5_at_full():
    assert (len(SMOKE.seeds), len(QUICK.seeds), len(FULL.seeds), len(LONG.seeds)) == (2, 3, 5, 5)


def test_cells_of_a_smaller_scale_are_reused_by_a_larger_one():
    assert set(SMOKE.seeds) < set(QUICK.seeds) < set(FULL.seeds)


def test_pick_takes_the_value_of_the_scale_and_long_falls_back_to_full():
    picks = [scale.pick(smoke=1, quick=2, full=3) for scale in SCALES.values()]
    assert picks == [1, 2, 3, 3]
    assert LONG.pick(smoke=1, quick=2, full=3, long=4) == 4
