import numpy as np
import pytest

from overparam.data.letters import FONTS, TURNS, letter_images

pytest.importorskip("matplotlib", reason="matplotlib, whose fonts are drawn, is missing")


@pytest.fixture(scope="module")
def images():
    return letter_images(40)


def test_every_image_shows_something_and_nothing_is_cut(images):
    assert images.shape == (40, len(FONTS) * TURNS, 28, 28)
    ink = images.mean(axis=(2, 3))
    assert ink.min() > 2
    border = np.concatenate([images[:, :, 0], images[:, :, -1]], axis=-1)
    assert (border > 128).mean() < 0.01


def test_images_of_a_letter_are_closer_than_those_of_others(images):
    flat = images.reshape(40, 24, -1).astype(float)
    centres = flat.mean(axis=1)
    distance = np.linalg.norm(flat[:, :, None] - centres, axis=-1)
    assert (distance.argmin(axis=-1) == np.arange(40)[:, None]).mean() > 0.4  # chance is 1/40


def test_turns_are_drawn_from_the_seed(images):
    again, other = letter_images(40), letter_images(40, seed=1)
    np.testing.assert_array_equal(images, again)
    assert (images != other).any()
