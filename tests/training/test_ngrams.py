"""Counts by hand, probabilities that add up to one, and the known losses of a known text."""

import itertools

import numpy as np
import pytest

from overparam.training.ngrams import NGrams

TEXT = np.random.default_rng(0).integers(0, 4, 300)


def by_hand(text, history, token, strength=8.0, floor=0.1, vocab=4):
    """The definition, one token after the other."""
    p = (np.sum(text == token) + floor) / (len(text) + floor * vocab)
    for k in range(1, len(history) + 1):
        h = tuple(history[len(history) - k :])
        places = [i for i in range(k, len(text)) if tuple(text[i - k : i]) == h]
        hits = sum(text[i] == token for i in places)
        p = (hits + strength * p) / (len(places) + strength)
    return p


def test_probabilities_are_those_of_the_definition():
    model = NGrams(4, order=3).fit(TEXT)
    window = np.array([[2, 0, 3, 1, 1]])
    found = np.exp(model.log_probabilities(window))[0]
    wanted = [by_hand(TEXT, window[0, max(0, i - 2) : i], window[0, i]) for i in range(1, 5)]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_they_add_up_to_one_after_every_history(order):
    model = NGrams(4, order).fit(TEXT)
    for history in itertools.chain([[]], itertools.product(range(4), repeat=3)):
        p = model.distribution(history)
        assert p.min() > 0
        assert p.sum() == pytest.approx(1, abs=1e-12)
    row = np.array([1, 3, 0, 2])
    last = np.exp(model.log_probabilities(row))[-1]
    assert last == pytest.approx(model.distribution(row[:-1])[row[-1]], rel=1e-12)


def test_a_text_with_rules_is_predicted_and_written_by_them():
    text = np.tile([0, 1, 2], 200)
    model = NGrams(3, order=2, strength=1.0).fit(text)
    assert -model.log_probabilities(text).mean() < 0.02
    drawn = model.sample(20, 12, seed=1)
    follows = (drawn[:, 1:] - drawn[:, :-1]) % 3 == 1
    assert follows.mean() > 0.95
    np.testing.assert_array_equal(drawn, model.sample(20, 12, seed=1))
    assert len(np.unique(model.sample(200, 1, temperature=100.0))) == 3


def test_counts_go_out_and_come_back():
    model = NGrams(4, order=3).fit(TEXT)
    again = NGrams(4, order=3).load_state(model.state())
    np.testing.assert_array_equal(
        model.log_probabilities(TEXT[:50]), again.log_probabilities(TEXT[:50])
    )


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"order must be at least 1 .* got 0"):
        NGrams(4, 0)
    with pytest.raises(ValueError, match=r"order must be at least 1 with vocab\^order below 2\^63"):
        NGrams(10_000, 5)
    with pytest.raises(ValueError, match=r"tokens must have shape \(n,\) with n >= order"):
        NGrams(4, 3).fit([1, 2])
    with pytest.raises(ValueError, match=r"tokens must be in 0 \.\. 3; got 7"):
        NGrams(4, 1).fit([1, 7])
    with pytest.raises(ValueError, match="temperature must be a number > 0"):
        NGrams(4, 1).fit([1, 2]).sample(1, 2, temperature=0.0)
