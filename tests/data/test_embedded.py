from importlib.util import find_spec

import numpy as np
import polars as pl
import pytest

from overparam.data import embedded
from overparam.data.embedded import embedded_names, embedded_source
from overparam.evidence.errors import UserError

needs_fashion = pytest.mark.skipif(
    not embedded.FASHION_MNIST.is_dir(), reason="apt-get install dataset-fashion-mnist"
)
needs_mnist1d = pytest.mark.skipif(
    find_spec("mnist1d") is None, reason="pip install 'overparam[mnist1d]'"
)


@pytest.mark.parametrize(
    ("name", "rows", "columns", "target", "classes"),
    [
        ("breast-cancer", 569, 30, "diagnosis", ["benign", "malignant"]),
        ("wine", 178, 13, "cultivar", ["class_0", "class_1", "class_2"]),
        ("iris", 150, 4, "species", ["setosa", "versicolor", "virginica"]),
    ],
)
def test_tables_of_scikit_learn_have_named_columns_and_classes(
    name, rows, columns, target, classes
):
    source = embedded_source(name)
    assert source.features.shape == (rows, columns + 1)
    assert source.features[target].unique().sort().to_list() == classes


def test_digits_are_images_of_bytes():
    source = embedded_source("digits")
    assert source.features.shape == (1797, 8, 8)
    assert source.features.dtype == np.uint8
    assert source.features.max() == 16


def test_diabetes_has_a_numeric_target():
    source = embedded_source("diabetes")
    assert source.features.shape == (442, 11)
    assert source.features[source.target].n_unique() == 214


def test_characters_has_every_kind_of_column_and_17_classes():
    source = embedded_source("characters")
    frame = source.features
    assert frame["category"].n_unique() == 17
    assert frame["category"].value_counts()["count"].min() >= 50
    row = frame.filter(pl.col("codepoint") == ord("½")).row(0, named=True)
    assert (row["category"], row["numeric_value"], row["decomposition"]) == (
        "No",
        0.5,
        "<fraction>",
    )
    assert (row["first_word"], row["name_words"], row["utf8_bytes"]) == ("VULGAR", 4, 2)
    assert sum(d.count for d in source.dropped) == 121
    if "Unicode 14.0.0" in source.notes[0]:
        assert frame.shape == (32_524, 16)


def test_the_hard_version_leaves_out_what_gives_the_answer():
    easy, hard = (embedded_source(n).features for n in ("characters", "characters-hard"))
    assert set(easy.columns) - set(hard.columns) == set(embedded._EASY_COLUMNS)
    assert len(easy) == len(hard)


@needs_fashion
def test_fashion_mnist_has_names_and_a_fixed_test_part():
    source = embedded_source("fashion-mnist")
    assert source.features.shape == (70_000, 28, 28)
    assert source.features.dtype == np.uint8
    assert np.array_equal(source.test_rows, np.arange(60_000, 70_000))
    assert (source.labels.value_counts()["count"] == 7_000).all()
    assert source.labels[0] == "Boot"


@needs_mnist1d
def test_mnist1d_is_generated():
    source = embedded_source("mnist1d")
    assert source.features.shape == (5_000, 40)
    assert len(source.test_rows) == 1_000


def test_a_missing_package_gives_the_install_line(monkeypatch, tmp_path):
    monkeypatch.setattr(embedded, "FASHION_MNIST", tmp_path / "absent")
    with pytest.raises(UserError, match=r"Run: apt-get install dataset-fashion-mnist$"):
        embedded_source("fashion-mnist")


@pytest.mark.skipif(find_spec("mnist1d") is not None, reason="mnist1d is installed")
def test_a_missing_extra_gives_the_install_line():
    with pytest.raises(UserError, match=r"Run: pip install 'overparam\[mnist1d\]'$"):
        embedded_source("mnist1d")


def test_names_are_canonical():
    assert len(embedded_names()) == 10
    assert not any("_" in name for name in embedded_names())
