"""IDX files, the format of the MNIST family."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import polars as pl

from overparam.data.source import Source
from overparam.evidence.errors import UserError

_TYPES = {
    0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8",
}  # fmt: skip
_TEST = ("t10k", "test")


def find_idx(folder: Path) -> dict[str, Path]:
    """The files of a folder by part: "train-images", "train-labels", "test-images", ..."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if "-idx" not in path.name and ".idx" not in path.name:
            continue
        part = "test" if path.name.startswith(_TEST) else "train"
        for what in ("images", "labels"):
            if what in path.name:
                found.setdefault(f"{part}-{what}", path)
    return found


def read_idx_folder(folder: Path) -> Source:
    """Read the two or four files of a folder; t10k files become the fixed test part.

    Raises
    ------
    UserError
        A missing partner, a damaged file, or different numbers of images and labels.
    """
    files = find_idx(folder)
    images, labels = [], []
    for part in ("train", "test"):
        image_file, label_file = files.get(f"{part}-images"), files.get(f"{part}-labels")
        if image_file is None and label_file is None and part == "test":
            continue
        if image_file is None or label_file is None:
            here = (image_file or label_file or folder).name
            raise UserError(f"{folder.name} must hold {part} images and labels; got only {here}.")
        images.append(read_idx(image_file))
        labels.append(read_idx(label_file))
        if len(images[-1]) != len(labels[-1]):
            raise UserError(
                f"{label_file.name} must have one label per image; got {len(labels[-1])} labels "
                f"for {len(images[-1])} images."
            )
    n_train = len(images[0])
    total = sum(map(len, images))
    return Source(
        folder.name,
        folder.name,
        np.concatenate(images),
        pl.Series("label", np.concatenate(labels)),
        "label",
        test_rows=np.arange(n_train, total) if total > n_train else None,
        notes=["the t10k files are the test part"] if total > n_train else [],
    )


def read_idx(path: Path) -> np.ndarray:
    """Read one file, gzipped or not."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        dtype = np.dtype(_TYPES[data[2]])
        start = 4 + 4 * data[3]
        shape = np.frombuffer(data, ">u4", data[3], 4).astype(int)
        flat = np.frombuffer(data, dtype, int(shape.prod()), start)
    except (OSError, EOFError, zlib.error, KeyError, IndexError, ValueError):
        raise UserError(f"{path.name} must be a complete IDX file; got a damaged one.") from None
    return flat.reshape(shape).astype(dtype.newbyteorder("="))
