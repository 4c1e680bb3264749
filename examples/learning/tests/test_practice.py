"""The choice of letters, without a server."""

import random
from itertools import pairwise

import pytest

from app.practice import CHOICES, GAPS, HIGHEST_BOX, Learned, choose_letter, make_question, next_box
from app.words import LOOK_ALIKE, ORDER, WORDS


def play(turns: int, knows: str) -> list[str]:
    """The letters asked of a child who knows the letters `knows` and no others."""
    known: dict[str, Learned] = {}
    asked = []
    for turn in range(1, turns + 1):
        letter = choose_letter(known, turn)
        asked.append(letter)
        box = known[letter].box if letter in known else None
        known[letter] = Learned(next_box(box, letter in knows), turn)
    return asked


def test_a_child_who_knows_everything_meets_every_letter() -> None:
    assert set(play(60, ORDER)) == set(ORDER)


def test_a_letter_that_goes_wrong_comes_more_often_than_one_that_goes_right() -> None:
    asked = play(100, ORDER.replace("A", ""))
    assert asked.count("A") > 3 * asked.count("T")


def test_no_letter_is_asked_twice_in_a_row_once_another_is_known() -> None:
    asked = play(200, "")
    assert all(one != other for one, other in pairwise(asked))


def test_a_forgotten_letter_falls_back() -> None:
    assert next_box(5, False) == 3
    assert next_box(0, False) == 0
    assert next_box(HIGHEST_BOX, True) == HIGHEST_BOX
    assert len(GAPS) == HIGHEST_BOX + 1


@pytest.mark.parametrize("letter", ORDER)
def test_every_letter_has_a_word_and_four_different_choices(letter: str) -> None:
    for seed in range(20):
        question = make_question(letter, random.Random(seed))
        assert question.word[0].upper() == letter
        assert letter in question.choices
        assert len(set(question.choices)) == CHOICES
        if letter in LOOK_ALIKE:
            assert set(question.choices) & set(LOOK_ALIKE[letter])


def test_the_alphabet_is_whole() -> None:
    assert sorted(ORDER) == sorted(WORDS) == [chr(code) for code in range(ord("A"), ord("Z") + 1)]
