"""Small images of letters in several fonts: many classes, few examples each.

A stand-in for Omniglot that needs no download: matplotlib brings the fonts.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np

from overparam.evidence.errors import UserError

FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
)
SIDE, SIZE = 28, 22  # pixels of an image and of the font
TURNS = 3  # images a font
MOST_DEGREES, MOST_SHIFT = 12, 2


@lru_cache(maxsize=1)
def letter_images(classes: int | None = None, seed: int = 0) -> np.ndarray:
    """Images (classes, 24, 28, 28) uint8 of letters: eight fonts, three random turns and shifts.

    Parameters
    ----------
    classes : int, optional
        The first so many letters; all 537 by default.
    seed : int
        Of the turns and shifts.

    Raises
    ------
    UserError
        If matplotlib, which brings the fonts, is missing.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise UserError("letter images need matplotlib's fonts: pip install matplotlib.") from error
    from PIL import Image, ImageDraw, ImageFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = [ImageFont.truetype(str(folder / f"{name}.ttf"), SIZE) for name in FONTS]
    shared = letters(folder)[:classes]
    rng = np.random.default_rng(seed)
    out = np.zeros((len(shared), len(FONTS) * TURNS, SIDE, SIDE), dtype=np.uint8)
    for i, letter in enumerate(shared):
        for j, font in enumerate(fonts):
            left, top, right, bottom = font.getbbox(letter)
            plain = Image.new("L", (SIDE, SIDE))
            place = ((SIDE - left - right) / 2, (SIDE - top - bottom) / 2)
            ImageDraw.Draw(plain).text(place, letter, fill=255, font=font)
            for t in range(TURNS):
                turned = plain.rotate(
                    rng.uniform(-MOST_DEGREES, MOST_DEGREES),
                    resample=Image.Resampling.BILINEAR,
                    translate=tuple(rng.integers(-MOST_SHIFT, MOST_SHIFT + 1, 2)),
                )
                out[i, j * TURNS + t] = np.asarray(turned)
    return out


def letters(folder: Path) -> list[str]:
    """Upper- and lower-case letters below U+0600, undecomposed, that all fonts of a folder have."""
    from matplotlib.ft2font import FT2Font

    maps = [set(FT2Font(str(folder / f"{name}.ttf")).get_charmap()) for name in FONTS]
    codes = sorted(set.intersection(*maps))
    return [
        chr(code)
        for code in codes
        if code < 0x600
        and unicodedata.category(chr(code)) in ("Lu", "Ll")
        and not unicodedata.decomposition(chr(code))
    ]
