"""How the environment here and a place outside differ, and what a push, a pull or a sync would do about it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from underway.terms.environment import Held, fingerprint
from underway.terms.place import Memo, Traits
from underway.terms.secret import Secret


class Kind(Enum):
    """What one name is. Values are stable: scripts depend on them."""

    SAME = "same"
    ADD = "add"
    """Here, not there."""
    CHANGE = "change"
    """Both have it, with different values."""
    UNKNOWN = "unknown"
    """Both have it; the place gives no value back, and nobody remembers what was set."""
    EXTRA = "extra"
    """There, not here."""
    THEIRS = "theirs"
    """The place's own, or somebody else's: left alone."""
    UNFIT = "unfit"
    """The place would refuse it, or turn it into something else."""


class Moved(Enum):
    """Which side changed since the last sync, where that is known."""

    UNKNOWN = "unknown"
    HERE = "here"
    THERE = "there"
    BOTH = "both"


@dataclass(frozen=True)
class Difference:
    """One name. `because` says how it is known, or why it is left alone."""

    name: str
    kind: Kind
    because: str = ""
    moved: Moved = Moved.UNKNOWN


def drift(
    here: Mapping[str, Secret], there: Mapping[str, Held], memory: Mapping[str, Memo], key: bytes, traits: Traits
) -> tuple[Difference, ...]:
    """Every name of either side, sorted. `key` is the home's own, for fingerprints."""
    names = sorted({*here, *there})
    out = [_difference(name, here.get(name), there.get(name), memory.get(name), key, traits) for name in names]
    room = traits.most - sum(1 for each in out if each.kind is not Kind.ADD and each.kind is not Kind.UNFIT)
    if traits.most:
        added = [each.name for each in out if each.kind is Kind.ADD]
        full = set(added[max(0, room) :])
        why = f"the place holds at most {traits.most}"
        out = [Difference(each.name, Kind.UNFIT, why) if each.name in full else each for each in out]
    return tuple(out)


def _difference(
    name: str, here: Secret | None, held: Held | None, memo: Memo | None, key: bytes, traits: Traits
) -> Difference:
    if held is not None and not held.is_ours:
        return Difference(name, Kind.THEIRS, "the place's own, or it points at something else there")
    if here is None:
        assert held is not None
        if not held.may_prune:
            return Difference(name, Kind.THEIRS, "not made by Underway")
        moved = Moved.UNKNOWN if memo is None else Moved.HERE
        return Difference(name, Kind.EXTRA, "" if memo is None else "it was here at the last sync", moved)
    if unfit := unfit_for(name, here, traits):
        return Difference(name, Kind.UNFIT, unfit)
    if held is None:
        moved = Moved.UNKNOWN if memo is None else Moved.THERE
        return Difference(name, Kind.ADD, "" if memo is None else "it was removed there since the last sync", moved)
    if held.value is not None:
        if held.value == here:
            return Difference(name, Kind.SAME, "the values are equal")
        return Difference(name, Kind.CHANGE, "the values differ", _moved(here, fingerprint(key, held.value), memo, key))
    return _by_digest(name, here, held, memo, key)


def _by_digest(name: str, here: Secret, held: Held, memo: Memo | None, key: bytes) -> Difference:
    if held.algorithm == "sha256" and re.fullmatch(r"[0-9a-f]{64}", held.digest):
        if hashlib.sha256(here.reveal().encode()).hexdigest() == held.digest:
            return Difference(name, Kind.SAME, "its SHA-256 there is that of the value here")
        return Difference(name, Kind.CHANGE, "its SHA-256 there is another")
    if memo is None:
        return Difference(name, Kind.UNKNOWN, "the place gives no value back, and it was never pushed from here")
    is_same_here = memo.value == fingerprint(key, here)
    is_same_there = bool(memo.digest) and memo.digest == held.digest
    if is_same_here and is_same_there:
        return Difference(name, Kind.SAME, "neither side changed since it was pushed")
    if not is_same_there:
        why = "it was changed there since it was pushed"
        return Difference(name, Kind.CHANGE, why, Moved.THERE if is_same_here else Moved.BOTH)
    return Difference(name, Kind.CHANGE, "it was changed here since it was pushed", Moved.HERE)


