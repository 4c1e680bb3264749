"""What differs, and what a push, a pull or a sync does about it. Pure tables."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest

from underway.environment.drift import Difference, Kind, Move, Moved, Way, drift, move
from underway.terms.environment import Held, fingerprint
from underway.terms.place import TRAITS, Memo, PlaceKind, Traits
from underway.terms.secret import Secret

KEY = b"k" * 32
RENDER, GITHUB, DOPPLER = TRAITS[PlaceKind.RENDER], TRAITS[PlaceKind.GITHUB], TRAITS[PlaceKind.DOPPLER]


def secrets(**values: str) -> dict[str, Secret]:
    return {name: Secret(value) for name, value in values.items()}


def memo(value: str, digest: str = "") -> Memo:
    return Memo(fingerprint(KEY, Secret(value)), digest)


def one(
    here: Mapping[str, Secret], there: Held | None, memory: Memo | None = None, traits: Traits = RENDER
) -> Difference:
    held = {there.name: there} if there else {}
    (found,) = drift(here, held, {"A": memory} if memory else {}, KEY, traits)
    return found


def test_values_that_can_be_read_are_compared() -> None:
    assert one(secrets(A="1"), Held("A", Secret("1"))).kind is Kind.SAME
    assert one(secrets(A="1"), Held("A", Secret("2"))).kind is Kind.CHANGE
    assert one(secrets(A="1"), None).kind is Kind.ADD
    assert one({}, Held("A", Secret("1"))).kind is Kind.EXTRA


@pytest.mark.parametrize(
    ("here", "digest", "memory", "kind", "moved"),
    [
        ("1", "d1", None, Kind.UNKNOWN, Moved.UNKNOWN),
        ("1", "d1", memo("1", "d1"), Kind.SAME, Moved.UNKNOWN),
        ("2", "d1", memo("1", "d1"), Kind.CHANGE, Moved.HERE),
        ("1", "d2", memo("1", "d1"), Kind.CHANGE, Moved.THERE),
        ("2", "d2", memo("1", "d1"), Kind.CHANGE, Moved.BOTH),
    ],
)
def test_values_that_cannot_are_known_by_what_was_pushed(
    here: str, digest: str, memory: Memo | None, kind: Kind, moved: Moved
) -> None:
    found = one(secrets(A=here), Held("A", digest=digest, algorithm="fly"), memory)
    assert (found.kind, found.moved) == (kind, moved)


def test_a_sha256_tells_by_itself() -> None:
    digest = hashlib.sha256(b"1").hexdigest()
    assert one(secrets(A="1"), Held("A", digest=digest, algorithm="sha256")).kind is Kind.SAME
    assert one(secrets(A="2"), Held("A", digest=digest, algorithm="sha256")).kind is Kind.CHANGE


@pytest.mark.parametrize(
    ("name", "value", "traits", "why"),
    [
        ("GITHUB_TOKEN", "x", GITHUB, "keeps that name"),
        ("lower", "x", GITHUB, "does not take such a name"),
        ("BIG", "x" * 49_153, GITHUB, "49,153 bytes"),
        ("URL", "postgres://${USER}@db", DOPPLER, "replace what follows ${"),
        ("NUL", "a\0b", RENDER, "NUL"),
        ("ODD", "a\udcffb", RENDER, "UTF-8"),
        ("A-B", "x", RENDER, "does not take such a name"),
    ],
)
def test_what_the_place_would_refuse_or_change_is_said_before(name: str, value: str, traits: Traits, why: str) -> None:
    (found,) = drift({name: Secret(value)}, {}, {}, KEY, traits)
    assert found.kind is Kind.UNFIT
    assert why in found.because


def test_more_than_the_place_holds_is_said_before() -> None:
    here = secrets(**{f"N{number:03}": "x" for number in range(105)})
    there = {"N000": Held("N000", digest="d", algorithm="updated_at")}
    kinds = [each.kind for each in drift(here, there, {}, KEY, GITHUB)]
    assert kinds.count(Kind.ADD) == 99
    assert kinds.count(Kind.UNFIT) == 5


def test_what_is_not_ours_is_left_alone() -> None:
    assert one({}, Held("A", Secret("1"), is_ours=False)).kind is Kind.THEIRS
    assert one(secrets(A="2"), Held("A", Secret("1"), is_ours=False)).kind is Kind.THEIRS
    assert one({}, Held("A", may_prune=False)).kind is Kind.THEIRS


ALL = (
    Difference("ADD", Kind.ADD),
    Difference("CHANGE", Kind.CHANGE),
    Difference("EXTRA", Kind.EXTRA),
    Difference("SAME", Kind.SAME),
    Difference("THEIRS", Kind.THEIRS),
    Difference("UNFIT", Kind.UNFIT),
    Difference("UNKNOWN", Kind.UNKNOWN),
)
THERE = {name: Held(name, Secret("x")) for name in ("CHANGE", "EXTRA", "SAME", "THEIRS")} | {"UNKNOWN": Held("UNKNOWN")}


@pytest.mark.parametrize(
    ("way", "is_pruning", "wanted"),
    [
        (Way.PUSH, False, Move(set_there=("ADD", "CHANGE", "UNKNOWN"), left=("EXTRA",))),
        (Way.PUSH, True, Move(set_there=("ADD", "CHANGE", "UNKNOWN"), unset_there=("EXTRA",))),
        (Way.PULL, False, Move(set_here=("CHANGE", "EXTRA"), left=("ADD",), unreadable=("UNKNOWN",))),
        (Way.PULL, True, Move(set_here=("CHANGE", "EXTRA"), unset_here=("ADD",), unreadable=("UNKNOWN",))),
        (Way.SYNC, False, Move(set_there=("ADD",), set_here=("EXTRA",), conflicts=("CHANGE", "UNKNOWN"))),
        (Way.SYNC, True, Move(set_there=("ADD",), set_here=("EXTRA",), conflicts=("CHANGE", "UNKNOWN"))),
    ],
)
def test_what_each_way_does(way: Way, is_pruning: bool, wanted: Move) -> None:
    assert move(way, ALL, THERE, is_pruning=is_pruning) == wanted


def test_a_sync_takes_the_side_that_changed_and_removes_only_when_told() -> None:
    changed = (
        Difference("H", Kind.CHANGE, moved=Moved.HERE),
        Difference("T", Kind.CHANGE, moved=Moved.THERE),
        Difference("B", Kind.CHANGE, moved=Moved.BOTH),
        Difference("GONE_THERE", Kind.ADD, moved=Moved.THERE),
        Difference("GONE_HERE", Kind.EXTRA, moved=Moved.HERE),
    )
    there = {name: Held(name, Secret("x")) for name in ("H", "T", "B", "GONE_HERE")}
    kept = move(Way.SYNC, changed, there, is_pruning=False)
    assert kept == Move(set_there=("H",), set_here=("T",), conflicts=("B",), left=("GONE_THERE", "GONE_HERE"))
    pruned = move(Way.SYNC, changed, there, is_pruning=True)
    assert (pruned.unset_here, pruned.unset_there) == (("GONE_THERE",), ("GONE_HERE",))
