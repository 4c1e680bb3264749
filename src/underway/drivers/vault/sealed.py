"""One layer of values as bytes: JSON, closed with age (age-encryption.org/v1) for one or more recipients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from underway.terms.environment import Kept
from underway.terms.problem import Failure, Problem
from underway.terms.secret import Secret

_FORMAT = 2


class _Value(msgspec.Struct, omit_defaults=True):
    value: str
    set_at: float = 0.0
    set_by: str = ""
    expires_at: float = 0.0
    former: tuple[str, ...] = ()


class _Layer(msgspec.Struct):
    version: int
    values: dict[str, _Value]


class _First(msgspec.Struct):
    """Format 1, in the clear: what was kept before there were layers."""

    version: int
    values: dict[str, str]


def seal(values: Mapping[str, Kept], recipients: Sequence[Any], *, armored: bool = False) -> bytes:
    import pyrage

    layer = _Layer(
        _FORMAT,
        {
            name: _Value(
                kept.value.reveal(), kept.set_at, kept.set_by, kept.expires_at, tuple(f.reveal() for f in kept.former)
            )
            for name, kept in sorted(values.items())
        },
    )
    sealed: bytes = pyrage.encrypt(msgspec.json.encode(layer), list(recipients), armored=armored)
    return sealed


def unseal(content: bytes, identities: Sequence[Any], where: str) -> dict[str, Kept]:
    """The layer. Raises `Failure` (`vault.unreadable`)."""
    import pyrage

    try:
        text = pyrage.decrypt(content, list(identities))
    except pyrage.DecryptError as error:
        no_key = "matching keys" in str(error)
        why = "none of the keys of this home opens it" if no_key else "it is damaged"
        raise unreadable(where, why) from None
    try:
        layer = msgspec.json.decode(text, type=_Layer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise unreadable(where, "it is not what was written there") from None  # the error quotes values
    if layer.version != _FORMAT:
        raise unreadable(where, f"it is of format {layer.version}, and this Underway reads format {_FORMAT}")
    return {
        name: Kept(
            value=Secret(it.value),
            set_at=it.set_at,
            set_by=it.set_by,
            expires_at=it.expires_at,
            former=tuple(Secret(f) for f in it.former),
        )
        for name, it in layer.values.items()
    }


def read_first_format(content: bytes, where: str) -> dict[str, Kept]:
    """Values as format 1 kept them. Raises `Failure` (`vault.unreadable`)."""
    try:
        first = msgspec.json.decode(content, type=_First)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise unreadable(where, "it is not the JSON that was written there") from None
    if first.version != 1:
        raise unreadable(where, f"it is of format {first.version}, and this Underway reads format {_FORMAT}")
    return {name: Kept(value=Secret(value)) for name, value in first.values.items()}


def unreadable(where: str, why: str) -> Failure:
    return Failure(
        Problem(
            code="vault.unreadable",
            where=where,
            why=f"the app's secrets cannot be read: {why}",
            remedy="put the file back from a backup, or the key that opens it; without it passwords and keys are lost",
            command=f"ls -l {where}",
        )
    )
