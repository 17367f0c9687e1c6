"""Curves with a known answer; the same from plain curves, a history, a loop and an ensemble."""

import math

import numpy as np
import pytest

from overparam.data.synthetic import xor_clusters
from overparam.diagnostics.late_generalisation import GrokkingWatch, grokking_watch
from overparam.nets.mlp import MLP
from overparam.training.ensemble import Ensemble
from overparam.training.run_history import RunHistory
from overparam.training.two_layer_relu import TwoLayerReLU

TRAIN, TEST = [0.5, 1, 1, 1, 1, 1], [0.5, 0.5, 0.5, 0.9, 1, 1]


def recorded(members, steps=None, rows=1000):
    """A history of (train, test) curves."""
    history = RunHistory()
    for member, curves in enumerate(members):
        for split, curve in zip(("train", "test"), curves, strict=True):
            for i, value in enumerate(curve):
                step = i if steps is None else steps[i]
                accuracy = {"accuracy": value}
                history.add(step, accuracy, split=split, members=[member], rows=rows)
    return history


def test_the_specified_example():
    found = grokking_watch(TRAIN, TEST, n_test=1000)
    assert (found.fit_step, found.generalise_step, found.ratio) == (1, 4, 4.0)
    assert found.verdict == "grokking"
    assert found.gain == 0.5
    assert found.headline.startswith("Still at memorisation at step 1")


def test_steps_are_those_that_were_recorded():
    found = grokking_watch(TRAIN, TEST, [0, 10, 12, 15, 19, 1000], n_test=1000)
    assert (found.fit_step, found.generalise_step, found.ratio) == (10, 19, 1.9)
    assert found.verdict == "no late generalisation"  # not twice the step of the fit


def test_late_harm_says_where_to_stop():
    train, test = [0.5, 0.9, 0.95, 1, 1], [0.5, 0.95, 0.93, 0.9, 0.88]
    found = grokking_watch(train, test, [0, 2, 20, 200, 2000], n_test=1000)
    assert found.verdict == "late harm"
    assert (found.fit_step, found.best_step) == (200, 2)
    assert found.drop == pytest.approx(0.07)
    assert found.generalise_step is None
    assert math.isnan(found.ratio)
    assert found.headline.endswith("stop at step 2.")


def test_small_changes_are_no_verdict():
    """A gain of 0.06 is clear with 2,000 test rows, within 3 standard errors with 200."""
    train, gain = [0.5, 1, 1, 1], [0.5, 0.8, 0.82, 0.86]
    assert grokking_watch(train, gain, n_test=2000).verdict == "grokking"
    assert grokking_watch(train, gain, n_test=200).verdict == "no late generalisation"
    drop = [0.7, 0.83, 0.8, 0.8]
    assert grokking_watch(train, drop, n_test=9000).verdict == "late harm"
    assert grokking_watch(train, drop, n_test=200).verdict == "no late generalisation"
    few = [0.5, 0.8, 0.82, 0.845]  # clear, but less than 0.05
    assert grokking_watch(train, few, n_test=10**6).verdict == "no late generalisation"
    least = [0.7, 0.9, 0.895, 0.892]
    assert grokking_watch(train, least, n_test=10**6).verdict == "no late generalisation"


def test_labels_that_are_never_fit():
    found = grokking_watch([0.5, 0.7, 0.8], [0.5, 0.6, 0.9], n_test=1000)
    assert found.fit_step is None
    assert found.gain == 0
    assert found.verdict == "no late generalisation"
    assert found.headline == "No late generalisation seen."
    falling = grokking_watch([0.5, 0.8, 0.9], [0.5, 0.9, 0.8], n_test=1000)
    assert falling.verdict == "late harm"
    assert falling.best_step == 1


def test_a_history_gives_members_and_their_mean():
    flat = (TRAIN, [0.5] * 6)
    history = recorded([(TRAIN, TEST), flat])
    assert grokking_watch(history, member=0) == grokking_watch(TRAIN, TEST, n_test=1000)
    assert grokking_watch(history, member=1).verdict == "no late generalisation"
    mean = grokking_watch(history)
    assert mean.gain == pytest.approx(0.25)
    assert mean.verdict == "grokking"
    assert grokking_watch(history, n_test=20).verdict == "no late generalisation"


def test_only_steps_known_of_all_members_count():
    history = recorded([(TRAIN, TEST), (TRAIN, TEST)])
    history.add(9, {"accuracy": 0.1}, split="test", members=[0], rows=1000)
    assert grokking_watch(history).drop == pytest.approx(0.5 - 1)
    history.add(9, {"accuracy": 0.1}, split="train", members=[0], rows=1000)
    assert grokking_watch(history) == grokking_watch(TRAIN, TEST, n_test=1000)


