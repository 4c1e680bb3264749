"""The router on Caddy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec

from underway.drivers import proc
from underway.drivers.router import files, keeper, sockets
from underway.drivers.router.checked import require_sound
from underway.drivers.router.config import (
    GRACE_PERIOD_S,
    HTTP_FDS,
    HTTPS_FDS,
    needs_https,
    proxy_config,
    serves_https,
    side_of,
)
from underway.drivers.router.share import share_text, share_value
from underway.drivers.router.sockets import Entrance
from underway.drivers.router.static import Json
from underway.drivers.unix_http import request
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.release import Slot
from underway.terms.route import AppRoute, SlotTarget

_READY_S = 15.0
_POLL_S = 0.01
_ADMIN_RETRY_S = 5.0
_CLOSING_AT_MOST_S = 1.0
"""How long connections get to come by and be told to close before a reload."""
_SETTLED_AT_MOST_S = 0.2
"""How long new connections may have to wait for the next configuration: as long as a request is on its way."""
_CLOSING_AFTER_S = 0.1
"""The old server is shut down by a goroutine that may start after the load was answered."""
_KILL_WAIT_S = 5.0
_FOREVER_S = 1e8
_LOG = logging.getLogger(__name__)


class CaddyRouter:
    """One Caddy per home, kept alive by a small shell loop; see docs/decisions/001-router.md.

    `address` is where to listen (empty: every address of the machine), `caddy` the program (empty: looked for),
    `environ` the environment that PATH and the certificate settings are taken from.
    """

    def __init__(
        self, home: Home, *, address: str = "", caddy: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self._home = home
        self._address = address
        self._caddy = caddy
        self._environ = os.environ if environ is None else environ
        self._turn = asyncio.Lock()
        self._http: Entrance | None = None
        self._https: Entrance | None = None
        self._side = 0
        self._keeper: keeper.Keeper | None = None
        self._watch: asyncio.Task[None] | None = None
        self._routes: tuple[AppRoute, ...] = ()

    @property
    def pid(self) -> int:
        """Caddy's pid, 0 when it does not run."""
        return sockets.listener_of(self._admin)

    async def start(self) -> None:
        async with self._turn:
            if self._watch is not None and keeper.remembered(self._home) == self._keeper and self.pid:
                return
            self._prepare_folders()
            self._routes = self._remembered_routes()
            if not await self._adopt():
                await self._end_processes()
                await self._launch()
            if self._watch is None or self._watch.done():
                self._watch = asyncio.create_task(self._keep_kept(), name="watch the proxy's keeper")

    async def stop(self) -> None:
        """End the proxy: connections get `GRACE_PERIOD_S` to finish. Stopping none is fine."""
        await self.detach()
        async with self._turn:
            await self._end_processes()
            self._close_sockets()

    async def detach(self) -> None:
        """Stop watching and leave the proxy running: what an agent does when it ends."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        self._close_sockets()

    async def configure(self, routes: Sequence[AppRoute]) -> bool:
        require_sound(routes)
        async with self._turn:
            for route in routes:
                files.lay_out(self._home, route.app)
            running = await self._running_config()
            self._side = side_of(running)
            is_same = running == proxy_config(self._home, routes, self._side)
            if not is_same:
                await self._load(routes, serves_https=serves_https(running))
            self._remember(routes)
            return not is_same

    def set_share(self, app: str, share_of_b: float) -> None:
        text = share_text(share_of_b)
        files.lay_out(self._home, app)
        files.replace_text(files.share_file(self._home, app), text)

    def share_of_b(self, app: str) -> float | None:
        text = files.read_text(files.share_file(self._home, app))
        try:
            return share_value(text)
        except ValueError:
            return None

    def set_target(self, app: str, slot: Slot, target: SlotTarget | None) -> None:
        files.lay_out(self._home, app)
        files.replace_link(files.static_link(self._home, app, slot), target.static_dir if target else "")
        files.replace_text(files.release_file(self._home, app, slot), target.release if target else "")

    def set_candidate(self, app: str, slot: Slot | None) -> None:
        files.lay_out(self._home, app)
        files.replace_text(files.candidate_file(self._home, app), slot.value if slot else "")

    def set_maintenance(self, app: str, is_on: bool) -> None:
        files.lay_out(self._home, app)
        files.replace_text(files.maintenance_file(self._home, app), files.ON if is_on else files.OFF)

    async def in_flight(self, app: str, slot: Slot) -> int:
        ports = {
            f"127.0.0.1:{port}"
            for route in self._routes
            if route.app == app
            for each in route.slots
            if each.slot is slot
            for port in each.ports
        }
        if not ports:  # no route leads there; the proxy may not even have been started
            return 0
        status, body = await self._ask("GET", "/reverse_proxy/upstreams")
        if status != 200:
            raise _failure("proxy.admin", str(self._admin), f"it answered {status}: {_said(body)}")
        upstreams = msgspec.json.decode(body, type=list[_Upstream])
        return sum(upstream.num_requests for upstream in upstreams if upstream.address in ports)

    @property
    def _admin(self) -> Path:
        return files.admin_socket(self._home)

    @property
    def _config_file(self) -> Path:
        return self._home.proxy / "config.json"

    @property
    def _routes_file(self) -> Path:
        return self._home.proxy / "loaded-routes.json"

    def _prepare_folders(self) -> None:
        for folder in (self._home.run, self._home.proxy):
            files.private_dir(folder)
        status = self._home.run.stat(follow_symlinks=False)
        if status.st_uid != os.geteuid() or status.st_mode & 0o066:  # accounts of ours may pass, not look
            why = "the folder of our sockets belongs to another user or is open to others"
            raise _failure("proxy.start", str(self._home.run), why, command=f"ls -ld {self._home.run}")
        if set("{}\n|") & set(f"{self._home.root}{self._home.run}"):
            raise _failure("proxy.start", str(self._home.root), "a home's path may not hold braces, bars or newlines")
        files.replace_text(files.closing_file(self._home), files.OFF)

    async def _adopt(self) -> bool:
        """Take over a proxy that runs on the right ports; False when there is none."""
        found = keeper.remembered(self._home)
        if found is not None and found.http_port != self._home.http_port:
            return False
        if found is None and not self.pid:
            return False
        try:
            await self._wait_ready(_ADMIN_RETRY_S)
            running, pid = await self._running_config(), self.pid
        except (OSError, TimeoutError, Failure):  # it hangs
            return False
        self._close_sockets()
        self._http = sockets.copies(pid, HTTP_FDS, self._home.http_port)
        self._https = sockets.copies(pid, HTTPS_FDS, self._home.https_port)
        self._keeper = found
        if found is None and self._http is None:
            return False
        self._side = side_of(running)
        for entrance in self._open_entrances():
            entrance.lead_to(self._side)  # the former agent may have ended in the middle of a reload
        return True

    async def _launch(self) -> None:
        home = self._home
        caddy = self._caddy or keeper.find_caddy(self._environ.get("PATH", os.defpath))
        if self._http is None:
            self._side = 0
        self._http = sockets.open_entrance(self._address, home.http_port, "UNDERWAY_HTTP_PORT", self._side, self._http)
        if needs_https(self._routes):
            self._open_https()
        elif self._https is None:
            with contextlib.suppress(OSError):  # it matters only when a route needs it, and is told then
                self._https = sockets.reserve(self._address, home.https_port)
        for route in self._routes:
            files.lay_out(home, route.app)
        self._remember(self._routes)
        self._keeper = keeper.launch(home, caddy, self._config_file, self._http, self._https, self._environ)
        try:
            await self._wait_ready(_READY_S)
        except (OSError, TimeoutError) as error:
            tail = files.read_text(keeper.start_log(home)).splitlines()[-20:]
            await self._end_processes()
            self._close_sockets()
            why = f"Caddy did not come up within {_READY_S:.0f} s"
            raise _failure("proxy.start", str(self._config_file), why, tail=tail) from error

    async def _load(self, routes: Sequence[AppRoute], *, serves_https: bool) -> None:
        if needs_https(routes) and not serves_https:
            is_inherited = self._keeper is not None and self._keeper.https_port and self._https is not None
            self._open_https()
            if not is_inherited:  # the port was taken, or forbidden, when the proxy started
                await self._end_processes()
                await self._launch()
        async with self._closing() as left:
            side = self._side
            if self._http is not None:
                side = (side + 1) % sockets.SIDES
                await self._lead_to(side, left)
            try:
                text = msgspec.json.encode(proxy_config(self._home, routes, side))
                status, body = await self._ask("POST", "/load", text)
                if status != 200:
                    why = f"Caddy refused the configuration: {_said(body)}"
                    raise _failure("proxy.configure", str(self._config_file), why)
            except BaseException:
                for entrance in self._open_entrances():
                    entrance.lead_to(self._side)
                raise
            self._side = side

    def _open_https(self) -> None:
        home = self._home
        self._https = sockets.open_entrance(
            self._address, home.https_port, "UNDERWAY_HTTPS_PORT", self._side, self._https
        )

    def _open_entrances(self) -> list[Entrance]:
        return [each for each in (self._http, self._https) if each is not None and each.is_open]

    async def _lead_to(self, side: int, idle: frozenset[bytes]) -> None:
        """Let new connections wait for the next configuration, and those before them be served by this one.

        A server that shuts down closes, without an answer, what it has accepted but not yet read.
        """
        for entrance in self._open_entrances():
            entrance.lead_to(side)
        await self._wait_gone(self._connections() - idle, _SETTLED_AT_MOST_S)

    @contextlib.asynccontextmanager
    async def _closing(self) -> AsyncIterator[frozenset[bytes]]:
        """Close kept-alive connections with their next answer, so that a reload finds none to cut.

        A reload closes idle connections at once, and a client that was just sending its next request down one sees
        it fail. Within this context every answer says `Connection: close`. It begins when the connections that
        were open have come by, or a second has passed: it yields what is left, idle or slow for all of it.
        """
        flag = files.closing_file(self._home)
        files.replace_text(flag, files.ON)
        try:
            before = self._connections()
            yield await self._wait_gone(before, _CLOSING_AT_MOST_S)
            await asyncio.sleep(_CLOSING_AFTER_S)
        finally:
            files.replace_text(flag, files.OFF)

    def _connections(self) -> frozenset[bytes]:
        return sockets.connections(self._home.http_port, self._home.https_port)

    async def _wait_gone(self, connections: frozenset[bytes], timeout_s: float) -> frozenset[bytes]:
        """Wait until `connections` are closed; return those that are not after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while (left := connections & self._connections()) and time.monotonic() < deadline:  # noqa: ASYNC110 - below
            await asyncio.sleep(_POLL_S)  # the kernel tells nobody when a connection of another process closes
        return left

    async def _running_config(self) -> Json | None:
        status, body = await self._ask("GET", "/config/")
        if status != 200:
            raise _failure("proxy.admin", str(self._admin), f"it answered {status}: {_said(body)}")
        return msgspec.json.decode(body, type=Json | None)

    async def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Ask the admin endpoint; a proxy that is just coming back is waited for."""
        deadline = time.monotonic() + _ADMIN_RETRY_S
        while True:
            try:
                return await request(self._admin, method, path, body, timeout_s=_READY_S)
            except (OSError, TimeoutError) as error:
                if time.monotonic() > deadline:
                    raise _failure("proxy.admin", str(self._admin), f"the proxy does not answer: {error}") from error
            await asyncio.sleep(_POLL_S)

    async def _wait_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                status, _ = await request(self._admin, "GET", "/config/admin/listen", timeout_s=timeout_s)
                if status == 200:
                    return
            except OSError:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_POLL_S)

    async def _keep_kept(self) -> None:
        """Start a new keeper when the old one was killed. Caddy itself goes on meanwhile."""
        while True:
            if self._keeper is not None:
                await keeper.ended_within(self._keeper.identity, _FOREVER_S)
            caddy = keeper.identity_of(self.pid)
            if caddy is not None:
                await keeper.ended_within(caddy, _FOREVER_S)
            async with self._turn:
                if keeper.remembered(self._home) is not None or self.pid:  # started by another call meanwhile
                    continue
                _LOG.warning("the proxy and its keeper ended; starting them again")
                try:
                    await self._launch()
                except (Failure, OSError) as error:
                    _LOG.error("the proxy does not start: %s", error)
                    self._keeper = None
            await asyncio.sleep(_POLL_S if self._keeper is not None else 1.0)

    async def _end_processes(self) -> None:
        found, caddy = keeper.remembered(self._home), keeper.identity_of(self.pid)
        processes = [each for each in (found.identity if found else None, caddy) if each is not None]
        for process in processes:  # the keeper first, or it would start another Caddy
            proc.send(process, signal.SIGTERM)
        await proc.wait_ended(processes, GRACE_PERIOD_S + 1)
        for process in processes:
            proc.send(process, signal.SIGKILL)
            await keeper.ended_within(process, _KILL_WAIT_S)
        keeper.state_file(self._home).unlink(missing_ok=True)
        self._keeper = None

    def _close_sockets(self) -> None:
        for each in (self._http, self._https):
            if each is not None:
                each.close()
        self._http = self._https = None

    def _remember(self, routes: Sequence[AppRoute]) -> None:
        """Keep what is loaded: Caddy starts again from it, and so does the next agent."""
        self._routes = tuple(routes)
        config = proxy_config(self._home, routes, self._side)
        for path, content in ((self._config_file, config), (self._routes_file, self._routes)):
            text = msgspec.json.encode(content).decode()
            if files.read_text(path) != text:
                files.replace_text(path, text)

    def _remembered_routes(self) -> tuple[AppRoute, ...]:
        try:
            return msgspec.json.decode(self._routes_file.read_bytes(), type=tuple[AppRoute, ...])
        except (OSError, msgspec.DecodeError):
            return ()


class _Upstream(msgspec.Struct):
    address: str
    num_requests: int = 0


def _said(body: bytes) -> str:
    return body[:500].decode(errors="replace").strip()


def _failure(code: str, where: str, why: str, *, command: str = "", tail: Sequence[str] = ()) -> Failure:
    last = f": {tail[-1][:300]}" if tail else ""
    remedy = "read the proxy's log and mend what it names, then start the agent again"
    return Failure(
        Problem(code=code, where=where, why=why + last, remedy=remedy, command=command or "underway agent start"), tail
    )
