"""What a Node server needs besides its packages: its variables, PostgreSQL, Redis, and what Underway cannot give."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from types import MappingProxyType

from underway.detect.draft import Draft
from underway.detect.env_names import PUBLIC_SECRETS, is_secret_like, is_third_party, postgres_part, redis_part
from underway.detect.foreign import foreign_databases
from underway.detect.hosted_postgres import hosted_postgres
from underway.detect.index import Index
from underway.detect.model import Evidence, Notes
from underway.detect.needs import give
from underway.detect.node import NodeProject
from underway.detect.node_database import prisma_file, prisma_variable
from underway.detect.node_env import node_env_reads
from underway.detect.services import has_redis_password, image_name
from underway.detect.starts import Starts
from underway.detect.variables import Given, Variable, gather, places
from underway.manifest.build import LISTEN_MODULE
from underway.manifest.env_keys import EnvVar
from underway.manifest.services import Postgres, Redis

_POSTGRES = (
    "pg", "postgres", "pg-promise", "@prisma/client", "@neondatabase/serverless", "@mikro-orm/postgresql",
    "@vercel/postgres", "slonik", "@databases/pg", "pg-native",
)  # fmt: skip
_REDIS = (
    "redis",
    "ioredis",
    "bullmq",
    "bull",
    "connect-redis",
    "bee-queue",
    "@fastify/redis",
    "@socket.io/redis-adapter",
)
_POSTGRES_PORT, _REDIS_PORT = "UNDERWAY_POSTGRES_PORT", "UNDERWAY_REDIS_PORT"
"""Where the listen module takes connections to the usual ports of this machine (drivers/builds/listen.cjs)."""


def fill_needs(
    index: Index, paths: list[str], project: NodeProject, starts: Starts, draft: Draft, notes: Notes
) -> None:
    """Fill the services and the environment of `draft`."""
    reads = node_env_reads(index, paths)
    variables = gather(index, reads)
    draft.reads += places(variables)
    ports = re.findall(r"\b(\w+)=\$PORT", draft.processes["web"].command)
    required_ports = [one for name in ports if (one := variables.get(name)) is not None and one.is_required]
    for ignored in ("NODE_ENV", "HOST", "HOSTNAME", *ports):
        variables.pop(ignored, None)
    for one in required_ports:  # the web process has its own before its command; what else loads the settings, this
        draft.env[one.name] = EnvVar(value=one.example or "3000")
    sources = [path for path in paths if not _ASIDE.search(path)]
    is_hosted = hosted_postgres(index, sources, variables, draft.env, notes)
    driver = "" if is_hosted else next((d for d in _POSTGRES if project.has(d)), "")
    prisma = prisma_variable(index)
    prisma_file(index, project, draft, variables, notes)
    is_bare = bool(driver) and any(_BARE.search(index.text(p)) for p in sources)
    is_named = any(postgres_part(n) for n in variables) or prisma != "" or is_bare
    written = _written_postgres(index, sources) if driver and not is_named else None
    has_image = any(image_name(i) in ("postgres", "postgis", "pgvector") for i, _ in starts.images)
    with_postgres = bool(driver) and written is None and (is_named or has_image)
    client = next((c for c in _REDIS if project.has(c)), "")
    told = bool(client) and any(redis_part(n) for n in variables)
    usual = _usual_redis(index, sources) if client and not told else None
    words = [w for w in ("pg", "postgres", "postgresql") if any(_chooses(index.text(p), w) for p in paths)]
    given = give(index, variables, notes, with_postgres=with_postgres, with_redis=told, choices=words)
    _examples(variables, given, notes)
    draft.env.update(given.env)
    clients = {*project.dependencies, *project.dev}
    foreign_databases(index, paths, clients, variables, draft.env, notes, is_node=True, has_own=with_postgres)
    if written is not None:
        _say_written(written, notes)
    if with_postgres:
        names = dict(given.postgres)
        if names and not {"database", "url"} & set(names.values()) and "DATABASE_URL" not in variables:
            _written_name(index, sources, notes)
        if prisma and prisma != "DATABASE_URL":
            names[prisma] = "url"
        at = index.line(project.path, f'"{driver}"')
        notes.claim("database", f"PostgreSQL: the app depends on {driver}", at, "services.postgres")
        _over_tls(index, sources, names, draft, notes)
        _without_port(index, sources, project, variables, names, draft, notes)
        draft.postgres = Postgres(env=MappingProxyType(names))
    if told or usual is not None:
        at = index.line(project.path, f'"{client}"')
        if usual is not None and _is_loaded(draft):
            given.redis[_REDIS_PORT] = "port"
            says = f"it connects to port 6379 of this machine: {LISTEN_MODULE} takes it to the app's own Redis"
            notes.claim("redis", says, usual, "services.redis.password")
        elif usual is not None:
            return
        has_password = usual is None and has_redis_password(variables, given.redis, notes)
        draft.redis = Redis(env=MappingProxyType(given.redis), has_password=has_password)
        notes.claim("redis", f"Redis: the app depends on {client}", at, "services.redis")


_ASIDE = re.compile(
    r"(^|/)(tests?|__tests__|e2e|examples?|docs|seeds?|scripts?)/|\.(test|spec)\.|(^|/)\w*(seed|fixture)\w*\."
)
_BARE = re.compile(r"\bnew\s+(?:\w+\.)?(?:Pool|Client)\(\s*(?:\{\s*\}\s*)?\)(?=[\s;,.)]|$)")
"""A pool of node-postgres that is told nothing: it reads the standard variables."""


def _is_loaded(draft: Draft) -> bool:
    """True where Node starts the server with the listen module: bun connects in ways of its own."""
    web = draft.processes.get("web")
    return web is not None and LISTEN_MODULE in web.command and "BUN_OPTIONS" not in web.command


_ADDRESS = re.compile(
    r"""(?<![|?])(?<![|?]\s)['"`](postgres(?:ql)?://[\w.-]{1,60}:[^@\s'"`$]{0,60}@([\w.-]{1,80})(?::\d+)?/[\w-]{1,60})"""
)
_SPEAKS = re.compile(
    r"""\bPool\(|\bClient\(|['"]postgres(?:ql)?['"]|['"]pg['"]|@mikro-orm/postgresql|\bpgp\(|\bpostgres\(|\bslonik\b"""
)
_HOST = re.compile(r"""\bhost['"]?\s*:\s*['"`]([\w.-]{1,80})['"`]""")
_USER = re.compile(r"""\b(?:user|username)['"]?\s*:\s*['"`][\w.@-]{1,60}['"`]""")
_NAME = re.compile(r"""\b(?:database|dbName)['"]?\s*:\s*['"`]([\w.-]{1,60})['"`]""")
_SEQUELIZE = re.compile(
    r"""new\s+(?:\w+\.)?Sequelize\(\s*['"`][\w.-]{1,60}['"`]\s*,\s*['"`][\w.-]{1,60}['"`]\s*,\s*['"`][^'"`\n]{0,60}['"`]"""
)
_FIXED = re.compile(r"\bport\s*:\s*['\"]?5432\b")
_COMMENTED = re.compile(r"^[ \t]*(?://|\*|/\*)")


