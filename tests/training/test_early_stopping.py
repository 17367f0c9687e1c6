import torch

from overparam.training.early_stopping import EarlyStopping
from overparam.training.stacked_state import Layout, StackedState


def state_of(values):
    layout = Layout({"w": torch.Size([])})
    vector = layout.zeros(len(values), torch.device("cpu"), torch.float32)
    state = StackedState(layout, len(values), vector, {"b": torch.tensor(values)})
    state.parameters["w"].copy_(state.buffers["b"])
    return state


def feed(stopping, losses):
    """Weights and buffers are the epoch's number, so that the kept ones tell the epoch."""
    stops = []
    for epoch, row in enumerate(losses):
        state = state_of([float(epoch)] * len(row))
        stops.append(stopping.update(state, epoch, torch.tensor(row)).tolist())
    return stops


def test_each_member_keeps_its_best_epoch_and_stops_after_its_own_patience():
    stopping = EarlyStopping(state_of([-1.0, -1.0]), patience=2)
    stops = feed(stopping, [[3.0, 5.0], [2.0, 4.0], [2.5, 3.0], [2.0, 2.0], [0.0, 1.0]])
    assert stops == [[False, False]] * 3 + [[True, False], [False, False]]
    assert stopping.best.parameters["w"].tolist() == [1.0, 4.0]
    assert stopping.best.buffers["b"].tolist() == [1.0, 4.0]
    assert stopping.best_epoch.tolist() == [1, 4]


def test_nan_is_never_better():
    stopping = EarlyStopping(state_of([-1.0]), patience=3)
    feed(stopping, [[1.0], [float("nan")], [float("nan")]])
    assert stopping.best_epoch.tolist() == [0]


def test_members_that_stay_keep_their_record():
    stopping = EarlyStopping(state_of([0.0, 0.0, 0.0]), patience=1)
    feed(stopping, [[1.0, 2.0, 3.0], [2.0, 1.0, 2.0]])
    stopping.keep([2, 1])
    assert stopping.best_epoch.tolist() == [1, 1]
    stopping.update(state_of([9.0, 9.0]), 2, torch.tensor([2.5, 0.5]))
    assert stopping.stopped.tolist() == [True, False]
    assert stopping.best.parameters["w"].tolist() == [1.0, 9.0]
