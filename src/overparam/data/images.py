"""A folder with a sub-folder of images for each class."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image, UnidentifiedImageError

from overparam.data.source import Source
from overparam.evidence.errors import UserError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
LARGEST_SIDE = 64
_COLOUR = ("RGB", "RGBA", "P", "CMYK", "YCbCr", "LAB", "HSV")


def image_files(folder: Path) -> list[Path]:
    """Images at any depth below the folder, sorted by path."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())


def read_image_folder(folder: Path) -> Source:
    """Read images; the first sub-folder is the class, images beside the sub-folders have none.

    All images are brought to the most common size, at most 64 pixels a side; grey if all are grey,
    else RGB on white.

    Raises
    ------
    UserError
        No images, or one that cannot be read (the file is named).
    """
    files = image_files(folder)
    labels = [p.relative_to(folder).parts[0] if p.parent != folder else None for p in files]
    if not any(labels):
        raise UserError(
            f"{folder.name} must hold a sub-folder of images for each class; got none "
            f"(images end in {', '.join(ENDINGS)})."
        )
    array, notes = read_images(files, folder)
    names = tuple(p.relative_to(folder).as_posix() for p in files)
    series = pl.Series("class", labels, dtype=pl.String)
    return Source(folder.name, folder.name, array, series, "class", names, notes=notes)


def read_images(
    files: list[Path], folder: Path, shape: tuple[int, ...] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Decode files to one uint8 array (n, H, W) or (n, H, W, 3), and say what was changed.

    Parameters
    ----------
    files : list of Path
    folder : Path
        What names in messages are relative to.
    shape : tuple of int, optional
        The shape to bring each image to; None finds it from the files.
    """
    with ThreadPoolExecutor(2) as pool:
        heads = list(pool.map(lambda path: _head(path, folder), files))
        sizes = Counter(size for size, _ in heads)
        notes = []
        if shape is None:
            (width, height), _ = min(sizes.items(), key=lambda item: (-item[1], item[0]))
            shrink = min(1.0, LARGEST_SIDE / max(width, height))
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            colour = any(mode in _COLOUR for _, mode in heads)
            shape = (size[1], size[0], 3) if colour else (size[1], size[0])
        changed = sum(count for size, count in sizes.items() if size != (shape[1], shape[0]))
        if changed:
            notes.append(
                f"{changed} of {len(files)} images were resized to {shape[1]} x {shape[0]} pixels"
            )
        out = np.empty((len(files), *shape), np.uint8)
        for i, image in enumerate(pool.map(lambda path: _decode(path, folder, shape), files)):
            out[i] = image
    return out, notes


def _head(path: Path, folder: Path) -> tuple[tuple[int, int], str]:
    try:
        with Image.open(path) as image:
            return image.size, image.mode
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        raise _unreadable(path, folder) from None


def _decode(path: Path, folder: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        with Image.open(path) as opened:
            image: Image.Image = opened
            if image.mode.startswith("I"):  # 16 bits a pixel
                values = np.asarray(image, np.float64)
                image = Image.fromarray((values / 257).clip(0, 255).astype(np.uint8))
            if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
                white = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(white, image.convert("RGBA"))
            image = image.convert("RGB" if len(shape) == 3 else "L")
            size = (shape[1], shape[0])
            if image.size != size:
                image = image.resize(
                    size, Image.Resampling.BOX if image.size > size else Image.Resampling.BILINEAR
                )
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise _unreadable(path, folder) from None


def _unreadable(path: Path, folder: Path) -> UserError:
    return UserError(
        f"{folder.name} must hold readable images; got {path.relative_to(folder).as_posix()}, "
        "which is damaged or no image."
    )
