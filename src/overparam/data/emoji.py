"""Colour drawings of emoji, drawn from the system's font and labelled by Unicode's groups."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image, ImageDraw, ImageFont

from overparam.data.source import Source
from overparam.evidence.errors import UserError

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
LABELS = Path("/usr/share/unicode/emoji/emoji-test.txt")
_FONT_SIZE = 109  # the only size that this bitmap font has
_CANVAS = (136, 128)
SIDE = 32
_LINE = re.compile(r"^([0-9A-F ]+?)\s*; fully-qualified\s*# \S+ E[\d.]+ (.+)$")
_TONE = re.compile(r"(: |, )(?:light|medium-light|medium|medium-dark|dark) skin tone")


def emoji_source() -> Source:
    """3,655 drawings, 32 x 32 RGB, in 9 groups; versions in skin tone are one group of the split.

    Raises
    ------
    UserError
        When one of the two Debian packages is missing.
    """
    for path, package in ((FONT, "fonts-noto-color-emoji"), (LABELS, "unicode-data")):
        if not path.exists():
            raise UserError(
                f"emoji must have {path.name}; got no such file. Run: apt-get install {package}"
            )
    group, rows = "", []
    for line in LABELS.read_text(encoding="utf-8").splitlines():
        if line.startswith("# group: "):
            group = line.removeprefix("# group: ")
        elif match := _LINE.match(line):
            text = "".join(chr(int(code, 16)) for code in match[1].split())
            rows.append((text, match[2], group))
    names = [name for _, name, _ in rows]
    return Source(
        "emoji",
        "emoji",
        _draw([text for text, _, _ in rows]),
        pl.Series("group", [group for _, _, group in rows]),
        "group",
        tuple(names),
        notes=["an emoji and its versions in other skin tones stay on one side of a split"],
        groups=pl.Series("without tone", [_TONE.sub("", name).strip() for name in names]),
    )


def _draw(texts: list[str]) -> np.ndarray:
    font = ImageFont.truetype(FONT, _FONT_SIZE, layout_engine=ImageFont.Layout.RAQM)
    images = np.empty((len(texts), SIDE, SIDE, 3), np.uint8)
    for i, text in enumerate(texts):
        canvas = Image.new("RGB", _CANVAS, "white")
        ImageDraw.Draw(canvas).text((0, 0), text, font=font, embedded_color=True)
        images[i] = np.asarray(canvas.resize((SIDE, SIDE)))
    return images
