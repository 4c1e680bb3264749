"""What a role or a token's scope allows."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Right(Enum):
    """One kind of thing that can be done from outside the machine."""

    LOOK = "look"
    """See everything but values of the environment, which nobody sees here."""
    HALT = "halt"
    """Hold or abort a release, roll back, acknowledge: what makes things safer."""
    DEPLOY = "deploy"
    """Begin a deploy, and hurry one that asks for no approval; maintenance, incidents, backups."""
    APPROVE = "approve"
    """Let a release go on that waits for a person."""
    ADMIN = "admin"
    """Accounts, tokens, and where the dashboard answers."""


class Role(Enum):
    """What an account is."""

    VIEWER = "viewer"
    DEPLOYER = "deployer"
    APPROVER = "approver"
    ADMIN = "admin"


_OF: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.LOOK}),
    Role.DEPLOYER: frozenset({Right.LOOK, Right.HALT, Right.DEPLOY}),
    Role.APPROVER: frozenset({Right.LOOK, Right.HALT, Right.APPROVE}),
    Role.ADMIN: frozenset(Right),
}


def rights_of(role: Role) -> frozenset[Right]:
    return _OF[role]


class Scope(Enum):
    """What an API token may do. None of them reaches accounts, tokens or the values of an environment."""

    READ = "read"
    DEPLOY = "deploy"
    APPROVE = "approve"


_WITHIN: dict[Scope, frozenset[Right]] = {
    Scope.READ: frozenset({Right.LOOK}),
    Scope.DEPLOY: frozenset({Right.LOOK, Right.HALT, Right.DEPLOY}),
    Scope.APPROVE: frozenset({Right.LOOK, Right.HALT, Right.APPROVE}),
}


def rights_within(scopes: Iterable[Scope]) -> frozenset[Right]:
    return frozenset().union(*(_WITHIN[scope] for scope in scopes))


def rights_for_order(*, is_onward: bool, needs_approval: bool) -> frozenset[Right]:
    """One of these is needed for an order to a release on its way: back or still is safer, onward is a deploy, and
    where a person must let it go on it is an approval."""
    if not is_onward:
        return frozenset({Right.HALT})
    return frozenset({Right.APPROVE}) if needs_approval else frozenset({Right.DEPLOY, Right.APPROVE})
