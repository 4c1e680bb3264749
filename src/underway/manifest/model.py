"""What a manifest says, as frozen values. Each key of the file is declared here, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from underway.manifest import env_words, words
from underway.manifest.backup import BackupKeys
from underway.manifest.build import BuildKeys
from underway.manifest.env_keys import EnvironmentKeys, EnvVar
from underway.manifest.keys import Key, Table
from underway.manifest.migrate import Migrate
from underway.manifest.monitor import AlertKeys, MonitorKeys, ObjectiveKeys
from underway.manifest.release import ReleaseKeys
from underway.manifest.services import Services
from underway.manifest.smoke import Journey, Smoke
from underway.manifest.spending import BudgetKeys, KeepAwakeKeys
from underway.terms.environment import PRODUCTION

MANIFEST_VERSION = 1
MANIFEST_FILE = "underway.toml"


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