def test_the_papers_network_groks():
    p = 10_000
    X, y, _ = xor_clusters(400, p, 2 * p**0.25, 0.1, 0)
    X_test, _, y_test = xor_clusters(500, p, 2 * p**0.25, 0.1, 1)
    net = TwoLayerReLU().fit(X, y, X_test, y_test)
    found = grokking_watch(net.as_run_history())
    assert found.verdict == "grokking"
    assert found.fit_step in (1, 2)


def test_a_watch_in_a_loop_says_what_the_curves_say():
    watch = GrokkingWatch(n_test=1000)
    verdicts = [
        watch.update(step, train, test).verdict
        for step, (train, test) in enumerate(zip(TRAIN, TEST, strict=True))
    ]
    assert verdicts == ["no late generalisation"] * 3 + ["grokking"] * 3
    assert watch.result() == grokking_watch(TRAIN, TEST, n_test=1000)


def test_a_watch_is_a_callback_of_an_ensemble():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 8)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    ensemble = Ensemble(lambda d, k, s: MLP(d, k, (16,), seed=s), [0, 1], 8, 2)
    splits = {"train": (X[:40], y[:40]), "test": (X[40:], y[40:])}
    watch = GrokkingWatch.of(ensemble, splits, n_test=20, at=range(0, 61, 20))
    ensemble.fit(X[:40], y[:40], epochs=30, batch_size=20, learning_rate=0.03, callbacks=[watch])
    curve = watch.history.curve("accuracy", "test")
    assert curve.steps.tolist() == [0, 20, 40, 60]
    assert curve.members.tolist() == [0, 1]
    last = (ensemble.predict_logits(X[40:]).argmax(-1) == y[40:]).mean(1)
    np.testing.assert_allclose(curve.values[:, -1], last)
    assert watch.result(1).fit_step is not None
    by_epoch = GrokkingWatch.of(ensemble, splits, n_test=20, at={1}, clock="epoch")
    ensemble.fit(X[:40], y[:40], epochs=2, batch_size=20, callbacks=[by_epoch])
    assert by_epoch.history.curve("accuracy", "train").steps.tolist() == [0, 2]


def test_wrong_arguments_are_named():
    with pytest.raises(
        ValueError, match=r"must be curves of one length >= 1; got shapes \(6,\), \("
    ):
        grokking_watch(TRAIN, TEST[:5], n_test=10)
    with pytest.raises(ValueError, match="must be curves of one length >= 1"):
        grokking_watch([], [], n_test=10)
    with pytest.raises(ValueError, match="must be curves of one length >= 1"):
        grokking_watch(TRAIN, TEST, [0, 1], n_test=10)
    with pytest.raises(ValueError, match=r"test accuracy must lie in \[0, 1\]"):
        grokking_watch(TRAIN, [50.0] * 6, n_test=10)
    with pytest.raises(ValueError, match=r"train accuracy must lie in \[0, 1\]"):
        grokking_watch([math.nan] * 6, TEST, n_test=10)
    with pytest.raises(ValueError, match="steps must ascend"):
        grokking_watch(TRAIN, TEST, [0, 1, 1, 2, 3, 4], n_test=10)
    with pytest.raises(ValueError, match=r"n_test must be the number of rows .* got None"):
        grokking_watch(TRAIN, TEST)
    with pytest.raises(ValueError, match="test_accuracy must be given beside a curve"):
        grokking_watch(TRAIN, n_test=10)
    history = recorded([(TRAIN, TEST)])
    with pytest.raises(ValueError, match="test_accuracy and steps must be left out"):
        grokking_watch(history, TEST)
    with pytest.raises(ValueError, match=r"member must be one of \[0\]; got 3"):
        grokking_watch(history, member=3)
    with pytest.raises(ValueError, match="n_test must be an integer >= 1; got 0"):
        GrokkingWatch(0)


def test_a_watch_that_knows_no_rows_is_no_callback():
    X = np.zeros((4, 3), np.float32)
    ensemble = Ensemble(lambda d, k, s: MLP(d, k, (4,), seed=s), [0], 3, 2)
    with pytest.raises(ValueError, match=r"make it by GrokkingWatch\.of\("):
        ensemble.fit(X, np.arange(4) % 2, epochs=1, callbacks=[GrokkingWatch(4)])
    with pytest.raises(ValueError, match=r"splits must name 'train' and 'test'; got \['train'\]"):
        GrokkingWatch.of(ensemble, {"train": (X, np.arange(4) % 2)}, n_test=4)
