from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Machine(Protocol):
    """What this machine has. Cheap to ask; answers may be cached for seconds."""

    def cpus(self) -> int: ...

    def memory_bytes(self) -> int: ...

    def disk_free_bytes(self) -> int:
        """Free space on the file system of the home, for an ordinary user."""
        ...

    def disk_bytes(self) -> int:
        """The size of that file system."""
        ...

    def pythons(self) -> tuple[str, ...]:
        """The interpreters that run, as "3.12", newest first."""
        ...

    def node(self) -> str:
        """The version of Node ("20.11.1"), empty when there is none."""
        ...

    def is_file(self, path: str) -> bool:
        """True for a file that can be read."""
        ...

    def free_block(self, count: int, taken: Collection[int]) -> int:
        """The first of `count` neighbouring loopback ports that are free now and not among `taken`.

        Raises `Failure` (`machine.no-ports`)."""
        ...

    def are_free(self, ports: Collection[int]) -> bool:
        """True when nothing listens on any of these loopback ports."""
        ...

    def stranger_on(self, port: int) -> str:
        """Who listens on this loopback port, when it is no process of this home: "python3 (pid 4711)". Empty when
        the port is free or ours."""
        ...

    def link_shared(self, app: str, tree_dir: str, paths: Collection[str], source: str) -> tuple[str, ...]:
        """Let each of `paths` inside the built tree be a link into the app's shared storage. What the folder that is
        deployed (`source`) or else the tree holds there is carried in the first time. Idempotent. Returns the paths
        whose content was carried."""
        ...
