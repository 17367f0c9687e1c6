"""The cells of the last fits."""

import numpy as np
import skops.io
from tests.auditing.known_data import blobs

from overparam.auditing.final_cells import (
    fit_final_baseline,
    fit_final_nets,
    kept_baseline_on_test,
)
from overparam.auditing.net_cells import SplitKey
from overparam.auditing.recipes import Recipe
from overparam.auditing.trusted_types import TRUSTED
from overparam.data.loading import load

RECIPE = Recipe("perceptron", 8, rows=200, epochs=4, batch_size=20)


def nets(dataset, **changes):
    rows = np.arange(100)
    values = {"seeds": [0, 1], "temperature": False, "seed": 0, **changes}
    return fit_final_nets(dataset, rows, np.arange(100, 130), RECIPE.as_dict(), **values)


def test_logits_are_those_of_the_returned_weights():
    dataset = load(*blobs(150, 4, distance=1.0))
    result = nets(dataset)
    x = dataset.view(np.arange(100, 130), np.arange(100)).flat.astype(np.float64)
    names = sorted(n for n in result if n.startswith("state/"))
    assert result["logits"].shape == (2, 30, 2)
    assert all(result[n].shape[0] == 2 for n in names)
    import torch

    from overparam.nets.mlp import MLP

    module = MLP(4, 2, (8, 8))
    module.load_state_dict({n[6:]: torch.as_tensor(result[n][1]) for n in names})
    with torch.no_grad():
        again = module.double()(torch.as_tensor(x)).numpy()
    np.testing.assert_allclose(result["logits"][1], again, rtol=1e-4, atol=1e-5)


def test_a_temperature_divides_the_logits_of_each_member():
    dataset = load(*blobs(150, 4, distance=1.0))
    plain, scaled = nets(dataset), nets(dataset, temperature=True)
    np.testing.assert_array_equal(plain["temperatures"], 1)
    np.testing.assert_allclose(
        scaled["logits"] * scaled["temperatures"][:, None, None], plain["logits"], rtol=1e-4
    )


def test_a_regression_comes_back_in_its_unit():
    X, _ = blobs(150, 4, distance=1.0)
    dataset = load(X, 1000 + 5 * X[:, 0].astype(float))
    result = nets(dataset)
    assert result["shift"] > 900
    assert result["logits"].mean() > 900


def test_a_baseline_is_the_model_in_its_bytes():
    dataset = load(*blobs(150, 4, distance=1.0))
    result = fit_final_baseline(dataset, np.arange(100), "logistic-regression", 1.0, 0)
    model = skops.io.loads(result["model"].tobytes(), trusted=list(TRUSTED))
    view = dataset.view(np.arange(100), np.arange(100))
    assert model.score(view.flat, view.y) > 0.5
    assert result["setting"].startswith("C = ")


def test_a_kept_baseline_predicts_the_test_rows_as_its_model_does():
    dataset = load(*blobs(150, 4, distance=1.0))
    key = SplitKey(0)
    split = key.of(dataset)
    kept = fit_final_baseline(dataset, split.train.rows, "logistic-regression", 1.0, 0)["model"]
    model = skops.io.loads(kept.tobytes(), trusted=list(TRUSTED))
    found = kept_baseline_on_test(dataset, key.as_dict(), kept)["p"]
    np.testing.assert_array_equal(found, model.predict_proba(split.test.flat))
