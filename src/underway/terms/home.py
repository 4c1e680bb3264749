"""Where everything of one home lives on disk. Pure: it names paths and touches none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The layout below `UNDERWAY_HOME`.

    `root` is absolute. Unix sockets live in `run`, which is `root/run` unless that path would not fit a socket
    address (108 bytes, unix(7)); then it is a folder in `short_run` named after the home.
    """

    root: Path
    http_port: int = 8080
    https_port: int = 8443
    short_run: Path = Path("/tmp")  # noqa: S108 - the folder made in it is 0700 and checked to be ours

    @property
    def id(self) -> str:
        """Eight hex digits that tell this home from others on the machine (marks its processes)."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]

    @property
    def run(self) -> Path:
        return self.root / "run" if len(str(self.root)) <= 60 else self.short_run / f"underway-{self.id}"

    @property
    def agent_socket(self) -> Path:
        return self.run / "agent.sock"

    @property
    def agent_lock(self) -> Path:
        return self.root / "agent.lock"

    @property
    def agent_log(self) -> Path:
        return self.root / "agent.log"

    @property
    def journal(self) -> Path:
        return self.root / "journal.db"

    @property
    def proxy(self) -> Path:
        """Configuration, access log and data of the proxy."""
        return self.root / "proxy"

    @property
    def counts(self) -> Path:
        """What was counted of all apps, with the place in the log up to which it was."""
        return self.root / "counts"

    @property
    def metrics(self) -> Path:
        """What was measured over time, of all apps."""
        return self.root / "metrics.db"

    @property
    def security(self) -> Path:
        """Who tried to get in, of all apps."""
        return self.root / "security.db"

    @property
    def status_page(self) -> Path:
        """The published status page; the proxy serves it as it is."""
        return self.root / "status-page"

    @property
    def services(self) -> Path:
        return self.root / "services"

    @property
    def cache(self) -> Path:
        """The shared package caches (uv, npm)."""
        return self.root / "cache"

    @property
    def instances(self) -> Path:
        """What the runtime keeps of each instance, one folder each, 0700."""
        return self.root / "instances"

    def app(self, app: str) -> Path:
        return self.root / "apps" / app

    def builds(self, app: str) -> Path:
        return self.app(app) / "builds"

    def shared(self, app: str) -> Path:
        """Folders that outlive a release."""
        return self.app(app) / "shared"

    def logs(self, app: str) -> Path:
        return self.app(app) / "logs"

    def process_log(self, app: str, process: str, number: int, slot: str) -> Path:
        """What an instance writes. One file per slot: two releases running side by side do not mix their lines.
        Older parts have `.1` (the newest) to `.3` appended."""
        return self.logs(app) / f"{process}.{number}.{slot}.log"

    def output(self, app: str) -> Path:
        """What the app's processes wrote in the last days, for searching, and the errors in it."""
        return self.app(app) / "output"

    def backups(self, app: str) -> Path:
        return self.app(app) / "backups"

    @property
    def keys(self) -> Path:
        """The keys that open vault files, 0700. Back it up apart from `apps`: one without the other tells nothing."""
        return self.root / "keys"

    def vault(self, app: str) -> Path:
        """Encrypted values, one file per layer, 0700."""
        return self.app(app) / "vault"

    def route(self, app: str) -> Path:
        """The small files the proxy reads at every request."""
        return self.proxy / "routes" / app
