"""Which letter to practise next: plain functions, no clock and no database.

Every letter sits in a box. A right answer moves it one box up, a wrong one two down, and the box says how many other
questions come before the letter is asked again (S. Leitner, "So lernt man lernen", 1972, counted in questions because
a small child plays in short sittings). A letter known at the first meeting skips the lowest boxes.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from app.words import LOOK_ALIKE, ORDER, WORDS

GAPS = (2, 4, 8, 16, 32, 64)
HIGHEST_BOX = len(GAPS) - 1
BOX_WHEN_KNOWN = 3
CHOICES = 4


@dataclass(frozen=True)
class Learned:
    """What a child knows of one letter. `last_turn` is the child's turn at which it was last asked."""

    box: int
    last_turn: int


@dataclass(frozen=True)
class Question:
    letter: str
    word: str
    picture: str
    choices: tuple[str, ...]


def next_box(box: int | None, is_right: bool) -> int:
    """The box after an answer; `box` is None at the first meeting."""
    if box is None:
        return BOX_WHEN_KNOWN if is_right else 0
    return min(HIGHEST_BOX, box + 1) if is_right else max(0, box - 2)


def choose_letter(known: Mapping[str, Learned], turn: int) -> str:
    """The letter that has waited longest past its gap; when none is due, a new one; when all are known, the nearest."""
    waited = {letter: turn - one.last_turn - GAPS[min(one.box, HIGHEST_BOX)] for letter, one in known.items()}
    due = [letter for letter in ORDER if waited.get(letter, -1) >= 0]
    if due:
        return max(due, key=lambda letter: (waited[letter], -known[letter].box))
    for letter in ORDER:
        if letter not in known:
            return letter
    return max(ORDER, key=lambda letter: waited[letter])


def make_question(letter: str, chance: random.Random) -> Question:
    """A question with four choices: the letter, one that looks like it where there is one, and others."""
    word, picture = chance.choice(WORDS[letter])
    wrong = [chance.choice(LOOK_ALIKE[letter])] if letter in LOOK_ALIKE else []
    others = [other for other in ORDER if other != letter and other not in wrong]
    wrong += chance.sample(others, CHOICES - 1 - len(wrong))
    choices = [letter, *wrong]
    chance.shuffle(choices)
    return Question(letter, word, picture, tuple(choices))