def _moved(here: Secret, there: str, memo: Memo | None, key: bytes) -> Moved:
    if memo is None:
        return Moved.UNKNOWN
    is_here = memo.value != fingerprint(key, here)
    is_there = memo.value != there
    return Moved.BOTH if is_here and is_there else Moved.HERE if is_here else Moved.THERE


def unfit_for(name: str, value: Secret, traits: Traits) -> str:
    """Why the place would not take this, empty when it would."""
    if not re.fullmatch(traits.name, name):
        return "the place does not take such a name"
    if traits.reserved and re.fullmatch(traits.reserved, name):
        return "the place keeps that name for itself"
    text = value.reveal()
    if "\0" in text:
        return "the value holds a NUL"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "the value is not text that can be sent as UTF-8"
    if traits.most_bytes and size > traits.most_bytes:
        return f"the value has {size:,} bytes, and the place takes {traits.most_bytes:,}"
    if traits.expands and traits.expands in text:
        return f"the place would replace what follows {traits.expands} in it"
    return ""


class Way(Enum):
    """Which way values go."""

    PUSH = "push"
    PULL = "pull"
    SYNC = "sync"


@dataclass(frozen=True)
class Move:
    """What would be done: names to set or remove on either side, names left for `--prune`, what cannot be decided."""

    set_there: tuple[str, ...] = ()
    unset_there: tuple[str, ...] = ()
    set_here: tuple[str, ...] = ()
    unset_here: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def is_nothing(self) -> bool:
        return not (self.set_there or self.unset_there or self.set_here or self.unset_here)


def move(way: Way, differences: tuple[Difference, ...], there: Mapping[str, Held], *, is_pruning: bool) -> Move:
    """What `way` does about the differences. Nothing is removed anywhere unless `is_pruning`.

    A push makes the place like here, a pull makes here like the place. A sync takes each name from the side that
    changed since the last one; where both did, or nobody remembers, it is a conflict and neither side is touched.
    """
    made: dict[str, list[str]] = {field: [] for field in Move.__dataclass_fields__}
    for each in differences:
        readable = each.name in there and there[each.name].value is not None
        field = _field(way, each, readable, is_pruning)
        if field:
            made[field].append(each.name)
    return Move(**{field: tuple(names) for field, names in made.items()})


def _field(way: Way, each: Difference, is_readable: bool, is_pruning: bool) -> str:
    match way, each.kind:
        case (Way.PUSH, Kind.ADD | Kind.CHANGE | Kind.UNKNOWN):
            return "set_there"
        case (Way.PUSH, Kind.EXTRA):
            return "unset_there" if is_pruning else "left"
        case (Way.PULL, Kind.EXTRA | Kind.CHANGE | Kind.UNKNOWN):
            return "set_here" if is_readable else "unreadable"
        case (Way.PULL, Kind.ADD):
            return "unset_here" if is_pruning else "left"
        case (Way.SYNC, Kind.ADD):
            return _gone(each, Moved.THERE, "set_there", "unset_here", is_pruning)
        case (Way.SYNC, Kind.EXTRA):
            kept = "set_here" if is_readable else "unreadable"
            return _gone(each, Moved.HERE, kept, "unset_there", is_pruning)
        case (Way.SYNC, Kind.CHANGE | Kind.UNKNOWN):
            if each.moved is Moved.HERE:
                return "set_there"
            if each.moved is Moved.THERE:
                return "set_here" if is_readable else "unreadable"
            return "conflicts"
    return ""


def _gone(each: Difference, side: Moved, otherwise: str, remove: str, is_pruning: bool) -> str:
    """A name on one side only: new there, or removed from the other side since the last sync."""
    if each.moved is not side:
        return otherwise
    return remove if is_pruning else "left"
