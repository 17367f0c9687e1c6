import itertools

import numpy as np
import pytest

from overparam.report import theme

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(code):
    channels = np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    light = [linear(code) @ [0.2126, 0.7152, 0.0722] + 0.05 for code in (one, other)]
    return max(light) / min(light)


def lab(rgb):
    """CIELAB at white point D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.clip(np.array(to_xyz) @ rgb / [0.9505, 1.0, 1.089], 0, None)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("palette", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_both_grounds(palette):
    for ground in ("ground", "raised"):
        for name in ("ink", "muted", "blue", "vermilion", "green", "amber"):
            assert contrast(palette[name], palette[ground]) >= 4.5, (name, ground)
    for name in theme.SERIES:  # WCAG asks for 3 for graphics
        assert contrast(palette[name], palette["ground"]) >= 3, name


@pytest.mark.parametrize("palette", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
@pytest.mark.parametrize("eyes", BLINDNESS)
def test_the_first_series_differ_for_every_eye(palette, eyes):
    seen = {
        name: lab(np.clip(np.array(BLINDNESS[eyes]) @ linear(palette[name]), 0, 1))
        for name in theme.SERIES[:4]
    }
    for (a, one), (b, other) in itertools.combinations(seen.items(), 2):
        assert np.linalg.norm(one - other) >= 12, (a, b)


def test_each_colour_has_a_code_of_its_own():
    assert len(set(theme.LIGHT.values())) == len(theme.LIGHT)
    assert theme.LIGHT.keys() == theme.DARK.keys()


def test_adaptive_puts_variables_for_house_colours_only():
    text = f'fill="{theme.LIGHT["blue"]}" stroke="#123456"'
    assert theme.adaptive(text) == 'fill="var(--blue)" stroke="#123456"'


def test_meanings_keep_their_colour_and_numbers_get_a_ramp():
    assert theme.series_colors(["hurts", "helps"]) == [
        theme.LIGHT["vermilion"],
        theme.LIGHT["green"],
    ]
    assert theme.series_colors([1, 2, 4]) == [theme.ORDERED[0], theme.ORDERED[2], theme.ORDERED[4]]
    assert theme.series_colors(["a", "b"]) == [theme.LIGHT["blue"], theme.LIGHT["vermilion"]]
    assert theme.series_colors([]) == []
