"""What the API takes and gives of environments. No answer holds the value of a secret."""

from __future__ import annotations

from typing import Literal

import msgspec

from underway.terms.problem import Problem


class EnvLookAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Look at the environment of the repository at `path`; empty names are the manifest's own."""

    path: str
    app: str = ""
    environment: str = ""


class VariableView(msgspec.Struct, frozen=True, kw_only=True):
    """One variable. `value` is empty for a secret, and for one that is known only when a process starts.

    `from_` says which layer gave it, `over` which layers it covers, nearest first.
    """

    name: str
    is_set: bool
    is_secret: bool
    value: str = ""
    from_: str = msgspec.field(default="", name="from")
    over: tuple[str, ...] = ()
    type: str = "str"
    is_required: bool = False
    is_declared: bool = True
    doc: str = ""
    set_at: float = 0.0
    set_by: str = ""
    expires_at: float = 0.0
    is_rotating: bool = False
    fingerprint: str = ""
    """Equal for equal values in one home; tells nothing else."""
    running: str = ""
    """The fingerprint of the value with which the live release was started, empty where it was given none."""
    read_at: str = ""
    """The first place where the app's code reads it, or a file of the repository names it."""


class NamedView(msgspec.Struct, frozen=True, kw_only=True):
    """A variable that the repository names and `[env]` does not declare: where, and what it seems to be."""

    name: str
    where: str
    is_read: bool
    """True where the app's own code reads it; else only a file like `.env.example` or compose names it."""
    type: str = "str"
    is_required: bool = False
    is_secret: bool = False
    default: str = ""


class FindingView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    stops: bool
    problem: Problem


class EnvView(msgspec.Struct, frozen=True, kw_only=True):
    """An environment: its variables, its layers (lowest first), and what is wrong with it."""

    app: str
    environment: str
    vault: str
    layers: tuple[str, ...]
    variables: tuple[VariableView, ...]
    findings: tuple[FindingView, ...] = ()
    undeclared: tuple[NamedView, ...] = ()
    live: str = ""
    """The release that runs, empty where none does."""


class EnvChangeAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change values of one environment, all of it or nothing. `environment` may be `base`.

    `how`: `set` puts and `unset` removes; `generate` makes what the manifest generates and has no value yet (`names`,
    empty: all); `rotate` makes a new value of each of `names`, or takes it from `put`, and keeps the old one where the
    app still accepts it; `retire` forgets those; `share` moves the vault's values into the file that may be committed.
    """

    path: str
    by: str
    how: Literal["set", "unset", "generate", "rotate", "retire", "share"]
    app: str = ""
    environment: str = ""
    put: dict[str, str] = {}
    names: tuple[str, ...] = ()
    expires_at: float = 0.0
    is_forced: bool = False
    """Set also what the check would refuse."""


class EnvChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What was changed, and where it is kept now."""

    app: str
    environment: str
    where: str
    put: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    is_staged: bool = False
    """The app runs: it has its effect with the next deploy."""
    hint: str = ""


class EnvHandAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Have values handed over in a file that only this user can read. It is journaled first. `names` empty: all, as
    `process` gets them."""

    path: str
    by: str
    why: str
    app: str = ""
    environment: str = ""
    process: str = "web"
    names: tuple[str, ...] = ()


class EnvHanded(msgspec.Struct, frozen=True, kw_only=True):
    """The file (0400, JSON: name to value). Whoever reads it removes it."""

    file: str
    app: str
    environment: str
    hidden: tuple[str, ...] = ()


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """This home's public key: a vault file that is closed for it can be opened here."""

    recipient: str
