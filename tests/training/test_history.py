import numpy as np

from overparam.training.history import History


def test_an_empty_history_has_its_shapes_and_records_nothing():
    history = History.empty(3, 5, steps=40)
    for curve in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
        assert getattr(history, curve).shape == (3, 5)
        assert np.isnan(getattr(history, curve)).all()
    history.loss[0, 0] = 1.0
    assert np.isnan(history.accuracy).all()
    assert history.best_epoch.shape == history.stopped_epoch.shape == (3,)
    assert history.steps == 40