def _written_postgres(index: Index, sources: list[str]) -> tuple[str, Evidence] | None:
    """Host and place of a PostgreSQL whose address, user and name the sources hold, so that no variable reaches it."""
    for path in sources:
        text = index.text(path)
        if not _SPEAKS.search(text) and not _ADDRESS.search(text):
            continue
        for found in (*_ADDRESS.finditer(text), *_SEQUELIZE.finditer(text), *_HOST.finditer(text)):
            line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
            if _COMMENTED.match(line) or "process.env" in line:
                continue
            at = Evidence.at(path, text, found.start())
            if found.re is _ADDRESS:
                return found[2], at
            around = text[max(0, found.start() - 300) : found.end() + 300]
            if found.re is _SEQUELIZE:
                host = _HOST.search(around)
                if re.search(r"""['"]postgres""", around):
                    return host[1] if host else "localhost", at
            elif _USER.search(around) and _NAME.search(around):
                return found[1], at
    return None


def _written_name(index: Index, sources: list[str], notes: Notes) -> None:
    """Say so where the app is told who it is and the sources hold the name of the database."""
    for path in sources:
        text = index.text(path)
        if not _SPEAKS.search(text):
            continue
        for found in _NAME.finditer(text):
            around = text[max(0, found.start() - 300) : found.end() + 300]
            if "process.env" in around and not _COMMENTED.match(text[text.rfind("\n", 0, found.start()) + 1 :]):
                notes.problem(
                    "detect.database-fixed",
                    Evidence.at(path, text, found.start()),
                    f"the name of the database, {found[1]}, is written here; the app's database has its own",
                    "read it beside the user: database: process.env.DB_NAME",
                )
                return


