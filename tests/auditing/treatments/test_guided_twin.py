"""On images a perceptron is guided and compared with its plain twin; elsewhere it has no guide."""

import numpy as np
import pytest
from tests.auditing.known_data import blobs

from overparam.auditing.answers import NotAffordable, NotApplicable
from overparam.auditing.final_fits import Parts, fit_nets_on
from overparam.auditing.measurements import fit_recipe
from overparam.auditing.saved_model import load_model, save_model
from overparam.auditing.treatments.guided_twin import guided_recipe, guided_twin
from overparam.data.loading import load
from overparam.nets.mlp import MLP

NET = {"net": "convolutional", "width": 2, "epochs": 6}


def bright_halves(n=150):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    images = rng.integers(0, 120, (n, 8, 8)).astype(np.uint8)
    images[y == 1, :4] += 100
    images[y == 2, 4:] += 100
    return images, y


@pytest.fixture
def images(make_context):
    return make_context(*bright_halves(), net=NET)


def test_it_trains_a_guided_perceptron_of_the_baselines_arithmetic(images):
    candidate = guided_twin(images)
    recipe = candidate.build.recipe
    assert recipe.net == "perceptron"
    # 2 channels of 3x3 at 64 places, 4 of 2 x 3x3 at 16, 3 outputs of 4 channels at 4 places
    assert recipe.width == 25  # 25^2 + (64 + 3 + 2) 25 + 3 = 2,353; the convolutions take 2,352
    assert recipe.guided_steps == 9  # half of 6 passes of 3 minibatches
    assert candidate.predictions[0].shape == (2, len(images.validation(0)), 3)
    # Two pairs took what was charged; of a pair the guided net takes the larger part.
    pair = images.ledger.spent["treatments"] / 2
    assert pair / 2 < candidate.seconds < pair
    plain = fit_recipe(images, recipe.but(guided_steps=0), 2, stage="treatments", label="plain")
    difference = candidate.predictions[0] - images.probabilities(plain.validation[0])
    assert np.abs(difference).max() > 1e-3
    guided = fit_recipe(images, recipe, 2, stage="treatments", label="guided")
    np.testing.assert_allclose(
        candidate.predictions[0], images.probabilities(guided.validation[0]), atol=1e-5
    )


def test_its_setting_tells_of_the_twin(images):
    text = guided_twin(images).setting
    assert text.startswith("width 25, guided for 9 of 18 steps; accuracy 0.")
    assert "(without a guide 0." in text
    assert "it passes the plain perceptron's best held-out loss, reached after" in text


def test_several_splits_are_averaged(make_context):
    context = make_context(*bright_halves(), net=NET, repeats=3)
    candidate = guided_twin(context)
    assert len(candidate.predictions) == 3


def test_the_saved_model_is_a_plain_perceptron(images, tmp_path):
    build = guided_twin(images).build
    rows = np.arange(images.dataset.n)
    nets = fit_nets_on(images, build, rows, rows, stage="reserve", label="x")
    before = images.probabilities(nets.pop("logits")).mean(axis=0)
    save_model(tmp_path / "m", images.dataset, Parts(build, nets, None, rows), {"title": "t"})
    model = load_model(tmp_path / "m")
    assert [type(member) for member in model._members] == [MLP]
    after = model.predict_proba(bright_halves()[0][images.dataset.row])
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_it_stays_within_the_share(images):
    images.ledger.total = 0.1
    with pytest.raises(NotAffordable, match="of the treatments share"):
        guided_twin(images)


def test_a_table_has_no_guide(make_context):
    context = make_context(*blobs(120, 4, distance=3.0))
    with pytest.raises(NotApplicable, match="the rows are no images"):
        guided_twin(context)


def test_a_number_has_no_classes(make_context):
    images, y = bright_halves()
    context = make_context(load(images, y + 0.5), net=NET)
    with pytest.raises(NotApplicable, match="the target is a number"):
        guided_twin(context)


def test_a_perceptron_as_baseline_keeps_its_size(make_context):
    context = make_context(*bright_halves(), net={"net": "perceptron", "width": 16, "epochs": 2})
    assert guided_recipe(context).width == 16
