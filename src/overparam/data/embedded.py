"""Named data sets that need no download."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from overparam.data.dataset import Dropped
from overparam.data.emoji import emoji_source
from overparam.data.idx import read_idx_folder
from overparam.data.source import Source
from overparam.evidence.errors import UserError

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
_CLOTHES = (
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot",
)  # fmt: skip
_ALGORITHMIC = (
    "CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "HANGUL SYLLABLE", "TANGUT IDEOGRAPH",
    "NUSHU", "KHITAN",
)  # fmt: skip
_FEWEST_CHARACTERS = 50
_EASY_COLUMNS = (
    "codepoint", "low_byte", "bidirectional", "combining", "numeric_value", "case_differs",
)  # fmt: skip


def embedded_names() -> tuple[str, ...]:
    """The names that `load` knows, whether or not what they need is installed."""
    return tuple(_SETS)


def embedded_source(name: str) -> Source:
    """Read an embedded set by its canonical name.

    Raises
    ------
    UserError
        When a Debian package or an extra is missing: the line says how to install it.
    """
    source = _SETS[name]()
    source.name = source.origin = name
    return source


def _digits() -> Source:
    from sklearn.datasets import load_digits

    found = load_digits()
    return Source("", "", found.images.astype(np.uint8), pl.Series("digit", found.target), "digit")


def _sklearn_table(loader: str, target: str) -> Callable[[], Source]:
    def read() -> Source:
        from sklearn import datasets

        found = getattr(datasets, loader)()
        columns = [str(name).replace(" ", "_") for name in found.feature_names]
        frame = pl.DataFrame(np.asarray(found.data), schema=columns)
        labels = found.target
        if hasattr(found, "target_names"):
            labels = np.asarray(found.target_names)[labels]
        return Source("", "", frame.with_columns(pl.Series(target, labels)), target=target)

    return read


def _fashion_mnist() -> Source:
    if not FASHION_MNIST.is_dir():
        raise UserError(
            "fashion-mnist must be installed; got no such folder. "
            "Run: apt-get install dataset-fashion-mnist"
        )
    source = read_idx_folder(FASHION_MNIST)
    assert source.labels is not None
    source.labels = pl.Series("label", np.array(_CLOTHES)[source.labels.to_numpy()])
    return source


def _mnist1d() -> Source:
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError:
        raise UserError(
            "mnist1d must be installed; got no such package. Run: pip install 'overparam[mnist1d]'"
        ) from None
    made = make_dataset(get_dataset_args())
    X = np.concatenate([made["x"], made["x_test"]]).astype(np.float32)
    y = np.concatenate([made["y"], made["y_test"]])
    test_rows = np.arange(len(made["x"]), len(X))
    return Source("", "", X, pl.Series("digit", y), "digit", test_rows=test_rows)


def _characters() -> Source:
    """One row a Unicode character that has a name of its own; target its general category."""
    named = [
        (code, name)
        for code in range(sys.maxunicode + 1)
        if (name := unicodedata.name(chr(code), "")) and not name.startswith(_ALGORITHMIC)
    ]
    characters = [chr(code) for code, _ in named]
    decomposed = [unicodedata.decomposition(c) for c in characters]
    frame = pl.DataFrame(
        {
            "codepoint": [code for code, _ in named],
            "plane": [code >> 16 for code, _ in named],
            "low_byte": [code & 0xFF for code, _ in named],
            "bidirectional": [unicodedata.bidirectional(c) for c in characters],
            "width": [unicodedata.east_asian_width(c) for c in characters],
            "mirrored": [bool(unicodedata.mirrored(c)) for c in characters],
            "combining": [unicodedata.combining(c) for c in characters],
            "decomposition": [_decomposition_kind(text) for text in decomposed],
            "decomposition_length": [len(text.split()) for text in decomposed],
            "case_differs": [c.upper() != c.lower() for c in characters],
            "numeric_value": [unicodedata.numeric(c, None) for c in characters],
            "name_words": [len(name.split()) for _, name in named],
            "name_length": [len(name) for _, name in named],
            "first_word": [name.split()[0] for _, name in named],
            "utf8_bytes": [len(c.encode("utf-8", "surrogatepass")) for c in characters],
            "category": [unicodedata.category(c) for c in characters],
        }
    )
    size = frame["category"].value_counts()
    few = size.filter(pl.col("count") < _FEWEST_CHARACTERS).sort("category")
    reason = f"fewer than {_FEWEST_CHARACTERS} characters"
    dropped = [Dropped("class", name, count, reason) for name, count in few.iter_rows()]
    frame = frame.filter(~pl.col("category").is_in(few["category"].implode()))
    note = f"Unicode {unicodedata.unidata_version}, as in this Python"
    return Source("", "", frame, target="category", notes=[note], dropped=dropped)


def _characters_hard() -> Source:
    source = _characters()
    assert isinstance(source.features, pl.DataFrame)
    source.features = source.features.drop(_EASY_COLUMNS)
    return source


def _decomposition_kind(text: str) -> str:
    if not text:
        return "none"
    return text.split()[0] if text.startswith("<") else "canonical"


_SETS: dict[str, Callable[[], Source]] = {
    "digits": _digits,
    "breast-cancer": _sklearn_table("load_breast_cancer", "diagnosis"),
    "wine": _sklearn_table("load_wine", "cultivar"),
    "iris": _sklearn_table("load_iris", "species"),
    "diabetes": _sklearn_table("load_diabetes", "progression"),
    "characters": _characters,
    "characters-hard": _characters_hard,
    "fashion-mnist": _fashion_mnist,
    "emoji": emoji_source,
    "mnist1d": _mnist1d,
}
