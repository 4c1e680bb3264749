"""A small client of the agent's API over its unix socket, and the starting of an agent that does not run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from underway.agent.views import Refused
from underway.cli.wire import Wire
from underway.terms.home import Home
from underway.terms.outcome import Outcome
from underway.terms.problem import Failure, Problem, Refusal
from underway.terms.release import APP_NAME
from underway.wiring.home import find_home, make_home

_T = TypeVar("_T")
START_TIMEOUT_S = 20.0


class AgentGone(Exception):
    """The agent ended in the middle of an answer. What it had begun is taken up by the next one."""


class Client:
    """Talks to the agent of one home."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def get(self, path: str, kind: type[_T], **query: object) -> _T:
        return msgspec.json.decode(self._ask("GET", _with(path, query)), type=kind)

    def text(self, path: str, accepted: int = 200) -> bytes:
        """An answer as it is; `accepted` is a status that is an answer as well."""
        return self._ask("GET", path, accepted=accepted)

    def post(self, path: str, kind: type[_T], body: object = None, timeout_s: float = 120.0) -> _T:
        text = msgspec.json.encode(body) if body is not None else b""
        return msgspec.json.decode(self._ask("POST", path, text, timeout_s) or b"null", type=kind)

    def lines(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """JSON lines as they come. Raises `AgentGone` when the agent ends before the answer does."""
        try:
            with Wire(self.home.agent_socket, None) as wire:
                status = wire.ask("GET", _with(path, query))
                if status >= 400:
                    raise _told(status, wire.read())
                for line in wire.lines():
                    yield msgspec.json.decode(line)
        except OSError as error:
            raise AgentGone from error
        if query.get("follow"):
            raise AgentGone

    def is_up(self) -> bool:
        """True when an agent answers: a socket alone may be that of one that is just ending."""
        try:
            with Wire(self.home.agent_socket, 5.0) as wire:
                return wire.ask("GET", "/v1/alive") == 200
        except OSError:
            return False

    def _ask(self, method: str, path: str, body: bytes = b"", timeout_s: float = 120.0, accepted: int = 200) -> bytes:
        try:
            with Wire(self.home.agent_socket, timeout_s) as wire:
                status, text = wire.ask(method, path, body), wire.read()
        except OSError as error:
            raise AgentGone from error
        if status >= 400 and status != accepted:
            raise _told(status, text)
        return text


def connect(environ: Mapping[str, str] = os.environ, *, is_starting: bool = True) -> Client:
    """A client of this home's agent, which is started when it does not run.

    Raises `Refusal` (`home.unwritable`, `home.port`, `agent.down`) or `Failure` (`agent.start`).
    """
    home = find_home(environ)
    client = Client(home)
    if client.is_up():
        return client
    if not is_starting:
        raise Refusal([_down(home)])
    make_home(home)
    _start(client, environ)
    return client


def _start(client: Client, environ: Mapping[str, str]) -> None:
    home = client.home
    log = os.open(home.agent_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        began_at = os.fstat(log).st_size
        process: subprocess.Popen[bytes] | None = None
        deadline = time.monotonic() + START_TIMEOUT_S
        while not client.is_up():
            if (process is None or process.poll() is not None) and not _is_held(home):
                if process is not None:
                    _require_that_another_ran(home, process.returncode, began_at)
                process = _spawn(home, environ, log)
            if time.monotonic() > deadline:
                raise Failure(_no_start(home, f"it did not answer within {START_TIMEOUT_S:g} s"), _tail(home, began_at))
            time.sleep(0.02)
    finally:
        os.close(log)


def _spawn(home: Home, environ: Mapping[str, str], log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "underway", "agent", "run", "--json"],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        env={**environ, "UNDERWAY_AGENT": home.id, "UNDERWAY_HOME": str(home.root)},
        start_new_session=True,
    )


def _require_that_another_ran(home: Home, exit_code: int, began_at: int) -> None:
    """An agent that ended because a former one was not gone yet is started again. Any other end is told: what it
    refused as a `Refusal`, else with the last lines of its log."""
    refused: tuple[Problem, ...] = ()
    for line in _tail(home, began_at):
        if line.startswith('{"problems":'):
            with contextlib.suppress(msgspec.DecodeError):
                refused = msgspec.json.decode(line, type=Refused).problems
    if exit_code == Outcome.REFUSED.exit_code and refused:
        if all(problem.code == "agent.running" for problem in refused):
            return
        raise Refusal(refused)
    raise Failure(_no_start(home, f"it ended with exit code {exit_code}"), _tail(home, began_at))


def _is_held(home: Home) -> bool:
    """True while another agent of this home holds the lock (it is about to answer)."""
    import fcntl

    try:
        descriptor = os.open(home.agent_lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _tail(home: Home, began_at: int) -> list[str]:
    with home.agent_log.open("rb") as stream:
        stream.seek(began_at)
        return stream.read(64_000).decode(errors="replace").splitlines()[-15:]


def of_app(app: str, rest: str = "") -> str:
    """The API's path of an app. Raises `Refusal` (`app.unknown`) for what cannot be an app's name."""
    if APP_NAME.fullmatch(app):
        return f"/v1/apps/{app}{rest}"
    why = f"there is no app {app[:60]!r} in this home, and there can be none: an app's name is a host name"
    remedy = "see which apps there are"
    raise Refusal([Problem(code="app.unknown", where=app[:60], why=why, remedy=remedy, command="underway status")])


def _with(path: str, query: Mapping[str, object]) -> str:
    words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items() if value}
    return f"{path}?{urlencode(words)}" if words else path


def _told(status: int, text: bytes) -> Refusal | Failure:
    """What the agent says of a request that it did not do: a refusal, or a fault of its own (5xx)."""
    refusal = _refusal(text)
    return Failure(refusal.problems[0]) if status >= 500 else refusal


def _refusal(text: bytes) -> Refusal:
    try:
        return Refusal(msgspec.json.decode(text, type=Refused).problems)
    except msgspec.DecodeError:
        return Refusal(
            [
                Problem(
                    code="agent.answer",
                    where="the agent's API",
                    why=f"it answered something unexpected: {text[:200].decode(errors='replace')!r}",
                    remedy="the agent may be of another version: stop it, and it is started again by the next command",
                    command="underway agent stop",
                )
            ]
        )


def _down(home: Home) -> Problem:
    return Problem(
        code="agent.down",
        where=str(home.root),
        why="the agent of this home does not run",
        remedy="start it",
        command="underway agent start",
    )


def _no_start(home: Home, why: str) -> Problem:
    return Problem(
        code="agent.start",
        where=str(home.root),
        why=f"the agent did not start: {why}",
        remedy="read its log",
        command=f"tail {home.agent_log}",
    )