_TLS = re.compile(
    r"""\bssl['"]?\s*:\s*([^{};,]{0,200}?)(?:\{\s*['"]?(?:require|rejectUnauthorized)\b|\btrue\b"""
    r"""|['"](?:require|no-verify|verify-ca|verify-full)['"])"""
)
_IN_PRODUCTION = re.compile(r"NODE_ENV|isProd|[pP]roduction")


def _over_tls(index: Index, sources: list[str], names: dict[str, str], draft: Draft, notes: Notes) -> None:
    """An app that demands TLS of its database in production, where the one on this machine speaks none."""
    for path in sources:
        text = index.text(path)
        for found in (
            _TLS.finditer(text) if _SPEAKS.search(text) or "equelize" in text or "connectionString" in text else ()
        ):
            line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
            asks = re.sub(r"process\.env\.NODE_ENV", "NODE_ENV", found[1]).strip()
            if _COMMENTED.match(line) or "process.env" in asks or (asks and not _IN_PRODUCTION.search(asks)):
                continue
            at = Evidence.at(path, text, found.start())
            if _is_loaded(draft):
                names[_POSTGRES_PORT] = "port"
                says = f"it demands TLS of a database that is on this machine: {LISTEN_MODULE} lets it do without"
                notes.claim("database", says, at, "services.postgres")
                return
            notes.problem(
                "detect.database-fixed",
                at,
                "the app demands TLS of its database, and the database beside it on this machine speaks none",
                "let a variable ask for it: ssl: process.env.DB_SSL === 'true' ? { rejectUnauthorized: false } : false",
            )
            return


def _say_written(written: tuple[str, Evidence], notes: Notes) -> None:
    host, at = written
    notes.problem(
        "detect.database-fixed",
        at,
        f"the app connects to PostgreSQL at {host} with the user and the name that are written here; the app's "
        "database has its own",
        "read its address there: process.env.DATABASE_URL; or each part in place of the one written: "
        "process.env.DB_HOST, Number(process.env.DB_PORT), process.env.DB_USER, process.env.DB_PASSWORD, "
        "process.env.DB_NAME",
    )


_REDIS_AT = re.compile(
    r"""['"`]redis://(?:localhost|127\.0\.0\.1)(?::6379)?(?:/\d*)?['"`]|\bcreateClient\(\s*(?:\{\s*\}\s*)?\)"""
    r"""|new\s+(?:IO)?Redis\(\s*\)|\bport\s*:\s*['"]?6379\b|new\s+(?:IO)?Redis\(\s*6379"""
    r"""|new\s+(?:Bull|BullQueue|Queue)\(\s*['"`][^'"`\n]{1,80}['"`]\s*\)"""
)


def _usual_redis(index: Index, sources: list[str]) -> Evidence | None:
    """Where the sources connect to Redis on its usual port of this machine, whatever is set."""
    for path in sources:
        text = index.text(path)
        if re.search(r"redis|bull", text, re.IGNORECASE) and (found := _REDIS_AT.search(text)):
            line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
            if not _COMMENTED.match(line):
                return Evidence.at(path, text, found.start())
    return None


def _without_port(
    index: Index,
    sources: list[str],
    project: NodeProject,
    variables: dict[str, Variable],
    names: dict[str, str],
    draft: Draft,
    notes: Notes,
) -> None:
    """An app that is told the database's host and not its port, with a client that then takes 5432 all the same."""
    host = next((name for name, part in names.items() if part == "host" and name in variables), "")
    is_told = {"port", "url"} & set(names.values()) or "DATABASE_URL" in variables
    if not host or is_told or any("PGPORT" in index.text(p) for p in sources):
        return
    fixed = project.has("sequelize", "@mikro-orm/postgresql") or any(_FIXED.search(index.text(p)) for p in sources)
    if not fixed:
        return
    at = variables[host].evidence
    if _is_loaded(draft):
        names[_POSTGRES_PORT] = "port"
        says = f"{host} is read and no port, so it connects to 5432: {LISTEN_MODULE} takes it to the app's own"
        notes.claim("database", says, at, "services.postgres")
        return
    notes.problem(
        "detect.database-fixed",
        at,
        f"{host} is read and no port, so the app connects to 5432; the app's database listens at a port of its own",
        "read the port beside the host: port: Number(process.env.DB_PORT)",
    )


