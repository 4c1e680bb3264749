"""Accounts, tokens and log-ins of a home: kept in one private file, every change in the journal."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

import msgspec

from underway.access import password as passwords
from underway.access.book import (
    TOKEN,
    AccessBook,
    Account,
    Token,
    digest_of,
    read_book,
    require_name,
    require_password,
    write_book,
)
from underway.access.rights import Right, Role, Scope, rights_of
from underway.access.sessions import Session, Sessions
from underway.access.throttle import FREE_TRIES, Throttle
from underway.journal.events.people import AccessChanged, LoggedIn, LogInRefused
from underway.journal.journal import Journal
from underway.ports.drivers import Drivers
from underway.terms.problem import Problem, Refusal

_NAME = "access"
LONGEST_TOKEN_S = 366 * 86_400.0
ISSUER = "Underway"


class Access:
    """One per agent. The book is read when it is first asked for."""

    def __init__(self, on: Drivers, journal: Journal) -> None:
        self._on = on
        self._journal = journal
        self._book: AccessBook | None = None
        self.sessions = Sessions()
        self.tell_refused: Callable[[str, str], None] = lambda what, address: None
        """Hears what was refused (a log-in, a code, a token), and where it came from."""
        self._throttle = Throttle()
        self._hashing = asyncio.Semaphore(1)
        """One password at a time: many log-ins at once can take neither the machine's memory nor its cores."""

    @property
    def book(self) -> AccessBook:
        """Raises `Refusal` (`access.unreadable`): who may get in is not guessed."""
        if self._book is None:
            text = self._on.snapshots.load("", _NAME)
            try:
                self._book = read_book(text) if text is not None else AccessBook()
            except msgspec.DecodeError as error:
                raise Refusal([_unreadable(error)]) from error
        return self._book

    def write(self) -> None:
        self._on.snapshots.save("", _NAME, write_book(self.book))

    async def make_account(self, name: str, role: Role, password: str, by: str) -> str:
        """A new account, or a closed one anew. Returns the address for the authenticator app, which is shown once.

        Raises `Refusal` (`access.name`, `access.password`, `access.taken`).
        """
        require_name(name)
        require_password(password, name)
        if self.book.open_account(name):
            raise Refusal([_taken(name)])
        totp = passwords.new_totp()
        kept = await self._hashed(password)
        self.book.accounts[name] = Account(name=name, role=role, password=kept, totp=totp, made_at=self._on.clock.now())
        self._changed("account", "added", name, by, role.value)
        return passwords.totp_uri(totp, name, ISSUER)

    async def set_password(self, name: str, password: str, by: str) -> None:
        account = self._account(name)
        require_password(password, name)
        account.password = await self._hashed(password)
        self._changed("account", "password", name, by)

    def set_role(self, name: str, role: Role, by: str) -> None:
        self._account(name).role = role
        self._changed("account", "role", name, by, role.value)

    def renew_second_factor(self, name: str, by: str) -> str:
        account = self._account(name)
        account.totp, account.totp_step = passwords.new_totp(), 0
        self._changed("account", "second factor", name, by)
        return passwords.totp_uri(account.totp, name, ISSUER)

    def close_account(self, name: str, by: str) -> None:
        self._account(name).is_closed = True
        self._changed("account", "closed", name, by)

    def make_token(self, name: str, scopes: tuple[Scope, ...], life_s: float, by: str) -> str:
        """The token's text, which is shown once. Raises `Refusal` (`access.name`, `access.token`)."""
        require_name(name)
        if not scopes or not 0 < life_s <= LONGEST_TOKEN_S:
            raise Refusal([_bad_token(name)])
        now = self._on.clock.now()
        key, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        self.book.tokens = {it.id: it for it in self.book.tokens.values() if it.ends_at > now}
        self.book.tokens[key] = Token(
            id=key,
            name=name,
            scopes=scopes,
            digest=digest_of(secret),
            made_at=now,
            ends_at=now + life_s,
            made_by=by,
        )
        self._changed("token", "made", name, by, f"{key}: {', '.join(it.value for it in scopes)}")
        return f"uwt_{key}_{secret}"

    def revoke_token(self, key: str, by: str) -> None:
        token = self.book.tokens.pop(key, None)
        if token is None:
            raise Refusal([_unknown("token", key)])
        self._changed("token", "revoked", token.name, by, key)

    def token(self, text: str) -> Token | None:
        return self.book.token(text, self._on.clock.now()) if TOKEN.fullmatch(text) else None

    def now(self) -> float:
        return self._on.clock.now()

    def require_somebody(self, host: str) -> None:
        """Raises `Refusal` (`access.nobody`) for an exposed dashboard that nobody could log in to."""
        if host and not any(not it.is_closed for it in self.book.accounts.values()):
            raise Refusal([_nobody(host)])

    def expose(self, host: str, tls: str, by: str) -> None:
        """The dashboard answers under `host` from now on; empty: on loopback alone."""
        if not host:
            host_was, self.book.host = self.book.host, ""
            self._changed("dashboard", "hidden", "dashboard", by, host_was)
            return
        self.book.host, self.book.tls = host, tls
        self._changed("dashboard", "exposed", "dashboard", by, host)

    def enter_by_code(self, code: str) -> tuple[str, Session] | None:
        """A session for who got a code from this machine's command line, which may do everything here anyway."""
        now = self._on.clock.now()
        name = self.sessions.use_code(code, now)
        if not name:
            self.tell_refused("code", "loopback")
            return None
        self._journal.record(LoggedIn(app="", name=name, how="code", address="loopback"))
        return self.sessions.begin(name, frozenset(Right), now, is_local=True)

    async def enter(self, name: str, password: str, totp: str, address: str) -> tuple[str, Session]:
        """A session for an account. Raises `Refusal` (`access.refused`, which does not say what was wrong;
        `access.slower`)."""
        keys = (f"account {name[:60]}", f"address {address}")
        wait_s = max(self._throttle.wait_s(key, self._on.clock.now()) for key in keys)
        if wait_s:
            self.tell_refused("log-in held up", address)
            raise Refusal([_slower(wait_s)])
        for key in keys:  # counted before the slow hash: many at once are many tries
            self._throttle.note_wrong(key, self._on.clock.now())
        account = self.book.open_account(name)
        async with self._hashing:
            kept = account.password if account else await asyncio.to_thread(passwords.nobodys_hash)
            is_right = await asyncio.to_thread(passwords.is_password, kept, password[:1000])
        now = self._on.clock.now()
        step = passwords.totp_step(account.totp, totp[:20], now, account.totp_step) if account else 0
        if account is None or account.is_closed or not is_right or not step:
            self.tell_refused("log-in", address)
            self._note_refused(account.name if account else "", keys, address)
            raise Refusal([_refused()])
        account.totp_step = step
        self.write()
        for key in keys:
            self._throttle.forget(key)
        self._journal.record(LoggedIn(app="", name=name, how="password", address=address))
        return self.sessions.begin(name, rights_of(account.role), now, is_local=False)

    def _note_refused(self, name: str, keys: tuple[str, ...], address: str) -> None:
        """Into the journal when the tries begin to be held up, and at each doubling after: guessing fills no disk."""
        now = self._on.clock.now()
        wait_s = max(self._throttle.wait_s(key, now) for key in keys)
        if wait_s:
            self._journal.record(
                LogInRefused(app="", name=name, address=address, tries=FREE_TRIES, wait_s=round(wait_s, 1))
            )

    async def _hashed(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(passwords.hashed, password)

    def _account(self, name: str) -> Account:
        account = self.book.open_account(name)
        if account is None:
            raise Refusal([_unknown("account", name)])
        return account

    def _changed(self, what: str, how: str, name: str, by: str, says: str = "") -> None:
        self.write()
        if what == "account":
            self.sessions.end_all_of(name)
        self._journal.record(AccessChanged(app="", what=what, how=how, name=name, by=by, says=says))


def _unknown(what: str, name: str) -> Problem:
    return Problem(
        code="access.unknown",
        where=name[:60],
        why=f"there is no {what} {name[:60]!r}",
        remedy="see which there are",
        command="underway access show",
    )


def _taken(name: str) -> Problem:
    return Problem(
        code="access.taken",
        where=name,
        why=f"there is an account {name} already",
        remedy="change its role or password, or close it first",
        command=f"underway access role {name} --role deployer",
    )


def _nobody(host: str) -> Problem:
    return Problem(
        code="access.nobody",
        where=host,
        why="there is no account yet, so nobody could log in from outside",
        remedy="make one first",
        command="underway access add NAME --role admin",
    )


def _bad_token(name: str) -> Problem:
    return Problem(
        code="access.token",
        where=name[:60],
        why="a token has at least one scope, and ends within a year",
        remedy="name scopes and a time",
        command="underway access token ci --scope deploy --days 90",
    )


def _refused() -> Problem:
    return Problem(
        code="access.refused",
        where="the log-in",
        why="name, password and code do not belong together, or the code was used already",
        remedy="try again with the next code of the authenticator app",
    )


def _slower(wait_s: float) -> Problem:
    return Problem(
        code="access.slower",
        where="the log-in",
        why="there were too many wrong tries",
        remedy=f"try again in {wait_s:.0f} s" if wait_s >= 1 else "try again in a second",
    )


def _unreadable(error: Exception) -> Problem:
    return Problem(
        code="access.unreadable",
        where="counts/access.json in the home",
        why=f"the file of accounts and tokens is damaged: {str(error)[:200]}",
        remedy="put it back from a copy, or remove it: then there are no accounts and no tokens",
    )
