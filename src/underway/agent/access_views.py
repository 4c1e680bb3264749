"""What the API takes and gives of the dashboard and of who may use it. No answer but one holds a secret, once."""

from __future__ import annotations

from typing import Literal

import msgspec

from underway.access.rights import Role, Scope


class DashboardAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a way into the dashboard. `by` is the account that asks."""

    by: str


class DashboardView(msgspec.Struct, frozen=True, kw_only=True):
    """`enter` lets in once, until `until` (seconds since the epoch); `url` is where the dashboard is."""

    url: str
    enter: str
    until: float


class ExposeAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let the dashboard answer under `host` over HTTPS, or with an empty host on loopback alone."""

    by: str
    host: str = ""
    tls: Literal["auto", "internal"] = "auto"


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    role: Role
    made_at: float
    is_closed: bool = False


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    scopes: tuple[Scope, ...]
    made_at: float
    ends_at: float
    made_by: str


class AccessView(msgspec.Struct, frozen=True, kw_only=True):
    """Who may use the dashboard. `host` is where it is exposed, empty for nowhere."""

    accounts: tuple[AccountView, ...]
    tokens: tuple[TokenView, ...]
    host: str = ""
    sessions: int = 0


class AccountAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change an account. `how`: `add` wants `role` and `password`, `role` the role, `password` the password;
    `second-factor` renews it, `close` ends the account."""

    how: Literal["add", "role", "password", "second-factor", "close"]
    name: str
    by: str
    role: Role = Role.VIEWER
    password: str = ""


class AccountChanged(msgspec.Struct, frozen=True, kw_only=True):
    """`authenticator` is the address for the authenticator app where there is a new one. It is shown once."""

    name: str
    authenticator: str = ""


class TokenAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make a token (`name`, `scopes`, `life_s`), or end the one with the id `revoke`."""

    by: str
    name: str = ""
    scopes: tuple[Scope, ...] = ()
    life_s: float = 0.0
    revoke: str = ""


class TokenMade(msgspec.Struct, frozen=True, kw_only=True):
    """`token` is shown once; empty where one was ended."""

    token: str = ""
