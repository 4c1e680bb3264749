"""How many people met a failure."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from underway.observe.touched import Distinct, Touched

from .requests import request


def name(number: object) -> str:
    return hashlib.blake2b(str(number).encode(), digest_size=8).hexdigest()


def test_a_client_in_a_loop_is_one_person() -> None:
    touched = Touched()
    for _ in range(100):
        touched.add(request(status=500, address=name("home"), client=name("any")))
    assert touched.count == 1


def test_the_first_request_without_a_cookie_and_the_next_with_one_are_the_same_person() -> None:
    touched = Touched()
    touched.add(request(status=500, address=name("home"), client=name("fresh")))
    touched.add(request(status=500, address=name("home"), client=name("cookie"), is_sticky=True))
    assert touched.count == 1
    touched.add(request(status=500, address=name("home"), client=name("another cookie"), is_sticky=True))
    touched.add(request(status=500, address=name("elsewhere"), client=name("x")))
    assert touched.count == 3


@pytest.mark.parametrize("people", [1, 7, 1_000, 1_023, 5_000, 100_000])
def test_it_is_exact_while_few_and_close_when_many(people: int) -> None:
    touched = Touched()
    for number in range(people):
        for _ in range(2):
            touched.add(request(client=name(number), address=name(f"at {number}"), is_sticky=True))
    assert touched.count == people if people < 1_024 else abs(touched.count - people) < 0.12 * people
    assert len(msgspec.json.encode(touched)) < 70_000


def test_merging_counts_nobody_twice() -> None:
    one, two, both = Distinct(), Distinct(), Distinct()
    for number in range(3_000):
        hashed = int(name(number), 16)
        both.add(hashed)
        (one if number < 2_000 else two).add(hashed)
        two.add(int(name(number % 500), 16))
    one.merge(two)
    assert one == both
