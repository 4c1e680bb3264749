"""What a manifest says, as frozen values. Each key of the file is declared here, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from underway.manifest import env_words, words
from underway.manifest.backup import BackupKeys
from underway.manifest.env_keys import EnvironmentKeys
from underway.manifest.env_keys import EnvVar as EnvVar  # the word is part of this model
from underway.manifest.keys import Key, Table
from underway.manifest.migrate import Migrate
from underway.manifest.monitor import AlertKeys as AlertKeys
from underway.manifest.monitor import MonitorKeys as MonitorKeys
from underway.manifest.monitor import ObjectiveKeys as ObjectiveKeys
from underway.manifest.release import Limits as Limits
from underway.manifest.release import ReleaseKeys as ReleaseKeys
from underway.manifest.smoke import Journey as Journey
from underway.manifest.smoke import Smoke as Smoke
from underway.manifest.spending import BudgetKeys as BudgetKeys
from underway.manifest.spending import KeepAwakeKeys as KeepAwakeKeys
from underway.terms.environment import PRODUCTION

MANIFEST_VERSION = 1
MANIFEST_FILE = "underway.toml"

LISTEN_MODULE = ".underway/listen.cjs"
"""What every build with `[build.node]` holds in that folder: loaded by `node --require`, a server listens on 127.0.0.1,
and on `$PORT` in place of the port that `UNDERWAY_FIXED_PORT` names."""
LISTEN_SCRIPT = ".underway/listen.py"
"""What every build with `[build.python]` holds in that folder: `python .underway/listen.py SCRIPT` runs a script whose
first port becomes `$PORT` on 127.0.0.1."""

ORIGIN_MODULE = ".underway/origin.cjs"
"""Beside it: `node .underway/origin.cjs FOLDER [HOST:PORT …]` goes over the pages built into FOLDER, and puts their
own address in place of those of `PAGE_HOST` and of each HOST:PORT."""

PAGE_HOST = "same-origin.invalid"
"""Stands for the page's own host in what a front end has baked in; `.invalid` is nobody's (RFC 6761, 6.4)."""

KIT_ENV_MODULE = ".underway/kit_env.cjs"
"""Beside them: run on the sources of SvelteKit before they are built, it leaves what they read of the private
environment to the start of the server."""


@dataclass(frozen=True)
class PythonBuild:
    """`[build.python]`: `manager` is uv | pip | poetry | pdm | pipenv | setuptools; `dir` holds its lock;
    `requirements` are the files pip installs; `version` is major.minor, empty for what the project accepts;
    `extra` are packages added to the environment because the lock lacks them (a server); with `as_of` nothing newer
    than that day is installed."""

    manager: Annotated[str, Key("manager", words.PYTHON_MANAGER, '"uv"', "What installs the locked dependencies.")]
    dir: Annotated[str, Key("dir", words.TREE_PATH, '"backend"', "The folder of its lock or requirements.")] = "."
    requirements: Annotated[
        tuple[str, ...],
        Key("requirements", words.TREE_PATHS, '["requirements.txt"]', "The files `pip` installs, from the root."),
    ] = ()
    version: Annotated[
        str,
        Key("version", words.PYTHON_VERSION, '"3.12"', "The interpreter; empty takes one that the project accepts."),
    ] = ""
    extra: Annotated[
        tuple[str, ...],
        Key("extra", words.PACKAGES, '["gunicorn"]', "Packages added because the lock lacks them, a server for one."),
    ] = ()
    groups: Annotated[
        tuple[str, ...],
        Key("groups", words.GROUPS, '["prod"]', "Dependency groups or extras installed besides the main ones."),
    ] = ()
    as_of: Annotated[
        str,
        Key(
            "as_of",
            words.DAY,
            '"2024-08-25"',
            "Where no lock says the versions: nothing published after this day is installed.",
        ),
    ] = ""


@dataclass(frozen=True)
class NodeBuild:
    """`[build.node]`: `manager` is npm | pnpm | yarn | bun; `script` is the script that builds, or empty."""

    manager: Annotated[str, Key("manager", words.NODE_MANAGER, '"npm"', "What installs from the lockfile.")]
    dir: Annotated[str, Key("dir", words.TREE_PATH, '"frontend"', "The folder of `package.json`.")] = "."
    script: Annotated[str, Key("script", words.SCRIPT, '"build"', "The script that builds; empty builds nothing.")] = ""
    development: Annotated[
        bool,
        Key(
            "development",
            words.FLAG,
            "true",
            "Development packages too, though nothing is built: a command of the app's own is among them.",
        ),
    ] = False
    as_of: Annotated[
        str,
        Key(
            "as_of",
            words.DAY,
            '"2024-08-25"',
            "Where no lock says the versions (`npm` alone can): nothing published after this day is installed.",
        ),
    ] = ""


@dataclass(frozen=True)
class BuildKeys:
    python: Annotated[
        PythonBuild | None, Table("python", PythonBuild, "The Python environment. Left out: none is made.")
    ] = None
    node: Annotated[
        NodeBuild | None, Table("node", NodeBuild, "Node packages and a front-end build. Left out: none.")
    ] = None
    front_end: Annotated[
        NodeBuild | None,
        Table("front_end", NodeBuild, "A second Node project, built after the first: pages beside a Node server."),
    ] = None
    commands: Annotated[
        tuple[str, ...],
        Key(
            "commands",
            words.COMMANDS,
            '["python manage.py collectstatic --noinput"]',
            "Shell lines run in the built tree after the installation, in this order.",
        ),
    ] = ()
    timeout_s: Annotated[
        float, Key("timeout", words.LONG, '"20m"', "A build that takes longer is ended and fails.")
    ] = 900.0


@dataclass(frozen=True)
class Process:
    """`[processes.NAME]`. `web` gets PORT and the traffic; every other one is a worker."""

    command: Annotated[
        str,
        Key(
            "command",
            words.COMMAND,
            '"uvicorn app.main:app --host 127.0.0.1 --port $PORT"',
            "The shell line that runs. `web` listens on 127.0.0.1 and `$PORT`.",
        ),
    ]
    cwd: Annotated[str, Key("cwd", words.TREE_PATH, '"backend"', "The folder it runs in.")] = "."
    instances: Annotated[int, Key("instances", words.INSTANCES, "2", "How many run at once.")] = 1
    memory_bytes: Annotated[
        int,
        Key("memory", words.MEMORY, '"512MB"', "The most memory one instance may use, where the kernel can hold it."),
    ] = 0
    cpus: Annotated[
        float, Key("cpus", words.CPUS, "1.5", "The most processors one instance may use; 0 sets no limit.")
    ] = 0.0
    stop_timeout_s: Annotated[
        float, Key("stop_timeout", words.STOP_TIMEOUT, '"30s"', "Time between SIGTERM and SIGKILL.")
    ] = 10.0
    env: Annotated[
        Mapping[str, str],
        Key("env", env_words.ENV_VALUES, '{QUEUE = "mail"}', "Values for this process alone, over those of `[env]`."),
    ] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Health:
    """`[health]`: healthy after `successes` answers in a row within `timeout_s`.

    `status` is the accepted statuses ("200-299" by default; "below-500" where neither file nor repository name a path).
    """

    path: Annotated[str, Key("path", words.URL_PATH, '"/health"', "What is asked of every instance.")] = "/"
    status: Annotated[str, Key("status", words.STATUS, '"200"', "The answers that count as healthy.")] = "200-299"
    successes: Annotated[
        int, Key("successes", words.SUCCESSES, "5", "This many healthy answers in a row are needed.")
    ] = 3
    interval_s: Annotated[float, Key("interval", words.INTERVAL, '"500ms"', "Time between two questions.")] = 0.15
    timeout_s: Annotated[
        float, Key("timeout", words.HEALTH_TIMEOUT, '"2m"', "An instance that is not healthy by then has failed.")
    ] = 60.0
    request_timeout_s: Annotated[
        float, Key("request_timeout", words.REQUEST_TIMEOUT, '"2s"', "One question waits this long for its answer.")
    ] = 5.0
    host: Annotated[
        str, Key("host", words.HOST, '"shop.example.com"', "The Host header sent; empty sends the app's first name.")
    ] = ""


@dataclass(frozen=True)
class Static:
    """`[static]`: `dir` (inside the built tree) is served under `url`; `spa` answers unknown paths with index.html."""

    dir: Annotated[str, Key("dir", words.TREE_PATH, '"frontend/dist"', "The folder of files in the built tree.")]
    url: Annotated[str, Key("url", words.URL_PATH, '"/static/"', "The path they are served under.")] = "/"
    spa: Annotated[bool, Key("spa", words.FLAG, "true", "Answer pages that are no file with `index.html`.")] = False


@dataclass(frozen=True)
class Postgres:
    """`[services.postgres]`: provided by Underway, or the user's own at `url` (an environment reference is allowed).

    `scheme` is what the app's driver needs in DATABASE_URL (postgresql, postgres, postgresql+asyncpg …).
    `env` names further variables: NAME → one of url | url:SCHEME | host | port | user | password | database.
    """

    url: Annotated[
        str,
        Key(
            "url",
            words.POSTGRES_URL,
            '"${PROD_DATABASE_URL}"',
            "A server of your own, or the variable that holds its address; empty lets Underway provide one.",
        ),
    ] = ""
    scheme: Annotated[
        str,
        Key(
            "scheme", words.SCHEME, '"postgresql+asyncpg"', "The scheme of `DATABASE_URL` that the app's driver needs."
        ),
    ] = "postgresql"
    extensions: Annotated[
        tuple[str, ...], Key("extensions", words.EXTENSIONS, '["pg_trgm"]', "Extensions made in the database.")
    ] = ()
    env: Annotated[
        Mapping[str, str],
        Key(
            "env",
            words.POSTGRES_ENV,
            '{DB_HOST = "host", DB_PORT = "port"}',
            "Further variables the app reads, and the part of the address each gets.",
        ),
    ] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Redis:
    """`[services.redis]`, likewise. `env`: NAME → one of url | host | port | password.

    `has_password` is false for an app that can be told a host and no password.
    """

    url: Annotated[
        str,
        Key(
            "url",
            words.REDIS_URL,
            '"${PROD_REDIS_URL}"',
            "A server of your own, or the variable that holds its address; empty lets Underway provide one.",
        ),
    ] = ""
    env: Annotated[
        Mapping[str, str],
        Key(
            "env",
            words.REDIS_ENV,
            '{CACHE_HOST = "host", CACHE_PORT = "port"}',
            "Further variables the app reads, and the part of the address each gets.",
        ),
    ] = field(default_factory=lambda: MappingProxyType({}))
    has_password: Annotated[
        bool,
        Key(
            "password",
            words.FLAG,
            "false",
            "`false` for an app that cannot be told a password: every user of this machine then reaches its server, "
            "which takes no orders that change its settings or write files.",
        ),
    ] = True


@dataclass(frozen=True)
class Services:
    postgres: Annotated[
        Postgres | None,
        Table(
            "postgres",
            Postgres,
            "PostgreSQL: a database, a role and a password of the app's own, in `DATABASE_URL` and `PGHOST`, `PGPORT`, "
            "`PGUSER`, `PGPASSWORD`, `PGDATABASE`.",
            short="url",
            is_switch=True,
            short_when_written=True,
        ),
    ] = None
    redis: Annotated[
        Redis | None,
        Table(
            "redis",
            Redis,
            "A server that speaks the Redis protocol, in `REDIS_URL`.",
            short="url",
            is_switch=True,
            short_when_written=True,
        ),
    ] = None


@dataclass(frozen=True)
class Manifest:
    """A whole manifest with every default filled in."""

    app: Annotated[str, Key("app", words.APP, '"my-shop"', "The app's name. It answers on `NAME.localhost`.")]
    version: Annotated[int, Key("manifest", words.VERSION, "1", "The version of this format.")] = MANIFEST_VERSION
    domains: Annotated[
        tuple[str, ...], Key("domains", words.DOMAINS, '["shop.example.com"]', "Host names the app answers on as well.")
    ] = ()
    tls: Annotated[
        str,
        Key(
            "tls",
            words.TLS,
            '"auto"',
            "HTTPS for the domains: none, a certificate of the machine's own authority, or a public one. Not written, "
            "it is `auto` when there are domains and the proxy is on port 80, else `off`.",
        ),
    ] = "off"
    build: Annotated[BuildKeys, Table("build", BuildKeys, "How a release is made from a copy of the tree.")] = field(
        default_factory=BuildKeys
    )
    processes: Annotated[
        Mapping[str, Process],
        Table(
            "processes",
            Process,
            "What runs. `web` gets the traffic; every other name is a worker. An app of static files has none.",
            short="command",
            names=words.PROCESS_NAME,
        ),
    ] = field(default_factory=lambda: MappingProxyType({}))
    health: Annotated[
        Health, Table("health", Health, "When an instance of `web` is ready for traffic.", short="path")
    ] = field(default_factory=Health)
    static: Annotated[Static | None, Table("static", Static, "Files that the proxy serves itself.", short="dir")] = None
    migrate: Annotated[
        Migrate | None, Table("migrate", Migrate, "What prepares the database for a release.", short="command")
    ] = None
    services: Annotated[Services, Table("services", Services, "What the app needs beside itself.")] = field(
        default_factory=Services
    )
    env: Annotated[
        Mapping[str, EnvVar],
        Table(
            "env",
            EnvVar,
            "The environment of the app: what each variable must be, and its value in every environment.",
            short="value",
            names=words.ENV_NAME,
            short_when_written=True,
        ),
    ] = field(default_factory=lambda: MappingProxyType({}))
    environments: Annotated[
        Mapping[str, EnvironmentKeys],
        Table(
            "environments",
            EnvironmentKeys,
            "The environments the app runs in, each with the values that differ. A deploy is for `production` unless "
            "`--env` names another.",
            names=env_words.ENVIRONMENT,
        ),
    ] = field(default_factory=lambda: MappingProxyType({}))
    environment: Annotated[
        str,
        Key(
            "environment",
            env_words.ENVIRONMENT,
            '"staging"',
            "The environment of a deploy that names none. With `--env` another than `production`, the app is called "
            "`NAME-ENVIRONMENT`, unless `--app` says how, and runs beside the one in production.",
        ),
    ] = PRODUCTION
    vault: Annotated[
        str,
        Key("vault", words.APP_OR_NONE, '"my-shop"', "The app whose values in the vault it uses; empty: its own."),
    ] = ""
    public_prefixes: Annotated[
        tuple[str, ...],
        Key(
            "public_prefixes",
            env_words.PREFIXES,
            '["SHOP_PUBLIC_"]',
            "Names that begin so are built into pages that everybody can read, besides the usual ones "
            "(`NEXT_PUBLIC_`, `VITE_`, `REACT_APP_`, `PUBLIC_` …). A secret may not have such a name.",
        ),
    ] = ()
    release: Annotated[
        ReleaseKeys, Table("release", ReleaseKeys, "How a release takes over, and what takes it back.")
    ] = field(default_factory=ReleaseKeys)
    shared: Annotated[
        tuple[str, ...],
        Key(
            "shared",
            words.SHARED_PATHS,
            '["uploads", "db.sqlite3"]',
            "Files and folders that every release sees and that outlive them all.",
        ),
    ] = ()
    backup: Annotated[
        BackupKeys,
        Table("backup", BackupKeys, "Copies of the app's data: how often, how long, where, and their proof."),
    ] = field(default_factory=BackupKeys)
    smokes: Annotated[
        tuple[Smoke, ...],
        Table(
            "smoke",
            Smoke,
            "One request and what must come back. Each is sent to a new release before any user reaches it; one that "
            "fails refuses the switch. `${NAME}` stands for what an earlier step kept, `${env.NAME}` for a variable of "
            "the app (its value is never shown), `${unique}` for a word that is new every time.",
            is_list=True,
        ),
    ] = ()
    journeys: Annotated[
        tuple[Journey, ...],
        Table(
            "journey",
            Journey,
            "Several requests in a row, as one visitor makes them: cookies are carried from step to step, and so is "
            "what a step keeps. It writes what it writes: let it use an account and things of its own.",
            is_list=True,
        ),
    ] = ()
    monitors: Annotated[
        tuple[MonitorKeys, ...],
        Table(
            "monitor",
            MonitorKeys,
            "One thing that is asked again and again. Underway asks the app's health path through the proxy without "
            "being told; these come besides.",
            is_list=True,
        ),
    ] = ()
    objectives: Annotated[
        tuple[ObjectiveKeys, ...],
        Table("slo", ObjectiveKeys, "What was promised: a share of requests that are good.", is_list=True),
    ] = ()
    alerts: Annotated[AlertKeys, Table("alerts", AlertKeys, "Who is told when something is wrong, and when.")] = field(
        default_factory=AlertKeys
    )
    budget: Annotated[
        BudgetKeys,
        Table("budget", BudgetKeys, "What may be used in a month; somebody is told at 50, 80 and 100 % of it."),
    ] = field(default_factory=BudgetKeys)
    keep_awake: Annotated[
        tuple[KeepAwakeKeys, ...],
        Table(
            "keep_awake",
            KeepAwakeKeys,
            "An address elsewhere whose host lets it sleep, and which is asked so that it stays awake.",
            is_list=True,
        ),
    ] = ()
