"""A manifest in the making."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType

from underway.manifest.build import BuildKeys, NodeBuild, PythonBuild
from underway.manifest.env_keys import EnvVar
from underway.manifest.migrate import Migrate
from underway.manifest.model import Health, Manifest, Process, Static
from underway.manifest.services import Postgres, Redis, Services
from underway.manifest.smoke import Smoke
from underway.terms.environment import Read


@dataclass
class Draft:
    """What has been decided so far."""

    app: str
    python: PythonBuild | None = None
    node: NodeBuild | None = None
    front_end: NodeBuild | None = None
    commands: list[str] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    static: Static | None = None
    migrate: Migrate | None = None
    postgres: Postgres | None = None
    redis: Redis | None = None
    env: dict[str, EnvVar] = field(default_factory=dict)
    shared: list[str] = field(default_factory=list)
    smokes: list[Smoke] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    port_at: str = ""
    """Where the settings of Python fail without PORT."""

    def manifest(self) -> Manifest:
        """The whole of it, frozen."""
        return Manifest(
            app=self.app,
            build=BuildKeys(
                python=self.python, node=self.node, front_end=self.front_end, commands=tuple(self.commands)
            ),
            processes=MappingProxyType(dict(self.processes)),
            health=self.health,
            static=self.static,
            migrate=self.migrate and replace(self.migrate, paths=tuple(dict.fromkeys(self.migrate.paths))),
            services=Services(postgres=self.postgres, redis=self.redis),
            env=MappingProxyType(dict(self.env)),
            shared=tuple(self.shared),
            smokes=tuple(self.smokes),
        )
