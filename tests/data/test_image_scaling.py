import json

import numpy as np
import pytest

from overparam.data import image_scaling
from overparam.data.image_scaling import ImageScaling


@pytest.mark.parametrize("shape", [(50, 8, 6), (50, 8, 6, 3)])
def test_training_images_have_mean_0_and_deviation_1_by_channel(shape, monkeypatch):
    monkeypatch.setattr(image_scaling, "_BLOCK", 7)
    images = np.random.default_rng(0).integers(0, 200, shape, dtype=np.uint8)
    X = ImageScaling().fit(images).transform(images)
    assert X.shape == (50, shape[3] if len(shape) == 4 else 1, 8, 6)
    assert X.dtype == np.float32
    assert X.mean(axis=(0, 2, 3)) == pytest.approx(0, abs=1e-5)
    assert X.std(axis=(0, 2, 3)) == pytest.approx(1, abs=1e-5)


def test_pixels_keep_their_place():
    images = np.random.default_rng(0).integers(0, 255, (2, 4, 5, 3), dtype=np.uint8)
    scaling = ImageScaling().fit(images)
    X = scaling.transform(images)
    expected = (images[1, :, :, 2] / 255 - scaling.mean[2]) / scaling.deviation[2]
    assert X[1, 2] == pytest.approx(expected, abs=1e-5)


def test_new_images_are_scaled_as_the_training_images():
    train = np.random.default_rng(0).integers(0, 17, (40, 8, 8)).astype(np.float64)
    scaling = ImageScaling().fit(train)
    assert scaling.transform(train[:3])[0, 0, 2, 3] == pytest.approx(
        (train[0, 2, 3] / 16 - scaling.mean[0]) / scaling.deviation[0], rel=1e-5
    )


def test_a_black_set_stays_finite():
    black = np.zeros((3, 4, 4), np.float32)
    assert not ImageScaling().fit(black).transform(black).any()


def test_its_state_survives_json():
    images = np.random.default_rng(0).random((9, 4, 4, 3))
    scaling = ImageScaling().fit(images)
    loaded = ImageScaling.load(json.loads(json.dumps(scaling.state())))
    assert np.array_equal(loaded.transform(images), scaling.transform(images))
