"""What a manifest says, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

MANIFEST_VERSION = 1
MANIFEST_FILE = "underway.toml"


@dataclass(frozen=True)
class PythonBuild:
    """`[build.python]`: `manager` is uv | pip | poetry | pdm | pipenv | setuptools; `dir` holds its lock;
    `requirements` are the files pip installs; `version` is major.minor, empty for what the project accepts;
    `extra` are packages added to the environment because the lock lacks them (a server)."""

    manager: str
    dir: str = "."
    requirements: tuple[str, ...] = ()
    version: str = ""
    extra: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeBuild:
    """`[build.node]`: `manager` is npm | pnpm | yarn | bun; `script` is the script that builds, or empty."""

    manager: str
    dir: str = "."
    script: str = ""


@dataclass(frozen=True)
class BuildKeys:
    python: PythonBuild | None = None
    node: NodeBuild | None = None
    commands: tuple[str, ...] = ()
    timeout_s: float = 900.0


@dataclass(frozen=True)
class Process:
    """`[processes.NAME]`. `web` gets PORT and the traffic; every other one is a worker."""

    command: str
    cwd: str = "."
    instances: int = 1
    memory_bytes: int = 0
    cpus: float = 0.0
    stop_timeout_s: float = 10.0


@dataclass(frozen=True)
class Health:
    """`[health]`: healthy after `successes` answers in a row within `timeout_s`.

    `status` is the accepted statuses ("200-399" by default; "below-500" where detection found no health path).
    """

    path: str = "/"
    status: str = "200-399"
    successes: int = 3
    interval_s: float = 0.15
    timeout_s: float = 60.0
    request_timeout_s: float = 5.0
    host: str = ""


@dataclass(frozen=True)
class Static:
    """`[static]`: `dir` (inside the built tree) is served under `url`; `spa` answers unknown paths with index.html."""

    dir: str
    url: str = "/"
    spa: bool = False


@dataclass(frozen=True)
class Migrate:
    """`[migrate]`. `paths` are the files that decide whether there is anything to migrate (empty: always run)."""

    command: str
    cwd: str = "."
    paths: tuple[str, ...] = ()
    timeout_s: float = 600.0


@dataclass(frozen=True)
class Postgres:
    """`[services.postgres]`: provided by Underway, or the user's own at `url` (an environment reference is allowed).

    `scheme` is what the app's driver needs in DATABASE_URL (postgresql, postgres, postgresql+asyncpg …).
    `env` names further variables: NAME → one of url | host | port | user | password | database.
    """

    url: str = ""
    scheme: str = "postgresql"
    extensions: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Redis:
    """`[services.redis]`, likewise. `env`: NAME → one of url | host | port | password."""

    url: str = ""
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Services:
    postgres: Postgres | None = None
    redis: Redis | None = None


@dataclass(frozen=True)
class EnvVar:
    """`[env]`: `NAME = "value"` or `NAME = {generate = "hex", secret = true, required = true}`.

    `generate` is hex | urlsafe | django: made once per app, kept secret, the same for every release.
    """

    value: str = ""
    generate: str = ""
    secret: bool = False
    required: bool = False


@dataclass(frozen=True)
class Limits:
    """`[release.limits]`: what a release may not exceed. Rates are fractions, 0.05 for "5%"."""

    failed_health_checks: int = 3
    error_rate: float = 0.05
    p95_ms: float = 500.0
    memory_bytes: int = 1_000_000_000


@dataclass(frozen=True)
class ReleaseKeys:
    """`[release]`. `strategy` is auto | canary | blue-green | instant; `steps` are percentages of traffic;
    `watch_s` how long a release is watched after the switch; `keep` how many releases are kept."""

    strategy: str = "auto"
    steps: tuple[int, ...] = (5, 25, 50)
    watch_s: float = 5.0
    drain_s: float = 30.0
    keep_warm_s: float = 600.0
    keep: int = 5
    warm_up: int = 3
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Manifest:
    """A whole manifest with every default filled in."""

    app: str
    version: int = MANIFEST_VERSION
    domains: tuple[str, ...] = ()
    tls: str = "off"
    build: BuildKeys = field(default_factory=BuildKeys)
    processes: Mapping[str, Process] = field(default_factory=lambda: MappingProxyType({}))
    health: Health = field(default_factory=Health)
    static: Static | None = None
    migrate: Migrate | None = None
    services: Services = field(default_factory=Services)
    env: Mapping[str, EnvVar] = field(default_factory=lambda: MappingProxyType({}))
    release: ReleaseKeys = field(default_factory=ReleaseKeys)
    shared: tuple[str, ...] = ()