_SETTINGS = re.compile(r"(^|/)(config/[\w.-]+|knexfile|config)\.(js|cjs|ts|json)$")
_SECTION = r"""(?m)^[ \t]*['"]?{}['"]?[ \t]*:[ \t]*\{{|exports\.{}\s*="""


def stage(index: Index, paths: list[str], draft: Draft, notes: Notes) -> None:
    """An app whose settings have a section for development and none for production runs with the one it has."""
    for path in [*paths, *index.named("config.json")]:
        text = index.text(path) if _SETTINGS.search(path) else ""
        found = re.search(_SECTION.format("development", "development"), text)
        if found is None or re.search(_SECTION.format("production", "production"), text) or "NODE_ENV" in draft.env:
            continue
        if not any(re.search(r"NODE_ENV\b[^\n]{0,12}(?:\|\||\?\?)\s*['\"]development", index.text(p)) for p in paths):
            continue
        draft.env["NODE_ENV"] = EnvVar(value="development")
        says = "NODE_ENV is development: the settings have no section for production"
        notes.claim("env", says, Evidence.at(path, text, found.start()), "env.NODE_ENV")
        if draft.migrate is not None:
            draft.migrate = replace(draft.migrate, command=draft.migrate.command.replace(" --env production", ""))
        return


_DEMANDS_FILE = re.compile(
    r"""\bloadEnvFile\(\s*(?:['"](?:\./)?\.env['"]\s*)?\)|--env-file[= ](?:\./)?\.env(?![\w.-])"""
)


def settings_file(index: Index, paths: list[str], project: NodeProject, draft: Draft, notes: Notes) -> None:
    """Make the `.env` that Node refuses to start without (nodejs.org, loadEnvFile): empty, since what the app is given
    goes before what the file says."""
    said = {path: index.text(path) for path in paths} | {"": draft.processes["web"].command}
    found = next(((path, at) for path, text in said.items() if (at := _DEMANDS_FILE.search(text))), None)
    file = f"{project.folder}/.env" if project.folder else ".env"
    if found is None or index.has(file):
        return
    path, at = found
    draft.commands.append(f"touch {shlex.quote(file)}")
    line = Evidence.at(path, said[path], at.start()) if path else Evidence(project.path)
    notes.claim("build", f"an empty {file}: the app does not start without the file", line, "build.commands")


def load_module(draft: Draft) -> None:
    """Let what migrates, and every process, connect where the web process does."""
    services = (draft.postgres, draft.redis)
    if not any(service is not None and {_POSTGRES_PORT, _REDIS_PORT} & set(service.env) for service in services):
        return
    loads = f'NODE_OPTIONS="--require=$PWD/{LISTEN_MODULE} $NODE_OPTIONS"'
    if draft.migrate is not None and LISTEN_MODULE not in draft.migrate.command:
        draft.migrate = replace(draft.migrate, command=f"{loads} {draft.migrate.command}")
    for name, process in draft.processes.items():
        if LISTEN_MODULE not in process.command:
            draft.processes[name] = replace(process, command=f"{loads} {process.command}")


def _chooses(text: str, word: str) -> bool:
    """True when the source knows `word` as a client, dialect or kind of database."""
    return "process.env" in text and bool(re.search(rf"""['"]{word}['"]""", text))


_PLAIN = re.compile(r"[\w./@+-]{1,60}")


def _examples(variables: dict[str, Variable], given: Given, notes: Notes) -> None:
    """What `cp .env.example .env` would set: plain values of variables that are read without a default."""
    for name, one in variables.items():
        value = one.example or ""
        if name in given.env or name in given.postgres or name in given.redis or name in ("DATABASE_URL", "REDIS_URL"):
            continue
        is_odd = re.search(r"PORT$|HOST|URL|URI|DOMAIN|_ID$|DIR$|PATH$|^DEBUG", name) or is_third_party(name)
        is_local = re.search(r"localhost|127\.0\.0\.1|example|your|xxx|\.com$|develop", value, re.IGNORECASE)
        if is_odd or is_local or is_secret_like(name) or PUBLIC_SECRETS.fullmatch(value) or not _PLAIN.fullmatch(value):
            continue
        if any(r.default is not None for r in one.reads) or (postgres_part(name) or redis_part(name)):
            continue
        given.env[name] = EnvVar(value=value)
        notes.claim(
            "env", f"{name} is read without a default; the example's value", one.example_at or "", f"env.{name}"
        )
