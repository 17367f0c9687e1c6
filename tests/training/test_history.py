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


def test_the_curves_come_in_the_form_that_diagnostics_read():
    history = History.empty(2, 3, steps=10, steps_per_epoch=4)
    history.loss[:] = [[3.0, 2.0, 1.0], [6.0, np.nan, np.nan]]  # the second diverged
    history.validation_accuracy[:] = 0.5
    run = history.as_run_history()
    curve = run.curve("loss", "minibatches")
    np.testing.assert_array_equal(curve.steps, [4, 8, 10])  # the last epoch is short
    np.testing.assert_array_equal(curve.values, history.loss)
    assert run.curve("accuracy", "validation").values.shape == (2, 3)
    assert run.table.filter(step=10)["epoch"].to_list() == [3.0, 3.0, 3.0]
    assert set(run.table["quantity"]) == {"loss", "accuracy"}
    assert run.table.filter(split="validation", quantity="loss").height == 0  # there was none
