"""The accounts and tokens of a home, as one value that is written down whole."""

from __future__ import annotations

import hashlib
import hmac
import re

import msgspec

from underway.access.rights import Role, Scope
from underway.terms.problem import Problem, Refusal

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?")
TOKEN = re.compile(r"uwt_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
"""An API token: its public id, then 256 random bits. The prefix lets scanners of leaked secrets know it."""
MIN_PASSWORD = 12
MAX_PASSWORD = 200
"""In characters. NIST SP 800-63B asks for 8 at least with a second factor; hashing the long is work for us."""


class Account(msgspec.Struct, kw_only=True):
    """A person. `password` is an argon2id hash; `totp` the shared secret of the second factor (RFC 6238), in base 32;
    `totp_step` the time step of the code that was used last, so that none works twice."""

    name: str
    role: Role
    password: str
    totp: str
    made_at: float
    totp_step: int = 0
    is_closed: bool = False


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A program's way in. `digest` is the SHA-256 of its secret part, which has 256 random bits and needs no slow hash.
    `ends_at` is in seconds since the epoch."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    digest: str
    made_at: float
    ends_at: float
    made_by: str = ""


class AccessBook(msgspec.Struct, kw_only=True):
    """Everything that survives the agent. `host` is where the dashboard is exposed (empty: nowhere but loopback), `tls`
    how its certificate is made, `port` the loopback port it had last."""

    accounts: dict[str, Account] = msgspec.field(default_factory=dict)
    tokens: dict[str, Token] = msgspec.field(default_factory=dict)
    host: str = ""
    tls: str = "auto"
    port: int = 0

    def open_account(self, name: str) -> Account | None:
        found = self.accounts.get(name)
        return found if found and not found.is_closed else None

    def token(self, text: str, now: float) -> Token | None:
        """The token that `text` is, None for one that is unknown or over."""
        found = TOKEN.fullmatch(text)
        if found is None:
            return None
        token = self.tokens.get(found[1])
        digest = digest_of(found[2])
        if token is None or not hmac.compare_digest(token.digest, digest) or now >= token.ends_at:
            return None
        return token


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def require_name(name: str) -> str:
    """Raises `Refusal` (`access.name`)."""
    if NAME.fullmatch(name):
        return name
    raise Refusal(
        [
            Problem(
                code="access.name",
                where=f"{name[:60]!r}",
                why="an account's name has 1 to 40 lower-case letters, digits, dots, hyphens and underscores",
                remedy="choose a name such as ana",
            )
        ]
    )


def require_password(password: str, name: str) -> None:
    """Raises `Refusal` (`access.password`): long enough, and not one that everybody tries first."""
    lowered = password.lower()
    why = ""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        why = f"it has {len(password)} characters; there must be {MIN_PASSWORD} to {MAX_PASSWORD}"
    elif len(set(password)) < 5 or name in lowered or "password" in lowered or lowered in "01234567890123456789":
        why = "it is among the first that somebody would try"
    if why:
        remedy = "use a few random words, or let a password manager make it"
        raise Refusal([Problem(code="access.password", where=name, why=why, remedy=remedy)])


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AccessBook)


def write_book(book: AccessBook) -> bytes:
    return _encoder.encode(book)


def read_book(text: bytes) -> AccessBook:
    """Raises `msgspec.DecodeError` for what `write_book` did not write."""
    return _decoder.decode(text)
