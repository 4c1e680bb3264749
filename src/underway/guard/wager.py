"""Evidence as money: start with one coin, bet against "the release is fine", and see how rich one can get.

Each bet is fair or losing when the release is fine, so the chance that the stake *ever* grows to 1/α is at most α
(Ville 1939), however often one looks. Several alternatives share the stake; and since a release may turn bad late,
a part of the stake is held back and enters play over time: W ← (W + new stake) · factor, the Shiryaev–Roberts rule
with a prior that is spent once, so the bound stays α (see Howard, Ramdas, McAuliffe, Sekhon 2021, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

import msgspec

OPENING_STAKE = 0.5
"""Half the stake is in play from the first request, when most faults show."""
HELD_BACK_FOR_S = 900.0
"""The other half enters play at this time constant."""
RICHEST = 1e12
"""A stake is cut here: far beyond any threshold, far below overflow, and cutting only loses."""


class Wager(msgspec.Struct):
    """Stakes in play, one for each alternative, and what is still held back (of 1 in all)."""

    stakes: list[float]
    held_back: float = 1.0 - OPENING_STAKE

    @property
    def strength(self) -> float:
        """How many times the stake was multiplied: the evidence. 1/α of it happens by chance at most α of the time."""
        return sum(self.stakes)


def open_wager(priors: Sequence[float]) -> Wager:
    """A fresh wager over alternatives with these prior weights (they sum to 1)."""
    return Wager(stakes=[OPENING_STAKE * prior for prior in priors])


def settle(wager: Wager, log_factors: Sequence[float]) -> None:
    """Multiply each stake by its factor, given as a natural logarithm."""
    multiply(wager, as_factors(log_factors))


def as_factors(log_factors: Sequence[float]) -> list[float]:
    """The factors of these natural logarithms, far below overflow."""
    return [exp(factor if factor < 60.0 else 60.0) for factor in log_factors]


def multiply(wager: Wager, factors: Sequence[float]) -> None:
    """Multiply each stake by its factor."""
    wager.stakes = [
        grown if (grown := stake * factor) < RICHEST else RICHEST
        for stake, factor in zip(wager.stakes, factors, strict=True)
    ]


def release_stake(wager: Wager, priors: Sequence[float], fraction: float) -> None:
    """Bring `fraction` (0–1) of what is held back into play: a change may begin now."""
    amount = wager.held_back * (0.0 if fraction < 0.0 else 1.0 if fraction > 1.0 else fraction)
    wager.held_back -= amount
    wager.stakes = [stake + amount * prior for stake, prior in zip(wager.stakes, priors, strict=True)]


def due_fraction(elapsed_s: float) -> float:
    """The part of the held-back stake that is due after `elapsed_s` seconds."""
    return 1.0 - exp(-max(elapsed_s, 0.0) / HELD_BACK_FOR_S)
