"""Strings: right answers where they count, by hand and by an independent computation."""

import pytest
import torch

from overparam.studies import guidance_sequence_tasks as tasks
from overparam.studies.guidance_sequence_tasks import Strings, accuracy, copied, parities


def drawn(draw, count=500, seed=0):
    return draw(count, torch.Generator().manual_seed(seed))


def by_hand(symbols):
    """Tokens, answers and places of one string to copy, from lists."""
    blank, copy = tasks.COPY_BLANK, tasks.COPY
    rest = [blank] * (2 * tasks.LONGEST - 2 * len(symbols))
    x = [*symbols, copy, *[blank] * len(symbols), *rest]
    y = [*[blank] * (len(symbols) + 1), *symbols, *rest]
    counted = [False] * (len(symbols) + 1) + [True] * len(symbols) + [False] * len(rest)
    return x, y, counted


def test_a_string_to_copy_by_hand():
    x, y, counted = by_hand([3, 1, 4, 1, 5])
    assert x == [3, 1, 4, 1, 5, 8, *[9] * 15]
    assert y == [9, 9, 9, 9, 9, 9, 3, 1, 4, 1, 5, *[9] * 10]
    assert sum(counted) == 5
    strings = drawn(copied)
    lengths = set()
    for tokens, answers, places in zip(*strings, strict=True):
        symbols = tokens[: tokens.tolist().index(tasks.COPY)].tolist()
        lengths.add(len(symbols))
        assert (tokens.tolist(), answers.tolist(), places.tolist()) == by_hand(symbols)
        assert max(symbols) < tasks.SYMBOLS
    assert lengths == set(range(5, 11))
    assert strings.x[:, :5].unique().tolist() == list(range(8))


def logits_of(answers):
    return torch.nn.functional.one_hot(answers, 10).float()


def test_an_exact_copier_scores_1_and_blanks_score_0():
    strings = drawn(copied)
    assert accuracy(logits_of(strings.y), strings) == 1
    assert accuracy(logits_of(torch.full_like(strings.y, tasks.COPY_BLANK)), strings) == 0
    wrong = strings.y.clone()
    first = strings.counted.long().argmax(1)
    wrong[torch.arange(len(wrong)), first] = tasks.COPY_BLANK
    expected = 1 - len(wrong) / int(strings.counted.sum())
    assert accuracy(logits_of(wrong), strings) == pytest.approx(expected, abs=1e-12)


def test_what_stands_outside_the_counted_places_does_not_matter():
    strings = drawn(copied)
    other = torch.where(strings.counted, strings.y, 0)
    assert accuracy(logits_of(other), strings) == 1


def test_parities_by_an_independent_computation():
    strings = drawn(parities)
    lengths, answers = set(), set()
    for tokens, right, places in zip(*strings, strict=True):
        text = "".join("01 "[t] for t in tokens.tolist())
        bits = text.rstrip(" ")
        assert " " not in bits
        lengths.add(len(bits))
        assert places.nonzero().flatten().tolist() == [len(bits) - 1]
        answer = int(right[len(bits) - 1])
        answers.add(answer)
        assert answer == int(bits, 2).bit_count() % 2
    assert lengths == set(range(2, 21))
    assert answers == {0, 1}


@pytest.mark.parametrize("draw", [copied, parities])
def test_strings_come_from_the_generator_alone(draw):
    first, again, other = drawn(draw), drawn(draw), drawn(draw, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.x, other.x)


def test_accuracy_counts_tokens_not_strings():
    strings = Strings(torch.zeros(2, 3), torch.tensor([[1, 1, 1], [1, 0, 0]]), torch.zeros(2, 3))
    strings = strings._replace(counted=torch.tensor([[True, True, True], [True, False, False]]))
    answers = torch.tensor([[1, 1, 0], [1, 0, 0]])
    assert accuracy(logits_of(answers), strings) == pytest.approx(3 / 4)
