import numpy as np
import polars as pl

from overparam.data.table_columns import CategoryCodes, TextComponents


def test_codes_are_sorted_and_zero_means_missing_or_never_seen():
    codes = CategoryCodes().fit(pl.DataFrame({"c": ["b", None, "a"], "d": ["z", "z", "z"]}))
    assert codes.categories_ == [["a", "b"], ["z"]]
    new = pl.DataFrame({"c": ["a", "b", "never", None], "d": ["z", None, "y", "z"]})
    assert codes.transform(new).to_dict(as_series=False) == {"c": [1, 2, 0, 0], "d": [1, 0, 0, 1]}


def test_texts_of_one_kind_are_nearer_than_those_of_another():
    texts = [f"{w} street {i}" for i in range(30) for w in ("apple", "zebra")]
    frame = pl.DataFrame({"t": texts})
    X = TextComponents(8).fit(frame).transform(frame).to_numpy()
    apple, zebra = X[0::2], X[1::2]
    within = np.linalg.norm(apple[:-1] - apple[1:], axis=1).mean()
    between = np.linalg.norm(apple - zebra, axis=1).mean()
    assert X.shape == (60, 8)
    assert X.dtype == np.float32
    assert between > 2 * within


def test_a_text_has_the_same_numbers_wherever_it_stands():
    frame = pl.DataFrame({"t": ["one two", "three four", None, "one two", "five six", ""]})
    encoder = TextComponents(4).fit(frame)
    X = encoder.transform(frame).to_numpy()
    assert np.array_equal(X[0], X[3])
    assert not X[[2, 5]].any()
    assert np.allclose(encoder.transform(frame[[4, 1]]).to_numpy(), X[[4, 1]], atol=1e-6)


def test_texts_without_content_become_zeros():
    frame = pl.DataFrame({"t": pl.Series([None, "", "  "], dtype=pl.String)})
    assert not TextComponents(4).fit(frame).transform(frame).to_numpy().any()
