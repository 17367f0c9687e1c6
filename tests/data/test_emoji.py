import numpy as np
import pytest

from overparam.data import emoji
from overparam.data.emoji import emoji_source
from overparam.evidence.errors import UserError

needs_emoji = pytest.mark.skipif(
    not (emoji.FONT.exists() and emoji.LABELS.exists()),
    reason="apt-get install fonts-noto-color-emoji unicode-data",
)


@pytest.fixture(scope="module")
def source():
    return emoji_source()


@needs_emoji
def test_every_emoji_is_drawn_and_labelled(source):
    assert source.features.shape == (3_655, 32, 32, 3)
    assert source.labels.n_unique() == 9
    assert (source.features.reshape(3_655, -1).min(axis=1) < 250).all()
    assert len(np.unique(source.features.reshape(3_655, -1), axis=0)) > 3_500


@needs_emoji
def test_skin_tones_share_a_group(source):
    assert source.groups.n_unique() == 1_890
    names = np.array(source.names)
    hands = names[(source.groups == "waving hand").to_numpy()]
    assert len(hands) == 6
    assert "waving hand: dark skin tone" in hands


def test_a_missing_package_gives_the_install_line(monkeypatch, tmp_path):
    monkeypatch.setattr(emoji, "FONT", tmp_path / "absent.ttf")
    with pytest.raises(UserError, match=r"Run: apt-get install fonts-noto-color-emoji$"):
        emoji_source()
