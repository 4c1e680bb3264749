from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from underway.terms.process import Instance, InstanceSpec, Limit, ProcessSample


class Runtime(Protocol):
    """Runs instances as process groups that survive the agent.

    An instance that ends by itself is started again with back-off, until it is called a crash loop (which is
    tried again only once a minute); both are told as `InstanceEnded` to the listener given at construction.
    Every method may be called again after a crash between effect and return: a repeated call changes nothing more.
    """

    async def start(self, spec: InstanceSpec, env: Mapping[str, str]) -> Instance:
        """Start `spec`; when an instance with this id already runs, return that one.

        Raises `Failure` (`runtime.spawn`, `runtime.port-taken`) when it cannot be started. Does not wait for health.
        """
        ...

    async def stop(self, instance_id: str) -> None:
        """SIGTERM to the group, `stop_timeout_s`, then SIGKILL. On return no process of its tree is left,
        its port is free, and it is forgotten. Stopping what is not there is fine.

        Raises `Failure` (`runtime.stop`) when a process cannot be ended even by SIGKILL."""
        ...

    def instances(self, app: str | None = None) -> Sequence[Instance]:
        """Snapshots of all instances, started here or adopted, those in a crash loop too."""
        ...

    def sample(self, instance_id: str) -> ProcessSample | None:
        """What the instance's tree uses now; None when it does not run."""
        ...

    def owns_port(self, instance_id: str) -> bool:
        """True when the socket listening on the instance's port belongs to its own process tree."""
        ...

    def listens_on(self, instance_id: str) -> tuple[int, ...]:
        """The loopback ports that the instance's process tree listens on, ascending; to say what it does instead of
        listening on the port it was given."""
        ...

    def log_tail(self, instance_id: str, lines: int = 20) -> Sequence[str]:
        """The last lines the instance wrote (in this life or an earlier one of the same id)."""
        ...

    def written(self, instance_id: str, after: int) -> Sequence[tuple[int, str]]:
        """Whole lines that the instance wrote after the first `after` bytes of its output, each with the byte after it;
        256 KiB at most. Bytes are counted from its start, through rotation and restarts. A negative `after` means so
        many bytes before the end."""
        ...

    def log_begins(self, instance_id: str) -> int:
        """Where in its log the instance's own output begins: bytes from the beginning of the file as it is now;
        negative once that was rotated out, 0 for an unknown instance."""
        ...

    async def adopt(self) -> Sequence[Instance]:
        """Called once at the agent's start: take over what a former agent left running (same pids, nothing
        restarted), restart what died meanwhile, and end processes of this home that belong to nothing."""
        ...

    def limits(self) -> Sequence[Limit]:
        """Which of the limits of a spec this machine's kernel holds, and which not."""
        ...
