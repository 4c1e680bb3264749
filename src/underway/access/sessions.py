"""Who is logged in: sessions and one-time codes, in memory. A new agent asks everybody to log in again."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from underway.access.rights import Right

CODE_LIFE_S = 120.0
IDLE_S = 2 * 3600.0
WHOLE_S = 12 * 3600.0
"""A session ends after two hours without a request, and after twelve at the latest."""
MOST_SESSIONS, MOST_CODES = 500, 20


@dataclass
class Session:
    """One browser. `is_local`: it came by a one-time code from this machine's own command line. `form_key` must come
    with everything that it asks to be done (against forged forms)."""

    name: str
    rights: frozenset[Right]
    is_local: bool
    form_key: str
    began_at: float
    seen_at: float

    def may(self, right: Right) -> bool:
        return right in self.rights

    def is_over(self, now: float) -> bool:
        return now - self.seen_at > IDLE_S or now - self.began_at > WHOLE_S


@dataclass
class Sessions:
    """`make_secret` gives unguessable text. Secrets are kept as digests."""

    make_secret: Callable[[], str] = field(default=lambda: secrets.token_urlsafe(32))
    _open: dict[str, Session] = field(default_factory=dict)
    _codes: dict[str, tuple[float, str]] = field(default_factory=dict)

    def make_code(self, name: str, now: float) -> str:
        """A code that lets `name` in once, within two minutes."""
        self._codes = {key: it for key, it in self._codes.items() if it[0] > now}
        while len(self._codes) >= MOST_CODES:
            del self._codes[min(self._codes, key=lambda key: self._codes[key][0])]
        code = self.make_secret()
        self._codes[_digest(code)] = (now + CODE_LIFE_S, name)
        return code

    def use_code(self, code: str, now: float) -> str:
        """The name it was made for, empty when it is unknown, used or too old. It works once."""
        until, name = self._codes.pop(_digest(code), (0.0, ""))
        return name if now < until else ""

    def begin(self, name: str, rights: frozenset[Right], now: float, *, is_local: bool) -> tuple[str, Session]:
        """Always under a new secret: one that somebody planted in the browser before never becomes a session."""
        self._open = {key: it for key, it in self._open.items() if not it.is_over(now)}
        while len(self._open) >= MOST_SESSIONS:
            del self._open[min(self._open, key=lambda key: self._open[key].seen_at)]
        secret = self.make_secret()
        session = Session(name, rights, is_local, self.make_secret(), now, now)
        self._open[_digest(secret)] = session
        return secret, session

    def find(self, secret: str, now: float) -> Session | None:
        session = self._open.get(_digest(secret)) if secret else None
        if session is None or session.is_over(now):
            return None
        session.seen_at = now
        return session

    def is_open(self, session: Session, now: float) -> bool:
        """Whether the session goes on, without counting as a request."""
        return not session.is_over(now) and any(it is session for it in self._open.values())

    def end(self, secret: str) -> None:
        self._open.pop(_digest(secret), None)

    def end_all_of(self, name: str) -> None:
        """After a change of the account. Sessions of the machine's own user stay."""
        self._open = {key: it for key, it in self._open.items() if it.is_local or it.name != name}

    def count(self, now: float) -> int:
        return sum(not it.is_over(now) for it in self._open.values())


def is_key_of(session: Session, key: str) -> bool:
    return hmac.compare_digest(session.form_key.encode(), key.encode())


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
