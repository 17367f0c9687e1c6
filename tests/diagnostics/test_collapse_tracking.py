import numpy as np
import pytest
import torch
from torch import nn

from overparam.diagnostics.collapse_metrics import neural_collapse
from overparam.diagnostics.collapse_tracking import CollapseTracker, LayerCollapse
from overparam.diagnostics.recording import EnsembleRecorder, record
from overparam.diagnostics.run_measures import Fit
from overparam.training.ensemble import Ensemble

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 4)).astype(np.float32)
Y = np.arange(90) % 3


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5), nn.Linear(5, 3)
    )


def loader():
    return [(torch.tensor(X[i::7]), torch.tensor(Y[i::7])) for i in range(7)]


def test_it_streams_what_the_batch_function_gives_of_every_layer():
    net = network()
    tracker = CollapseTracker(net, ["1", "3", "4"], head=["3", "4"])
    found = tracker.update(loader(), step=5)
    net.eval()
    features = {"1": net[:1], "3": net[:3], "4": net[:4]}
    product = {"1": None, "3": net[4].weight @ net[3].weight, "4": net[4].weight}
    for layer, part in features.items():
        expected = neural_collapse(part(torch.tensor(X)), Y, product[layer]).scalars()
        expected["nc4"] = np.nan
        assert found[layer].scalars() == pytest.approx(expected, rel=1e-4, nan_ok=True)
    curve = tracker.history.curve("nc1", "train", "3")
    assert curve.steps.tolist() == [5]
    assert curve.values[0, 0] == found["3"].nc1
    assert curve.rows == 90
    norm = tracker.history.curve("class_norm_2", "train", "4").values[0, 0]
    assert norm == pytest.approx(found["4"].class_norms[2])


def test_steps_count_on_and_nothing_stays_on_the_network():
    net = network()
    net.train()
    tracker = CollapseTracker(net)
    for _ in range(3):
        tracker.update((X, Y))
    assert tracker.history.curve("nc2_etf", "train", "4").steps.tolist() == [0, 1, 2]
    assert net.training
    assert not any(layer._forward_pre_hooks for layer in net.modules())


def test_hooks_are_taken_off_when_the_data_are_wrong():
    net = network()
    tracker = CollapseTracker(net)
    with pytest.raises(ValueError, match=r"name each class at least once; got none of \[2\]"):
        tracker.update((X[Y < 2], Y[Y < 2]))
    assert not any(layer._forward_pre_hooks for layer in net.modules())


def test_a_loop_and_an_ensemble_record_it_in_the_same_form():
    measures = (Fit(), LayerCollapse())
    ensemble = Ensemble(lambda d, k, seed: network(seed), [0, 1], 4, 3, plan="stacked")
    recorder = EnsembleRecorder(ensemble, {"train": (X, Y)}, measures=measures)
    ensemble.fit(X, Y, epochs=2, learning_rate=0.01, callbacks=[recorder])
    curve = recorder.history.curve("nc1_trace", "train", "4")
    assert curve.values.shape == (2, 3)
    with record(network(), (X, Y), measures=measures) as history:
        pass
    alone = history.curve("nc1_trace", "train", "4").values[0, 0]
    assert curve.values[0, 0] == pytest.approx(alone, rel=1e-5)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"layers must be among \['0', .* got \['9'\]"):
        CollapseTracker(network(), "9")
    with pytest.raises(ValueError, match=r"head must name the linear layers .* got ReLU"):
        CollapseTracker(nn.ReLU())

    class Skips(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(ValueError, match="layers must run in every forward pass; 'unused' did not"):
        CollapseTracker(Skips(), "unused", head=["used"]).update((X, Y))
